"""VideoPose3D's files: read 2D key points, write 3D joints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.errors import RemiError, UsageError
from remi_stream.formats.clip import KeypointClip, make_clip
from remi_stream.formats.coco_people import COCO_JOINTS
from remi_stream.formats.npz import read_npz
from remi_stream.sinks.recording.files import atomic_file
from remi_stream.skeletons import H36M_PARENTS, JOINT_NAMES, joint_indices

EXPECTED_CONTENT = (
    "data_2d_custom_*.npz with positions_2d and metadata, a detector's .npz with boxes, keypoints and metadata, "
    "or a recorded track with keypoints_px and skeleton"
)
"""Accepted content, as error messages name it."""


def read_videopose3d_clips(path: Path) -> list[KeypointClip]:
    """Read the clips of an `.npz` of VideoPose3D, of its detector, or of a recorded track. Raises UsageError."""
    arrays = read_npz(path)
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
