"""What turns crops of people into poses, and how one is found by name."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from remi_stream.messages import Person


class Crop(NamedTuple):
    """One person to look at.

    image: (H, W, 3) uint8 BGR, the full picture. box_xyxy: (4,) float32 px, around the whole body, tight, not squared.
    track_id: whose crop it is. captured_at: s. intrinsics: fx, fy, cx, cy px of the full picture. state: what this engine
    left in `Pose.state` for this track in its last frame (None for a new person).
    """

    image: np.ndarray
    box_xyxy: np.ndarray
    track_id: int
    captured_at: float
    intrinsics: tuple[float, float, float, float]
    state: object | None = None


class Pose(NamedTuple):
    """An engine's answer for one crop: the person, the box to look at in the next frame, and what it wants to remember.

    person is None when the engine finds nobody credible there (its gates failed); reason then says why in one word.
    next_box_xyxy: (4,) float32 px, tight, from the key points.
    """

    person: Person | None
    next_box_xyxy: np.ndarray
    state: object | None = None
    reason: str = ""


class Engine(Protocol):
    """A pose network with its pre- and post-processing."""

    name: str
    runtime_name: str

    def infer(self, crops: list[Crop]) -> list[Pose]:
        """Estimate a pose per crop, in order. State is never kept inside: it travels in Crop and Pose."""
        ...


def load_engine(name: str, threads: int | None = None) -> Engine:
    """Load an engine by name."""
    from remi_stream.models.store import model_file
    from remi_stream.pose.blazepose import BlazePose
    from remi_stream.runtimes.openvino import OpenVino

    network = OpenVino(
        model_file("pose_landmark_full"),
        outputs=("Identity", "Identity_1", "Identity_3", "Identity_4"),
        bytes_scale=1 / 255,
        threads=threads or 1,
    )
    return BlazePose(network)
