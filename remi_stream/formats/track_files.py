"""Export a take as the files of a recording: `frames.npz`, and one `track-*.npz` per person."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from remi_stream.formats.take import Take
from remi_stream.messages import Person
from remi_stream.sinks.recording.files import write_npz
from remi_stream.sinks.recording.rows import FRAME_DTYPE, encode_frame_row, encode_person_row, person_dtype
from remi_stream.sinks.recording.track import track_arrays

TrackFileKey = tuple[int, str, str, int, int]
"""track_id, skeleton, joints_skeleton, number of joints, number of key points: constant within one file."""


def write_track_files(take: Take, folder: Path) -> list[Path]:
    """Write the files, one per person and skeleton; return their paths. Raises OSError."""
    frames, rows = bytearray(), dict[TrackFileKey, bytearray]()
    for bodies in take.frames:
        frames += encode_frame_row(bodies)
        for person in bodies.people:
            kind = track_file_key(person)
            rows.setdefault(kind, bytearray()).extend(encode_person_row(bodies, person, person_dtype(*kind[3:])))
    paths = [_write_frames(folder / "frames.npz", np.frombuffer(bytes(frames), FRAME_DTYPE))]
    for (kind, data), name in zip(rows.items(), _names(list(rows))):
        path = folder / f"{name}.npz"
        track = np.frombuffer(bytes(data), person_dtype(*kind[3:]))
        write_npz(path, track_arrays(track, kind[0], kind[1], kind[2]))
        paths.append(path)
    return paths


def track_file_key(person: Person) -> TrackFileKey:
    """Return the key of the file that a person is written to."""
    return person.track_id, person.skeleton, person.joints_skeleton, len(person.joints_m), len(person.keypoints_px)


def _write_frames(path: Path, frames: np.ndarray) -> Path:
    fields = {"epochs": "epoch", "frame_ids": "frame_id", "captured_at": "captured_at", "people": "people"}
    write_npz(path, {name: frames[field] for name, field in fields.items()})
    return path


def _names(kinds: list[TrackFileKey]) -> list[str]:
    earlier = [sum(other[0] == kind[0] for other in kinds[:index]) for index, kind in enumerate(kinds)]
    return [f"track-{kind[0]:06d}" + (f"-{count + 1}" if count else "") for kind, count in zip(kinds, earlier)]
