"""What turns the key points of a 2D engine into joints in space, and perhaps a SMPL body."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from remi_stream.geometry import Intrinsics
from remi_stream.messages import Smpl


class Lifted(NamedTuple):
    """joints_m: (J, 3) float32 m, camera frame, absolute; J = 0 while too little was seen. state: for the next frame."""

    joints_m: np.ndarray
    smpl: Smpl | None
    state: object | None


class Lifter(Protocol):
    """Lifts one person after the other; what it remembers of a track travels in its state."""

    def lift(
        self,
        track_state: object | None,
        keypoints_px: np.ndarray,
        scores: np.ndarray,
        size: tuple[int, int],
        intrinsics: Intrinsics,
        captured_at: float,
    ) -> Lifted:
        """Lift key points (K, 2) float32 px of the full picture of (width, height) px, with scores (K,) float32 in [0, 1].

        track_state: as it was left for this track in its last frame (None for a new person). captured_at: s.
        """
        ...
