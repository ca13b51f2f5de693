"""Open a finished recording, or the results of an offline run, as a take.

Frames that a recording misses are left out; times, epochs and frame ids are those of the camera.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.errors import RemiError, UsageError
from remi_stream.messages import Bodies, Person, Smpl
from remi_stream.models import array_files
from remi_stream.models.safe_pickle import DAMAGE_ERRORS, one_line_reason
from remi_stream.permission_hints import empty_mount_hint
from remi_stream.recordings import results
from remi_stream.recordings.finish import is_unfinished
from remi_stream.recordings.index import INDEX_FILE, EpochEntry, RecordingIndex, read_recording_index
from remi_stream.recordings.take import StoredFrames, Take

HOW_TO_MAKE_A_TAKE = "Make one: remi-stream demo --record DIR, or remi-stream video FILE --out DIR"

Arrays = dict[str, np.ndarray]
"""Arrays of an .npz file, by name."""
FrameKey = tuple[int, int]
"""Epoch and frame_id."""


def open_take(folder: Path) -> Take:
    """Open a recording, or the results of `video` and `images`. Raises RemiError if it is neither, or unfinished."""
    if folder.is_file():
        live, offline = f"remi-stream video {shlex.quote(str(folder))} --realtime", "--out DIR instead of --realtime"
        raise UsageError(
            f"{folder} is a file, and a recording is a folder. To play a video live: {live}; to process it: {offline}"
        )
    if not folder.is_dir():
        raise UsageError(f"No such recording: {folder}. {HOW_TO_MAKE_A_TAKE}{empty_mount_hint(folder)}")
    if is_unfinished(folder):
        raise UsageError(f"{folder} is not finished. If its recorder is gone: remi-stream recordings {folder.parent} --recover")
    if _has_results(folder):
        return results.open_results(folder)
    if not (folder / INDEX_FILE).exists():
        raise UsageError(_not_a_take(folder))
    return open_recording(folder)


def _not_a_take(folder: Path) -> str:
    """Error message for a folder that cannot be opened; suggests a recording inside it."""
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    for path in subfolders:
        if _has_results(path) or is_unfinished(path) or (path / INDEX_FILE).exists():
            return f"{folder} is a folder of recordings. Give one of them, e.g. {path}"
    return f"{folder} is not a recording, and has no results of a video. {HOW_TO_MAKE_A_TAKE}"


def _has_results(folder: Path) -> bool:
    return (folder / results.TAKE_FOLDER / results.RESULTS_INDEX_FILE).exists()


def open_recording(folder: Path) -> Take:
    """Open a finished recording. Raises RemiError if it cannot be read."""
    index = read_recording_index(folder)
    tracks = [read_npz(folder / track.file) for track in index.tracks]
    frames = RecordedFrames(index, read_npz(folder / "frames.npz"), tracks)
    if not frames:
        raise RemiError(f"{folder} has no frames. Record again: remi-stream demo --record {folder.parent}")
    return Take(folder.resolve().name, index.epochs[0].size, index.fps or frames.mean_fps, frames)


class RecordedFrames(StoredFrames):
    """A recording's frames, each built from the arrays."""

    def __init__(self, index: RecordingIndex, frames: Arrays, tracks: Sequence[Arrays]) -> None:
        self._camera, self._tracks = index.camera, tracks
        self._epochs = {epoch.epoch: epoch for epoch in index.epochs}
        self._keys = frame_keys(frames)
        # video time, as a take has it: from the first frame; [:1] also works without frames
        self._times = frames["captured_at"] - frames["captured_at"][:1]
        self._rows: dict[FrameKey, list[tuple[int, int]]] = {}
        for number, track in enumerate(tracks):
            for row, key in enumerate(frame_keys(track)):
                self._rows.setdefault(key, []).append((number, row))

    @property
    def mean_fps(self) -> float:
        """Mean frames per second of the recording."""
        duration_s = float(self._times[-1])
        # a single frame has no rate; any will do
        return (len(self) - 1) / duration_s if duration_s > 0 else 30.0

    def __len__(self) -> int:
        return len(self._keys)

    def read_frame(self, index: int) -> Bodies:
        """Build a frame from its rows."""
        key = self._keys[index]
        return self._bodies(key, self._epochs[key[0]], float(self._times[index]))

    def _bodies(self, key: FrameKey, epoch: EpochEntry, at: float) -> Bodies:
        return Bodies(
            camera=self._camera,
            epoch=epoch.epoch,
            frame_id=key[1],
            captured_at=at,
            engine=epoch.engine,
            size=epoch.size,
            intrinsics=epoch.intrinsics,
            people=[_person(self._tracks[track], row) for track, row in self._rows.get(key, [])],
        )


def frame_keys(arrays: Arrays) -> list[FrameKey]:
    """Frame of each row of a file."""
    return list(zip(arrays["epochs"].tolist(), arrays["frame_ids"].tolist()))


def _person(track: Arrays, row: int) -> Person:
    values: dict[str, Any] = {name: track[name][row] for name in ("keypoints_px", "keypoint_scores", "joints_m")}
    skeleton, joints_skeleton = str(track["skeleton"]), str(track["joints_skeleton"])
    return Person(
        track_id=int(track["track_id"]),
        score=float(track["scores"][row]),
        box_xyxy=track["boxes_xyxy"][row],
        skeleton=skeleton,
        joints_skeleton="" if joints_skeleton == skeleton else joints_skeleton,
        smpl=_smpl(track, row),
        **values,
    )


def _smpl(track: Arrays, row: int) -> Smpl | None:
    # NaN: a frame without a SMPL pose, see encode_person_row
    if "poses" not in track or np.isnan(track["global_orient"][row]).any():
        return None
    return Smpl(
        body="smpl" if str(track["body"]) == "smpl" else "open",
        global_orient=track["global_orient"][row],
        body_pose=track["poses"][row, 3:],
        betas=track["frame_betas"][row],
        transl=track["transl"][row],
        joint_confidence=track["joint_confidence"][row],
    )


def read_npz(path: Path) -> Arrays:
    """Read all arrays of an .npz file. Raises RemiError."""
    try:
        return array_files.read_npz(path)
    except (OSError, *DAMAGE_ERRORS) as error:
        why = getattr(error, "strerror", None) or one_line_reason(error)
        raise RemiError(f"{path} cannot be read ({why}). The recording is damaged; take another copy of it") from None
