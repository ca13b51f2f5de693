"""Vertical correction of a person so that the lowest point touches the floor."""

from __future__ import annotations

RAISE_TIME_S = 0.03
"""Time constant for a person below the floor, s: short, as floors are solid."""
LOWER_TIME_S = 0.12
"""Time constant for a person above the floor, s: longer, as they may be jumping."""


class FloorContact:
    """The vertical correction of one person: depth from one camera is ambiguous, so feet would sink and float.

    Exponential smoothing with different time constants upwards and downwards.
    """

    def __init__(self) -> None:
        self.lift_m = 0.0
        """Correction along the floor's normal, m."""
        self._at = float("-inf")

    def update(self, height_m: float, at: float) -> None:
        """Update with the uncorrected height of the lowest point above the floor. at: s."""
        error = -height_m - self.lift_m
        # The first update applies in full.
        elapsed = max(0.0, at - self._at)
        share = elapsed / (elapsed + (RAISE_TIME_S if error > 0 else LOWER_TIME_S)) if elapsed < float("inf") else 1.0
        self.lift_m, self._at = self.lift_m + share * error, at
