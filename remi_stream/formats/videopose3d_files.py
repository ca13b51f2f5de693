"""Export a take for VideoPose3D: its 2D input (data_2d_custom) and its 3D output (joints3d)."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.body.h36m_joints import h36m_from_smpl
from remi_stream.body.retarget import retargeter_to_known_body
from remi_stream.formats import videopose3d
from remi_stream.formats.clip import KeypointClip
from remi_stream.formats.coco_people import COCO_JOINTS, coco17_keypoints
from remi_stream.formats.frame_numbers import numbered_frames
from remi_stream.formats.pickled import write_pickle
from remi_stream.formats.take import Take
from remi_stream.formats.tracks import no_smpl_pose_error
from remi_stream.messages import Bodies, Person
from remi_stream.offline.results import DETECTED_SCORE_KEY
from remi_stream.sinks.recording.files import atomic_file
from remi_stream.skeletons import left_right_pairs

LIFTED_SKELETON = "h36m17"
ACTION = "custom"
JointTrack = dict[int, tuple[np.ndarray, np.ndarray]]
"""By frame index in the take: joints (17, 3) m, key points (17, 2) px."""
UNKNOWN_JOINTS, UNKNOWN_KEYPOINTS = np.full((17, 3), np.nan), np.full((17, 2), np.nan)
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
"""Timestamp of the members of an archive, so that two runs give the same bytes."""


def write_videopose3d_2d(take: Take, folder: Path) -> list[Path]:
    """Write `data_2d_custom_NAME.npz`: the person with the best box in each frame, linearly interpolated over gaps."""
    points = np.full((len(take.frames), len(COCO_JOINTS), 2), np.nan)
    for row, bodies in enumerate(take.frames):
        if (best := best_keypoints(bodies)) is not None:
            points[row] = best
    video = take.source.name if take.source and not take.images else take.name
    seen = np.isfinite(points).all((1, 2)).any()
    arrays = {
        "positions_2d": {video: {ACTION: [interpolate_missing(points).astype(np.float32)]}} if seen else {},
        "metadata": videopose3d_metadata(video, take.size),
    }
    path = folder / f"data_2d_custom_{take.name}.npz"
    _write_objects(path, arrays)
    return [path]


def best_keypoints(bodies: Bodies) -> np.ndarray | None:
    """Return COCO's key points (17, 2) px of the person with the best box score, or None."""
    people = sorted(bodies.people, key=lambda person: -box_score(person))
    candidates = (coco17_keypoints(person, bodies.intrinsics) for person in people)
    return next((keypoints[0] for keypoints in candidates if keypoints is not None), None)


def box_score(person: Person) -> float:
    """Return the detector's score of a person's box, or else the engine's score."""
    return float(person.native.get(DETECTED_SCORE_KEY, np.array([person.score]))[0])


def interpolate_missing(rows: np.ndarray) -> np.ndarray:
    """Interpolate NaN rows of (F, ...) linearly between their neighbours; at either end the nearest row is held."""
    flat = rows.reshape(len(rows), -1)
    seen = np.flatnonzero(np.isfinite(flat).all(1))
    columns = [np.interp(np.arange(len(rows)), seen, column) for column in flat[seen].T]
    return np.stack(columns, 1).reshape(rows.shape)


def videopose3d_metadata(video: str, size: tuple[int, int]) -> dict[str, Any]:
    """Return VideoPose3D's metadata of joints and images."""
    pairs = left_right_pairs(COCO_JOINTS)
    return {
        "layout_name": "coco",
        "num_joints": len(COCO_JOINTS),
        "keypoints_symmetry": [[left for left, _ in pairs], [right for _, right in pairs]],
        "video_metadata": {video: {"w": size[0], "h": size[1]}},
    }


def _write_objects(path: Path, members: dict[str, Any]) -> None:
    """Write an .npz of 0-dimensional object arrays, readable by any NumPy."""
    with atomic_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in members.items():
            array, data = np.array(value, object), io.BytesIO()
            np.lib.format.write_array_header_1_0(data, np.lib.format.header_data_from_array_1_0(array))
            write_pickle(data, array)
            member = zipfile.ZipInfo(f"{name}.npy", ZIP_DATE)
            archive.writestr(member, data.getvalue(), zipfile.ZIP_DEFLATED)


def write_videopose3d_3d(take: Take, folder: Path) -> list[Path]:
    """Write `joints3d-ID.npy` and `.npz` per person, from the first frame to the last with interpolated gaps.

    Raises RemiError if no one has 3D joints.
    """
    tracks: dict[int, JointTrack] = {}
    numbers, people = [], 0
    for row, (number, bodies) in enumerate(numbered_frames(take)):
        numbers.append(number)
        people += len(bodies.people)
        for person in bodies.people:
            if (joints := hip_centred_joints(person)) is not None:
                keypoints = coco17_keypoints(person, bodies.intrinsics)
                tracks.setdefault(person.track_id, {})[row] = joints, keypoints[0] if keypoints else UNKNOWN_KEYPOINTS
    if people and not tracks:
        raise no_smpl_pose_error(take, "videopose3d-3d")
    ids = sorted(tracks)
    return [path for track_id in ids for path in _write_track(take, folder, track_id, tracks[track_id], np.array(numbers))]


def _write_track(take: Take, folder: Path, track_id: int, track: JointTrack, numbers: np.ndarray) -> list[Path]:
    """Write one person; numbers: (frames of the take,), their frame numbers."""
    first, last = min(track), max(track)
    rows = [track.get(row, (UNKNOWN_JOINTS, UNKNOWN_KEYPOINTS)) for row in range(first, last + 1)]
    joints, points = interpolate_missing(np.array([row[0] for row in rows])), np.array([row[1] for row in rows], np.float32)
    clip = KeypointClip(f"{take.name}, person {track_id}", points, numbers[first : last + 1], take.size)
    return videopose3d.write_joints(joints, clip, folder / f"joints3d-{track_id:06d}", take.frames[0].engine)


def hip_centred_joints(person: Person) -> np.ndarray | None:
    """Return Human3.6M's joints (17, 3) m, hip at the origin: lifted ones, or those of the SMPL pose; None without either."""
    if person.effective_joints_skeleton == LIFTED_SKELETON and len(person.joints_m):
        joints = person.joints_m.astype(np.float64)
    elif person.smpl:
        retarget = retargeter_to_known_body(person.smpl.body)
        joints = h36m_from_smpl(retarget.retarget(person.smpl), retarget.target)
    else:
        return None
    return joints - joints[0]
