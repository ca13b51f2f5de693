"""The pictures of what is played again: of a recording those that were recorded, of a film all."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import av
import numpy as np

from remi_stream.capture.file import picture_of
from remi_stream.formats.take import Take
from remi_stream.messages import Bodies
from remi_stream.offline.recorded import Key, keys_of, read_arrays
from remi_stream.sinks.recording.video import VIDEO

CLOSE_S = 1e-3
"""Times that are so close are those of one picture."""


class Reel:
    """A video that is looked at going forward. shown_at: when a frame is shown, s in the video; None: when it was captured.

    begins_s: where it is looked at first. What cannot be decoded ends it.
    """

    def __init__(self, path: Path, shown_at: Mapping[Key, float] | None, begins_s: float) -> None:
        self._container = av.open(str(path))
        self._shown_at = shown_at
        self._frames = self._decode(begins_s)
        self._next = next(self._frames, None)

    def forward(self, bodies: Bodies, until: float) -> bool:
        """Go on to the picture of a frame, but no longer than until a moment, monotonic s; whether it was reached."""
        at_s = self._shown_s(bodies)
        while at_s is not None and self._next is not None and self._next[0] < at_s - CLOSE_S:
            if time.monotonic() > until:
                return False
            self._next = next(self._frames, None)
        return True

    def picture(self, bodies: Bodies) -> np.ndarray | None:
        """The picture (H, W, 3) uint8 BGR of a frame that was gone on to, if there is one."""
        at_s = self._shown_s(bodies)
        if at_s is None or self._next is None or abs(self._next[0] - at_s) > CLOSE_S:
            return None
        return picture_of(self._next[1])

    def close(self) -> None:
        """Close the video."""
        self._container.close()

    def _shown_s(self, bodies: Bodies) -> float | None:
        """When a frame is shown, s in the video; None if it is not."""
        return bodies.captured_at if self._shown_at is None else self._shown_at.get((bodies.epoch, bodies.frame_id))

    def _decode(self, begins_s: float) -> Iterator[tuple[float, av.VideoFrame]]:
        """The pictures, each with its time from the first one."""
        stream = self._container.streams.video[0]
        stream.codec_context.thread_count = 1
        try:
            first = float(next(self._container.decode(stream)).time or 0.0)
            self._container.seek(int((first + begins_s) * av.time_base))
            for frame in self._container.decode(stream):
                yield float(frame.time or 0.0) - first, frame
        except (StopIteration, av.FFmpegError):
            return


def reel_of(folder: Path, take: Take, first: int) -> Reel | None:
    """The pictures of a take in a folder, from a frame on; None if there are none."""
    path, shown_at, begins_s = take.source, None, take.frames[first].captured_at
    if (folder / VIDEO).exists():
        path, shown_at = folder / VIDEO, _shown_at(folder)
        begins_s = _shown_first(shown_at, take.frames, first)
    if path is None or not path.is_file():
        return None
    try:
        return Reel(path, shown_at, begins_s)
    except av.FFmpegError:
        return None


def _shown_at(folder: Path) -> dict[Key, float]:
    """When the frames of a recording are shown in its video, s."""
    pictures = read_arrays(folder / "preview.npz")
    return dict(zip(keys_of(pictures), pictures["shown_at"].tolist()))


def _shown_first(shown_at: Mapping[Key, float], frames: Sequence[Bodies], first: int) -> float:
    """When the first of the frames is shown that is shown at all, of those from a number on."""
    keys = ((frames[place].epoch, frames[place].frame_id) for place in range(first, len(frames)))
    return next((shown_at[key] for key in keys if key in shown_at), 0.0)
