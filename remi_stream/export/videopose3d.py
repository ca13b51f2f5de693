"""VideoPose3D's files: its 2D input (`data_2d_custom_*.npz`), read and written, and its 3D output (`joints3d-*`), written."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.atomic_files import atomic_file
from remi_stream.body.ik.joints import h36m_from_smpl
from remi_stream.body.known_bodies import retargeter_to_known_body
from remi_stream.errors import RemiError, UsageError
from remi_stream.export.clip import COCO_JOINTS, KeypointClip, coco17_keypoints, interpolate_missing, make_clip
from remi_stream.export.pickle_writer import write_pickle
from remi_stream.messages import Bodies, Person
from remi_stream.models.array_files import read_npz
from remi_stream.models.safe_pickle import damage_errors
from remi_stream.recordings.results import DETECTED_SCORE_KEY
from remi_stream.recordings.take import Take, no_smpl_pose_error, numbered_frames
from remi_stream.skeletons import H36M_PARENTS, JOINT_NAMES, joint_indices, left_right_pairs

EXPECTED_CONTENT = (
    "data_2d_custom_*.npz with positions_2d and metadata, a detector's .npz with boxes, keypoints and metadata, "
    "or a recorded track with keypoints_px and skeleton"
)
"""Accepted content, as error messages name it."""
LIFTED_SKELETON = "h36m17"
ACTION = "custom"
"""Name of the only action, as in VideoPose3D's prepare_data_2d_custom.py."""
JointTrack = dict[int, tuple[np.ndarray, np.ndarray]]
"""By frame index in the take: joints (17, 3) m, key points (17, 2) px."""
UNKNOWN_JOINTS, UNKNOWN_KEYPOINTS = np.full((17, 3), np.nan), np.full((17, 2), np.nan)
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
"""Timestamp of the members of an archive, so that two runs give the same bytes."""


def read_videopose3d_clips(path: Path) -> list[KeypointClip]:
    """Read the clips of an `.npz` of VideoPose3D, of its detector, or of a recorded track. Raises UsageError."""
    with damage_errors(str(path), "an .npz archive", UsageError):
        arrays = read_npz(path, with_objects=True)
    try:
        if "positions_2d" in arrays:
            return custom_dataset_clips(arrays["positions_2d"], arrays["metadata"])
        if "boxes" in arrays:
            return [detector_clip(path.stem, arrays)]
        if "keypoints_px" in arrays:
            return recorded_clips(path.stem, arrays)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise UsageError(f"{path} cannot be used ({type(error).__name__}: {error}). It must be {EXPECTED_CONTENT}.") from None
    names = ", ".join(sorted(arrays)) or "nothing"
    raise UsageError(f"{path} holds {names}. It must be {EXPECTED_CONTENT}.")


def custom_dataset_clips(positions: Mapping[str, Mapping[str, Any]], metadata: Mapping[str, Any]) -> list[KeypointClip]:
    """Return the clips of a custom data set: by video, action and camera."""
    if metadata.get("layout_name", "coco") != "coco":
        raise ValueError(f"its joints are those of {metadata['layout_name']}, not of coco")
    clips = []
    for video, actions in positions.items():
        several = sum(len(cameras) for cameras in actions.values()) > 1
        size = video_size(metadata.get("video_metadata", {}).get(video))
        for action, cameras in actions.items():
            for number, points in enumerate(cameras):
                name = f"{video}-{action}-{number}" if several else str(video)
                clips.append(dense_clip(name, np.asarray(points)[..., :2], size))
    return clips


def dense_clip(name: str, points: np.ndarray, size: tuple[int, int] | None) -> KeypointClip:
    """Return the clip of points (F, 17, 2) px, one row per frame."""
    if points.ndim != 3 or points.shape[1:] != (len(COCO_JOINTS), 2):
        raise ValueError(f"{name} has key points of shape {points.shape}, expected (frames, {len(COCO_JOINTS)}, 2)")
    return make_clip(name, np.arange(len(points)), points.astype(float), size, len(points))


def detector_clip(name: str, arrays: Mapping[str, Any]) -> KeypointClip:
    """Return the clip of a detector's file: in each frame the person with the best box (the score is the last column)."""
    points = np.full((len(arrays["keypoints"]), len(COCO_JOINTS), 2), np.nan)
    for frame, (boxes, people) in enumerate(zip(arrays["boxes"], arrays["keypoints"], strict=True)):
        # Detectron writes one list per class; class 1 is the person.
        rows, keypoints = np.asarray(boxes[1], float), np.asarray(people[1], float)
        if len(rows) and len(keypoints):
            points[frame] = keypoints[rows[:, -1].argmax(), :2].T
    return dense_clip(name, points, video_size(arrays.get("metadata")))


def recorded_clips(name: str, arrays: Mapping[str, Any]) -> list[KeypointClip]:
    """Return the clips of a recorded track, one per epoch (start of the camera)."""
    skeleton = str(arrays["skeleton"])
    if not set(COCO_JOINTS) <= set(JOINT_NAMES.get(skeleton, ())):
        raise ValueError(f"its skeleton {skeleton} has not all joints of coco17")
    points = arrays["keypoints_px"][:, joint_indices(skeleton, COCO_JOINTS)]
    epochs = arrays.get("epochs", np.zeros(len(points)))
    frames = arrays.get("frame_ids", np.arange(len(points)))
    masks = [(epochs == epoch) for epoch in dict.fromkeys(epochs.tolist())]
    return [
        make_clip(name if len(masks) == 1 else f"{name}-{number}", frames[rows], points[rows])
        for number, rows in enumerate(masks, start=1)
    ]


def video_size(metadata: Any) -> tuple[int, int] | None:
    """Return width and height, px, if the metadata has them."""
    if not isinstance(metadata, Mapping) or not {"w", "h"} <= set(metadata):
        return None
    return int(metadata["w"]), int(metadata["h"])


def write_joints(joints: np.ndarray, clip: KeypointClip, stem: Path, network: str) -> list[Path]:
    """Write joints (F, 17, 3) m, as VideoPose3D's .npy and as .npz with metadata; return both paths. Raises RemiError."""
    arrays = {
        "joints_m": joints.astype(np.float32),
        "skeleton": np.array("h36m17"),
        "joint_names": np.array(JOINT_NAMES["h36m17"]),
        "parents": np.array(H36M_PARENTS),
        "axes": np.array("camera: x right, y down, z forward; metres, around the hip"),
        "frames": clip.frames,
        "keypoints_px": clip.keypoints_px,
        "size": np.array(clip.size),
        "source": np.array(clip.name),
        "network": np.array(network),
    }
    plain, named = joint_files(stem)
    try:
        with atomic_file(plain) as file:
            np.save(file, arrays["joints_m"])
        with atomic_file(named) as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
    except OSError as error:
        raise RemiError(f"{stem} cannot be written: {error.strerror or error}.") from None
    return [plain, named]


def joint_files(stem: Path) -> list[Path]:
    """Return the paths of a clip's .npy and .npz."""
    return [stem.with_name(f"{stem.name}{suffix}") for suffix in (".npy", ".npz")]


def write_videopose3d_2d(take: Take, folder: Path) -> list[Path]:
    """Write `data_2d_custom_NAME.npz`: the person with the best box in each frame, linearly interpolated over gaps."""
    points = np.full((len(take.frames), len(COCO_JOINTS), 2), np.nan)
    for row, bodies in enumerate(take.frames):
        if (best := best_keypoints(bodies)) is not None:
            points[row] = best
    video = take.source.name if take.source and not take.images else take.name
    has_person = np.isfinite(points).all((1, 2)).any()
    arrays = {
        "positions_2d": {video: {ACTION: [interpolate_missing(points).astype(np.float32)]}} if has_person else {},
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
            # written by hand: NumPy 2 would pickle names that older versions do not know (see pickle_writer)
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
    return write_joints(joints, clip, folder / f"joints3d-{track_id:06d}", take.frames[0].engine)


def hip_centred_joints(person: Person) -> np.ndarray | None:
    """Return Human3.6M's joints (17, 3) m, hip at the origin: lifted ones, or those of the SMPL pose; None without either."""
    # lifted joints first: those of a SMPL pose only approximate Human3.6M's
    if person.effective_joints_skeleton == LIFTED_SKELETON and len(person.joints_m):
        joints = person.joints_m.astype(np.float64)
    elif person.smpl:
        retarget = retargeter_to_known_body(person.smpl.body)
        joints = h36m_from_smpl(retarget.retarget(person.smpl), retarget.target)
    else:
        return None
    return joints - joints[0]
