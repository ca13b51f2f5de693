"""Lifter interface: from a 2D engine's key points over time to 3D joints and a SMPL body."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from remi_stream.geometry import Intrinsics
from remi_stream.messages import Smpl


class LiftedPose(NamedTuple):
    """A lifter's output for one person."""

    joints_m: np.ndarray
    """(J, 3) float32 m, camera frame, absolute; J = 0 while too few key points are confident."""
    smpl: Smpl | None
    """The fitted body, if there are joints."""
    state: object | None
    """What the lifter keeps of the track for the next frame."""


class Lifter(Protocol):
    """Lifts one person at a time; the state of a track is passed in and out."""

    def lift(
        self,
        track_state: object | None,
        keypoints_px: np.ndarray,
        scores: np.ndarray,
        size: tuple[int, int],
        intrinsics: Intrinsics,
        captured_at: float,
    ) -> LiftedPose:
        """Lift key points (K, 2) float32 px of the full image of (width, height) px, with scores (K,) float32 in [0, 1].

        track_state: `Lifted.state` of this track's last frame (None for a new person). captured_at: s.
        """
        ...
