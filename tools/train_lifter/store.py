"""Stored sequences: the landmark network's raw outputs, and the truth, one npz for SEQUENCES_PER_FILE sequences."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from train_lifter.observation import Observation, Scene, pixels_of

Array = NDArray[Any]

SEQUENCES_PER_FILE = 40
PER_SEQUENCE = ("length", "fps", "intrinsics", "size", "betas", "up", "name", "framing")
"""Arrays with one row a sequence; all others have one row a frame, the sequences one after the other."""


def sequence_rows(scene: Scene, observations: list[Observation | None], fps: float, framing: str) -> dict[str, Array] | None:
    """Return the arrays of a sequence; None if the person is followed for less than half of it.

    Frames without an observation are left out; `frame` numbers the others, and `is_new` marks the starts of tracks.
    """
    seen = [(frame, found) for frame, found in enumerate(observations) if found]
    if len(seen) < len(observations) / 2:
        return None
    frames = np.array([frame for frame, _ in seen])
    landmarks = [found.landmarks for _, found in seen]
    performance, view = scene.performance, scene.view
    rotations = performance.rotations[frames].copy()
    rotations[:, 0] = view.camera_from_world[:3, :3] @ rotations[:, 0]
    joints = view.to_camera(performance.joints[frames])
    pixels = np.array([pixels_of(frame_joints, view) for frame_joints in joints])
    rows = {
        "frame": frames.astype(np.int16),
        "is_new": np.array([found.is_new for _, found in seen]),
        "roi": np.array([[*found.roi.center, found.roi.size, found.roi.angle] for _, found in seen], np.float32),
        **{
            name: np.array([getattr(found, name) for found in landmarks], np.float32)
            for name in ("world", "pixels", "visibility", "presence", "heatmap_peaks", "roi_points", "person_presence")
        },
        "rotvec": Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 24, 3).astype(np.float32),
        "joints": joints.astype(np.float32),
        "inside": ((pixels >= 0) & (pixels <= view.size)).all(2) & (joints[..., 2] > 0),
        "contact": performance.contact[frames],
    }
    sequence = {
        "length": np.array(len(frames), np.int32),
        "fps": np.array(fps, np.float32),
        "intrinsics": np.array(view.intrinsics, np.float32),
        "size": np.array(view.size, np.int32),
        "betas": scene.model.betas.astype(np.float32),
        "up": view.camera_from_world[:3, 1].astype(np.float32),
        "name": np.array(performance.name, "U64"),
        "framing": np.array(framing, "U8"),
    }
    return rows | sequence


def write_sequences(path: Path, sequences: list[dict[str, Array]]) -> None:
    """Write sequences to one file, at once: a reader never sees half of it."""
    arrays: dict[str, Any] = {
        name: (np.stack if name in PER_SEQUENCE else np.concatenate)([sequence[name] for sequence in sequences])
        for name in sequences[0]
    }
    part = path.with_suffix(".part.npz")
    np.savez(part, **arrays)
    os.replace(part, path)


def read_sequences(path: Path) -> list[dict[str, Array]]:
    """Read the sequences of a file."""
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    ends = np.cumsum(arrays["length"])
    return [
        {name: values[number] if name in PER_SEQUENCE else values[end - length : end] for name, values in arrays.items()}
        for number, (end, length) in enumerate(zip(ends, arrays["length"]))
    ]
