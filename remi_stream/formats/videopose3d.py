"""VideoPose3D's files: read 2D key points, write 3D joints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.errors import RemiError, UsageError
from remi_stream.formats.clip import Clip, clip_of
from remi_stream.formats.coco_people import COCO
from remi_stream.formats.npz import read_npz
from remi_stream.sinks.recording.files import written_whole
from remi_stream.skeletons import H36M_PARENTS, JOINTS, indices

WHAT = (
    "data_2d_custom_*.npz with positions_2d and metadata, a detector's .npz with boxes, keypoints and metadata, "
    "or a recorded track with keypoints_px and skeleton"
)
"""Accepted content, as error messages name it."""


def read(path: Path) -> list[Clip]:
    """Read the clips of an `.npz` of VideoPose3D, of its detector, or of a recorded track. Raises UsageError."""
    arrays = read_npz(path)
    try:
        if "positions_2d" in arrays:
            return custom(arrays["positions_2d"], arrays["metadata"])
        if "boxes" in arrays:
            return [detected(path.stem, arrays)]
        if "keypoints_px" in arrays:
            return recorded(path.stem, arrays)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise UsageError(f"{path} cannot be used ({type(error).__name__}: {error}). It must be {WHAT}.") from None
    names = ", ".join(sorted(arrays)) or "nothing"
    raise UsageError(f"{path} holds {names}. It must be {WHAT}.")


def custom(positions: Mapping[str, Mapping[str, Any]], metadata: Mapping[str, Any]) -> list[Clip]:
    """Return the clips of a custom data set: by video, action and camera."""
    if metadata.get("layout_name", "coco") != "coco":
        raise ValueError(f"its joints are those of {metadata['layout_name']}, not of coco")
    clips = []
    for video, actions in positions.items():
        several = sum(len(cameras) for cameras in actions.values()) > 1
        size = size_of(metadata.get("video_metadata", {}).get(video))
        for action, cameras in actions.items():
            for number, points in enumerate(cameras):
                name = f"{video}-{action}-{number}" if several else str(video)
                clips.append(whole(name, np.asarray(points)[..., :2], size))
    return clips


def whole(name: str, points: np.ndarray, size: tuple[int, int] | None) -> Clip:
    """Return the clip of points (F, 17, 2) px, one row per frame."""
    if points.ndim != 3 or points.shape[1:] != (len(COCO), 2):
        raise ValueError(f"{name} has key points of shape {points.shape}, expected (frames, {len(COCO)}, 2)")
    return clip_of(name, np.arange(len(points)), points.astype(float), size, len(points))


def detected(name: str, arrays: Mapping[str, Any]) -> Clip:
    """Return the clip of a detector's file: in each frame the person with the best box (the score is the last column)."""
    points = np.full((len(arrays["keypoints"]), len(COCO), 2), np.nan)
    for frame, (boxes, people) in enumerate(zip(arrays["boxes"], arrays["keypoints"], strict=True)):
        # Detectron writes one list per class; class 1 is the person.
        rows, keypoints = np.asarray(boxes[1], float), np.asarray(people[1], float)
        if len(rows) and len(keypoints):
            points[frame] = keypoints[rows[:, -1].argmax(), :2].T
    return whole(name, points, size_of(arrays.get("metadata")))


def recorded(name: str, arrays: Mapping[str, Any]) -> list[Clip]:
    """Return the clips of a recorded track, one per epoch (start of the camera)."""
    skeleton = str(arrays["skeleton"])
    if not set(COCO) <= set(JOINTS.get(skeleton, ())):
        raise ValueError(f"its skeleton {skeleton} has not all joints of coco17")
    points = arrays["keypoints_px"][:, indices(skeleton, COCO)]
    epochs = arrays.get("epochs", np.zeros(len(points)))
    frames = arrays.get("frame_ids", np.arange(len(points)))
    masks = [(epochs == epoch) for epoch in dict.fromkeys(epochs.tolist())]
    return [
        clip_of(name if len(masks) == 1 else f"{name}-{number}", frames[rows], points[rows])
        for number, rows in enumerate(masks, start=1)
    ]


def size_of(metadata: Any) -> tuple[int, int] | None:
    """Return width and height, px, if the metadata has them."""
    if not isinstance(metadata, Mapping) or not {"w", "h"} <= set(metadata):
        return None
    return int(metadata["w"]), int(metadata["h"])


def write(joints: np.ndarray, clip: Clip, stem: Path, network: str) -> list[Path]:
    """Write joints (F, 17, 3) m, as VideoPose3D's .npy and as .npz with metadata; return both paths. Raises RemiError."""
    arrays = {
        "joints_m": joints.astype(np.float32),
        "skeleton": np.array("h36m17"),
        "joint_names": np.array(JOINTS["h36m17"]),
        "parents": np.array(H36M_PARENTS),
        "axes": np.array("camera: x right, y down, z forward; metres, around the hip"),
        "frames": clip.frames,
        "keypoints_px": clip.keypoints_px,
        "size": np.array(clip.size),
        "source": np.array(clip.name),
        "network": np.array(network),
    }
    plain, named = paths(stem)
    try:
        with written_whole(plain) as file:
            np.save(file, arrays["joints_m"])
        with written_whole(named) as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
    except OSError as error:
        raise RemiError(f"{stem} cannot be written: {error.strerror or error}.") from None
    return [plain, named]


def paths(stem: Path) -> list[Path]:
    """Return the paths of a clip's .npy and .npz."""
    return [stem.with_name(f"{stem.name}{suffix}") for suffix in (".npy", ".npz")]
