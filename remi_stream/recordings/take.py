"""A take: the bodies of a video, image folder or recording in frame order, the input of every export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np

from remi_stream.body.known_bodies import Retargeter, retargeter_to_known_body
from remi_stream.body.smpl import load_default_body
from remi_stream.errors import RemiError
from remi_stream.messages import Bodies, Smpl

TrackKey = tuple[int, str]
"""track_id, and the body model of the poses: after a change of engine a person has one track per body."""


class StoredFrames(Sequence[Bodies]):
    """Frames that are read from a file on access; a subclass reads one by its index."""

    def read_frame(self, index: int) -> Bodies:
        """Read the frame with an index from 0 to len - 1."""
        raise NotImplementedError

    @overload
    def __getitem__(self, index: int) -> Bodies: ...

    @overload
    def __getitem__(self, index: slice) -> list[Bodies]: ...

    def __getitem__(self, index: int | slice) -> Bodies | list[Bodies]:
        if isinstance(index, slice):
            return [self.read_frame(each) for each in range(*index.indices(len(self)))]
        # indexing a range resolves negative indices, and raises IndexError
        return self.read_frame(range(len(self))[index])


@dataclass(frozen=True)
class Take:
    """The bodies of a video, image folder or recording."""

    name: str
    """Name of the video without its suffix."""
    size: tuple[int, int]
    """Width and height, px."""
    fps: float
    """Frames per second of the video."""
    frames: Sequence[Bodies]
    """One Bodies per frame, also without people; captured_at is video time, s. It may be read lazily from disk, repeatedly."""
    images: Sequence[str] = ()
    """File names of an image folder, one per frame."""
    source: Path | None = None
    """The video or folder, if it still exists, to be drawn on."""
    source_fps: float | None = None
    """Frame rate that was used instead of the video's times."""


def numbered_frames(take: Take) -> Iterator[tuple[int, Bodies]]:
    """Yield each frame with its number in the video; for an image folder, its index in `images`.

    After a restart of the camera (a new epoch) numbering continues after the last frame.
    """
    if take.images:
        yield from enumerate(take.frames)
        return
    epoch, shift, number = None, 0, -1
    for bodies in take.frames:
        if epoch not in (None, bodies.epoch):
            shift = number + 1 - bodies.frame_id
        epoch, number = bodies.epoch, bodies.frame_id + shift
        yield number, bodies


class SmplTrack(NamedTuple):
    """SMPL poses of one person, as published."""

    name: str
    """Stem of exported files."""
    track_id: int
    body: str
    """The body model: "open" or "smpl"."""
    times_s: np.ndarray
    """(n,) float64, rising, s from the take's first frame."""
    poses: Sequence[Smpl]
    """One per time."""


def smpl_tracks(take: Take, format_name: str) -> list[SmplTrack]:
    """Tracks of all people with SMPL poses. format_name: of the export, for the error. Raises RemiError if there are none."""
    if take.images:
        raise RemiError(f"{take.name} is a folder of images, which has no motion: no {format_name}. Use obj, csv or npz")
    rows, people, start_s = dict[TrackKey, list[tuple[float, Smpl]]](), 0, 0.0
    for number, bodies in enumerate(take.frames):
        start_s = start_s if number else bodies.captured_at
        people += len(bodies.people)
        for person in bodies.people:
            if person.smpl is not None:
                _add(rows.setdefault((person.track_id, person.smpl.body), []), bodies.captured_at - start_s, person.smpl)
    if people and not rows:
        raise no_smpl_pose_error(take, format_name)
    bodies_of_track = Counter[int]()
    tracks = []
    for (track_id, body), track_rows in rows.items():
        bodies_of_track[track_id] += 1
        tracks.append(_track(track_id, body, bodies_of_track[track_id], track_rows))
    return tracks


def no_smpl_pose_error(take: Take, format_name: str) -> RemiError:
    """Build the error for a take with people but without SMPL poses."""
    engine = take.frames[0].engine
    return RemiError(f"No one in {take.name} has a SMPL pose (engine {engine}), which {format_name} needs. Use csv or npz")


def retarget_to_available_body(body: str) -> Retargeter:
    """Retargeter from a body to an available one: its own, or the open body if SMPL was not imported."""
    return Retargeter(load_default_body(), load_default_body()) if body == "open" else retargeter_to_known_body(body)


def _add(rows: list[tuple[float, Smpl]], time_s: float, smpl: Smpl) -> None:
    # only rising times can be interpolated
    if not rows or time_s > rows[-1][0]:
        rows.append((time_s, smpl))


def _track(track_id: int, body: str, number: int, rows: list[tuple[float, Smpl]]) -> SmplTrack:
    """number: from 1, of the bodies of this track."""
    name = f"track-{track_id:06d}" + (f"-{number}" if number > 1 else "")
    return SmplTrack(name, track_id, body, np.array([time_s for time_s, _ in rows]), [smpl for _, smpl in rows])
