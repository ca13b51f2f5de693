"""Export a take for VideoPose3D: its 2D input (data_2d_custom) and its 3D output (joints3d)."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.body.h36m_joints import h36m_joints
from remi_stream.body.retarget import onto_known_body
from remi_stream.formats import videopose3d
from remi_stream.formats.clip import Clip
from remi_stream.formats.coco_people import COCO, body_keypoints
from remi_stream.formats.frame_numbers import numbered
from remi_stream.formats.pickled import write_pickle
from remi_stream.formats.take import Take
from remi_stream.formats.tracks import no_pose
from remi_stream.messages import Bodies, Person
from remi_stream.offline.results import DETECTED_SCORE
from remi_stream.sinks.recording.files import written_whole
from remi_stream.skeletons import mirror_pairs

LIFTED = "h36m17"
ACTION = "custom"
Track = dict[int, tuple[np.ndarray, np.ndarray]]
"""By frame index in the take: joints (17, 3) m, key points (17, 2) px."""
NOWHERE, UNKNOWN = np.full((17, 3), np.nan), np.full((17, 2), np.nan)
FIXED_DATE = (1980, 1, 1, 0, 0, 0)
"""Timestamp of the members of an archive, so that two runs give the same bytes."""


def write_2d(take: Take, folder: Path) -> list[Path]:
    """Write `data_2d_custom_NAME.npz`: the person with the best box in each frame, linearly interpolated over gaps."""
    points = np.full((len(take.frames), len(COCO), 2), np.nan)
    for row, bodies in enumerate(take.frames):
        if (best := best_of(bodies)) is not None:
            points[row] = best
    video = take.source.name if take.source and not take.images else take.name
    seen = np.isfinite(points).all((1, 2)).any()
    arrays = {
        "positions_2d": {video: {ACTION: [filled(points).astype(np.float32)]}} if seen else {},
        "metadata": metadata(video, take.size),
    }
    path = folder / f"data_2d_custom_{take.name}.npz"
    _write_objects(path, arrays)
    return [path]


def best_of(bodies: Bodies) -> np.ndarray | None:
    """Return COCO's key points (17, 2) px of the person with the best box score, or None."""
    people = sorted(bodies.people, key=lambda person: -box_score(person))
    candidates = (body_keypoints(person, bodies.intrinsics) for person in people)
    return next((keypoints[0] for keypoints in candidates if keypoints is not None), None)


def box_score(person: Person) -> float:
    """Return the detector's score of a person's box, or else the engine's score."""
    return float(person.native.get(DETECTED_SCORE, np.array([person.score]))[0])


def filled(rows: np.ndarray) -> np.ndarray:
    """Interpolate NaN rows of (F, ...) linearly between their neighbours; at either end the nearest row is held."""
    flat = rows.reshape(len(rows), -1)
    seen = np.flatnonzero(np.isfinite(flat).all(1))
    columns = [np.interp(np.arange(len(rows)), seen, column) for column in flat[seen].T]
    return np.stack(columns, 1).reshape(rows.shape)


def metadata(video: str, size: tuple[int, int]) -> dict[str, Any]:
    """Return VideoPose3D's metadata of joints and images."""
    pairs = mirror_pairs(COCO)
    return {
        "layout_name": "coco",
        "num_joints": len(COCO),
        "keypoints_symmetry": [[left for left, _ in pairs], [right for _, right in pairs]],
        "video_metadata": {video: {"w": size[0], "h": size[1]}},
    }


def _write_objects(path: Path, members: dict[str, Any]) -> None:
    """Write an .npz of 0-dimensional object arrays, readable by any NumPy."""
    with written_whole(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in members.items():
            array, data = np.array(value, object), io.BytesIO()
            np.lib.format.write_array_header_1_0(data, np.lib.format.header_data_from_array_1_0(array))
            write_pickle(data, array)
            member = zipfile.ZipInfo(f"{name}.npy", FIXED_DATE)
            archive.writestr(member, data.getvalue(), zipfile.ZIP_DEFLATED)


def write_3d(take: Take, folder: Path) -> list[Path]:
    """Write `joints3d-ID.npy` and `.npz` per person, from the first frame to the last with interpolated gaps.

    Raises RemiError if no one has 3D joints.
    """
    tracks: dict[int, Track] = {}
    numbers, people = [], 0
    for row, (number, bodies) in enumerate(numbered(take)):
        numbers.append(number)
        people += len(bodies.people)
        for person in bodies.people:
            if (joints := joints_of(person)) is not None:
                keypoints = body_keypoints(person, bodies.intrinsics)
                tracks.setdefault(person.track_id, {})[row] = joints, keypoints[0] if keypoints else UNKNOWN
    if people and not tracks:
        raise no_pose(take, "videopose3d-3d")
    ids = sorted(tracks)
    return [path for track_id in ids for path in _write_track(take, folder, track_id, tracks[track_id], np.array(numbers))]


def _write_track(take: Take, folder: Path, track_id: int, track: Track, numbers: np.ndarray) -> list[Path]:
    """Write one person; numbers: (frames of the take,), their frame numbers."""
    first, last = min(track), max(track)
    rows = [track.get(row, (NOWHERE, UNKNOWN)) for row in range(first, last + 1)]
    joints, points = filled(np.array([row[0] for row in rows])), np.array([row[1] for row in rows], np.float32)
    clip = Clip(f"{take.name}, person {track_id}", points, numbers[first : last + 1], take.size)
    return videopose3d.write(joints, clip, folder / f"joints3d-{track_id:06d}", take.frames[0].engine)


def joints_of(person: Person) -> np.ndarray | None:
    """Return Human3.6M's joints (17, 3) m, hip at the origin: lifted ones, or those of the SMPL pose; None without either."""
    if person.skeleton_of_joints == LIFTED and len(person.joints_m):
        joints = person.joints_m.astype(np.float64)
    elif person.smpl:
        retarget = onto_known_body(person.smpl.body)
        joints = h36m_joints(retarget.smpl(person.smpl), retarget.target)
    else:
        return None
    return joints - joints[0]
