"""Footage: the input of an offline run, a video or a folder of images, read frame by frame in order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from remi_stream.capture.files import ImageReader
from remi_stream.capture.video_reader import DEFAULT_FPS, VideoReader
from remi_stream.errors import UsageError
from remi_stream.geometry import Intrinsics, default_intrinsics
from remi_stream.messages import Frame
from remi_stream.paths import printable_path


class Footage(Protocol):
    """Offline input, frame by frame in order."""

    name: str
    """Name of the results."""
    source: Path
    is_independent: bool
    """Whether the images are independent, without tracks between them."""
    fps: float
    """Frame rate of the selected frames; 0 if unknown."""
    forced_fps: float | None
    """Frame rate that is used instead of the file's times."""
    expected_frames: int
    """Expected number of frames; 0 if unknown."""
    image_names: list[str]
    """File names of the images read so far; empty for a video."""

    @property
    def unreadable(self) -> Sequence[str]:
        """Names of files or packets that could not be read."""
        ...

    @property
    def decoded(self) -> int:
        """Number of frames decoded so far, skipped ones included."""
        ...

    def open(self) -> None:
        """Open the footage. RemiError says what the user must fix."""
        ...

    def frames(self, skip: int) -> Iterator[Frame]:
        """Yield the selected frames, without the first `skip` of them."""
        ...

    def close(self) -> None:
        """Close the footage."""
        ...


class FrameSelection(NamedTuple):
    """Selection of a video's frames."""

    every: int = 1
    """Use every n-th frame."""
    start_s: float = 0.0
    """Inclusive, s from the first frame."""
    end_s: float | None = None
    """Exclusive, s from the first frame; None: to the end."""
    max_frames: int | None = None
    """Maximum number of frames."""
    fps: float | None = None
    """Frame rate to use instead of the file's times."""


def make_frame(name: str, frame_id: int, at: float, image: np.ndarray, focal_px: float | None) -> Frame:
    """Make the Frame of an image (H, W, 3) uint8 BGR at a time of the video, s."""
    height, width = image.shape[:2]
    return Frame(
        camera=name,
        epoch=0,
        frame_id=frame_id,
        captured_at=at,
        pts=at,
        image=image,
        size=(width, height),
        rectangle=(0.0, 0.0, float(width), float(height)),
        intrinsics=image_intrinsics(width, height, focal_px),
    )


def image_intrinsics(width: int, height: int, focal_px: float | None) -> Intrinsics:
    """fx, fy, cx, cy px of an image, from a known focal length or the default one."""
    fx, fy, cx, cy = default_intrinsics(width, height)
    return (focal_px, focal_px, cx, cy) if focal_px else (fx, fy, cx, cy)


class VideoFootage:
    """Selected frames of a video file. captured_at: pts from the first frame, s, so that a variable frame rate is kept."""

    def __init__(self, path: Path, name: str, selection: FrameSelection, focal_px: float | None) -> None:
        self.name, self.source = name, path
        self.is_independent, self.fps, self.expected_frames = False, 0.0, 0
        self.image_names: list[str] = []
        self.forced_fps = selection.fps
        self._selection, self._focal_px = selection, focal_px
        self._video = VideoReader(path, selection.fps)

    @property
    def unreadable(self) -> list[str]:
        """A name for each corrupt packet of the file."""
        return [f"broken data {number + 1}" for number in range(self._video.broken)]

    @property
    def decoded(self) -> int:
        """Number of frames decoded so far, skipped ones included."""
        return self._video.decoded

    def open(self) -> None:
        """Open the file. Raises UsageError if it does not exist, RemiError if it is not a video."""
        self._video.open()
        self.fps = self._video.fps / self._selection.every
        self.expected_frames = self._expected_count()

    def frames(self, skip: int) -> Iterator[Frame]:
        """Yield the selected frames; skipped ones are decoded too, so that a resumed run gets identical frames."""
        last, selected = None, 0
        for number, (last, decoded) in enumerate(self._video.frames()):
            if self._is_past_end(last, selected):
                break
            if last < self._selection.start_s or number % self._selection.every:
                continue
            image = self._video.image(decoded)
            if image is None:
                continue
            selected += 1
            if selected > skip:
                yield make_frame(self.name, number, last, image, self._focal_px)
        if last is None:
            raise self._video.no_frame_error()
        if not selected:
            shown = printable_path(self.source)
            raise UsageError(f"{shown} has no selected frame; its last one is at {last:.2f} s. Change --start and --end")

    def _is_past_end(self, at: float, selected: int) -> bool:
        """Whether the selection ends before a frame at this time, s, after `selected` frames."""
        end_s, max_frames = self._selection.end_s, self._selection.max_frames
        return (end_s is not None and at >= end_s) or (max_frames is not None and selected >= max_frames)

    def close(self) -> None:
        """Close the file."""
        self._video.close()

    def _expected_count(self) -> int:
        """Expected number of frames; 0 if unknown."""
        duration_s, selection = self._video.duration_s, self._selection
        end = min(duration_s, math.inf if selection.end_s is None else selection.end_s)
        frames = max(0, round((end - selection.start_s) * self.fps))
        return min(frames, selection.max_frames or frames)


class ImageFootage:
    """Independent images of a folder in natural sort order, rotated by their EXIF orientation."""

    def __init__(self, folder: Path, name: str, focal_px: float | None) -> None:
        self.name, self.source = name, folder
        # the images have no times: DEFAULT_FPS is that of a video made from them
        self.is_independent, self.fps, self.expected_frames = True, DEFAULT_FPS, 0
        self.forced_fps: float | None = None
        self.unreadable: list[str] = []
        self.image_names: list[str] = []
        self._focal_px = focal_px
        self._reader = ImageReader(folder)

    def open(self) -> None:
        """List the image files. Raises UsageError if there are none."""
        self._reader.open()
        self.expected_frames = len(self._reader.files)

    @property
    def decoded(self) -> int:
        """Number of images read so far, unreadable ones included."""
        return len(self.image_names) + len(self.unreadable)

    @property
    def files(self) -> list[str]:
        """Printable file names of all images, in order, once it is open."""
        return [printable_path(file.name) for file in self._reader.files]

    def frames(self, skip: int) -> Iterator[Frame]:
        """Yield the images that can be read."""
        for file, image in self._reader.images():
            if image is None:
                self.unreadable.append(printable_path(file.name))
                continue
            self.image_names.append(printable_path(file.name))
            number = len(self.image_names) - 1
            if number >= skip:
                yield make_frame(self.name, number, number / self.fps, image, self._focal_px)

    def close(self) -> None:
        """Nothing to close."""
