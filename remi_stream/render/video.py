"""Takes as videos (`mp4`) and as PNG images (`png`), and the H.264 writer."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from remi_stream.errors import RemiError, UsageError
from remi_stream.messages import Bodies
from remi_stream.paths import ffmpeg_url
from remi_stream.recordings.take import Take
from remi_stream.render.camera import PanelLayout, RenderOptions, Size, even_size, fit_panels, panel_layout
from remi_stream.render.scene import render_frames

TICKS_PER_S = 90_000
"""Time base of the video, 1/s: MPEG's (ISO/IEC 13818-1)."""
# bitexact: no version of the encoder in the file; faststart: the index comes first, so that a download plays at once
CONTAINER = {"fflags": "+bitexact", "movflags": "+faststart"}
CODEC = {"preset": "veryfast", "crf": "22", "flags": "+bitexact", "mbtree": "0"}
"""mbtree is off: at some sizes x264's mbtree reads uninitialised memory, so the same video would differ in its bytes
(tests/render/test_video.py compares them)."""
BT709 = 1
"""H.264's number for the BT.709 colour space, primaries and transfer function."""


def write_video(take: Take, folder: Path, options: RenderOptions | None = None) -> list[Path]:
    """Render a take to NAME.mp4, with each frame at its capture time; the bytes are reproducible. Raises OSError, RemiError."""
    options = options or RenderOptions()
    path = folder / f"{take.name}.mp4"
    if take.source and path.exists() and path.samefile(take.source):
        raise UsageError(f"{path} is the source video and would be overwritten. Write into another folder")
    if not len(take.frames):
        raise RemiError(f"{take.name} has no frames to draw")
    video_layout = panel_layout(options, take.size)
    size = even_size(video_layout.size)

    def layout_of(bodies: Bodies) -> PanelLayout:
        return fit_panels(video_layout.size, len(options.panels), bodies.size) if take.images else video_layout

    with (
        encoder_errors(path),
        contextlib.closing(render_frames(take, options, layout_of)) as frames,
        VideoWriter(path, size, take.fps) as writer,
    ):
        for bodies, image in frames:
            writer.add(pad_image(image, size), bodies.captured_at)
    return [path]


class VideoWriter:
    """Writes a video frame by frame: H.264 in MP4, BT.709, variable frame rate. fps: nominal frame rate, 1/s."""

    def __init__(self, path: Path, size: Size, fps: float) -> None:
        self._container = av.open(ffmpeg_url(path), "w", format="mp4", options=CONTAINER)
        # 1001: keeps 30000/1001 and 24000/1001 exact
        self._stream = self._container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=CODEC)
        self._stream.width, self._stream.height, self._stream.pix_fmt = *size, "yuv420p"
        context = self._stream.codec_context
        context.time_base, context.thread_count = Fraction(1, TICKS_PER_S), 1
        # written into the file: players guess the colour space of files that do not say, and guess differently
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = ColorRange.MPEG
        self._duration = round(TICKS_PER_S / fps)
        self._started_at: float | None = None
        self._pts = -1

    def __enter__(self) -> VideoWriter:
        return self

    def add(self, image: np.ndarray, captured_at: float) -> None:
        """Add an image (h, w, 3) uint8 BGR. captured_at: capture time, s, in increasing order."""
        self._started_at = captured_at if self._started_at is None else self._started_at
        # two frames of one time still need increasing pts
        self._pts = max(self._pts + 1, round((captured_at - self._started_at) * TICKS_PER_S))
        frame = av.VideoFrame.from_ndarray(image, format="bgr24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
        frame.pts, frame.duration, frame.time_base = self._pts, self._duration, Fraction(1, TICKS_PER_S)
        self._container.mux(self._stream.encode(frame))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # after an error the file is incomplete anyway, and flushing the encoder may raise again
        if kind is None:
            self._container.mux(self._stream.encode(None))
        self._container.close()


def pad_image(image: np.ndarray, size: Size) -> np.ndarray:
    """Pad an image to a size by repeating its last row and column."""
    height, width = image.shape[:2]
    return np.pad(image, ((0, size[1] - height), (0, size[0] - width), (0, 0)), mode="edge")


@contextlib.contextmanager
def encoder_errors(path: Path) -> Iterator[None]:
    """Turn encoder errors into RemiError; OSError (a full disk) passes."""
    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise RemiError(f"{path} cannot be written: {error.strerror}. Try another --view-size") from None


PNG_OPTIONS = [cv2.IMWRITE_PNG_COMPRESSION, 2]
"""Low compression, for speed."""


def write_images(take: Take, folder: Path, options: RenderOptions | None = None) -> list[Path]:
    """Render a take to PNG files, named like the source images or by frame number. Raises OSError."""
    options = options or RenderOptions()
    names, paths = image_names(take), []
    with contextlib.closing(render_frames(take, options, lambda bodies: panel_layout(options, bodies.size))) as frames:
        for bodies, image in frames:
            paths.append(folder / f"{names.get(bodies.frame_id, f'{bodies.frame_id:06d}')}.png")
            paths[-1].write_bytes(encode_png(image))
    return paths


def image_names(take: Take) -> dict[int, str]:
    """Names of a folder's images by frame_id, without extensions; with them where two names would be the same."""
    stems = [Path(name).stem for name in take.images]
    counts = Counter(stems)
    return {number: stem if counts[stem] == 1 else name for number, (stem, name) in enumerate(zip(stems, take.images))}


def encode_png(image: np.ndarray) -> bytes:
    """Encode an image (h, w, 3) uint8 BGR as PNG."""
    _, data = cv2.imencode(".png", image, PNG_OPTIONS)
    return data.tobytes()
