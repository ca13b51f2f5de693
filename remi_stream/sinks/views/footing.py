"""How far a person is lifted to stand on the floor."""

from __future__ import annotations

SINK_S = 0.03
FLOAT_S = 0.12
"""A floor is solid, but who is above it may be jumping: feet come out of the floor soon, and down to it later."""


class Footing:
    """The lift of one person, metres: one camera cannot tell how far away somebody is, so feet would sink and float."""

    def __init__(self) -> None:
        self.lift_m = 0.0
        self._at = float("-inf")

    def stand(self, height_m: float, at: float) -> None:
        """Take the height of the lowest point over the floor, as published, at a time in seconds."""
        miss = -height_m - self.lift_m
        elapsed = max(0.0, at - self._at)
        share = elapsed / (elapsed + (SINK_S if miss > 0 else FLOAT_S)) if elapsed < float("inf") else 1.0
        self.lift_m, self._at = self.lift_m + share * miss, at
