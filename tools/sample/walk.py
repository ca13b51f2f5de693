"""Walking along a path with a constant cadence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from remi_stream.body.smpl import Body
from sample.choreography import perform
from sample.motion import Motion
from sample.timeline import FRAMES, SECONDS

Array = NDArray[Any]

STRIDE_S = 1.0
SWING_S = 0.44


def walk(body: Body, betas: Array, level: Array, yaw: Array, beat: float) -> Motion:
    """Make a walk along level (FRAMES, 2), x, z m, facing yaw (FRAMES,) degrees; beat: delay of the steps, s.

    If the path does not end where it begins, the first and last second are not usable.
    """
    strides = np.arange(0, SECONDS[-1], STRIDE_S) + beat
    moments = {"left": [(lift, lift + SWING_S) for lift in strides], "right": []}
    moments["right"] = [(lift + STRIDE_S / 2, land + STRIDE_S / 2) for lift, land in moments["left"]]
    still = {"wave": np.zeros(FRAMES), "squat": np.zeros(FRAMES), "walk": np.ones(FRAMES)}
    return perform(body, betas, {**still, "yaw": yaw}, level, moments)
