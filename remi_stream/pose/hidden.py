"""Lost tracks: identities out of sight, kept for re-identification, and where to search for them."""

from __future__ import annotations

import numpy as np

from remi_stream.pose.identity import Identity, Observation

MAX_LOST_S = 2.0
"""How long a lost identity is kept."""
MAX_OCCLUDED_S = 4.0
"""How long an occluded identity is kept: the detector may miss it beside its occluder."""
QUERY_INTERVAL_FRAMES = 3
"""Frames between two search crops, since each costs one engine run."""


class LostTracks:
    """Keeps lost identities and re-identifies them by position, size and appearance."""

    def __init__(self) -> None:
        self._identities: list[Identity] = []
        self._calls = 0

    def __len__(self) -> int:
        return len(self._identities)

    def add(self, identity: Identity, captured_at: float, rival: Identity | None) -> None:
        """Add a lost identity. rival: the identity that it may be confused with."""
        identity.lost_at, identity.rival, identity.is_ambiguous = captured_at, rival, True
        if rival is not None:
            rival.is_ambiguous = True
        self._identities.append(identity)

    def remove(self, identity: Identity) -> None:
        """Remove an identity that was found again, or expired."""
        self._identities.remove(identity)
        rival, identity.rival, identity.lost_at = identity.rival, None, None
        identity.is_ambiguous = False
        if rival is not None:
            rival.is_ambiguous = any(hidden.rival is rival for hidden in self._identities)

    def best_match(self, observation: Observation) -> Identity | None:
        """Return the identity with the least match cost, of those that are plausible there or whose rival is."""
        plausible = [
            lost
            for lost in self._identities
            if lost.is_plausible(observation) or (lost.rival and lost.rival.is_plausible(observation))
        ]
        return min(plausible, key=lambda lost: lost.match_cost(observation)) if plausible else None

    def remove_expired(self, captured_at: float) -> None:
        """Remove identities that have been lost for too long."""
        for lost in list(self._identities):
            if captured_at - (lost.lost_at or 0.0) > (MAX_OCCLUDED_S if lost.is_occluded else MAX_LOST_S):
                self.remove(lost)

    def next_query(self, captured_at: float, image_size: tuple[int, int]) -> tuple[Identity, np.ndarray] | None:
        """Return the next identity to search for, round robin, and its box (4,) px: alternately the predicted and the last one.

        None between searches, and for a box outside the image of image_size (width, height) px.
        """
        self._calls += 1
        if not self._identities or self._calls % QUERY_INTERVAL_FRAMES:
            return None
        lost = self._identities[self._calls // QUERY_INTERVAL_FRAMES % len(self._identities)]
        moved_on = self._calls // QUERY_INTERVAL_FRAMES // len(self._identities) % 2
        box = lost.predict_box(captured_at if moved_on else lost.seen_at)
        middle = (box[:2] + box[2:]) / 2
        return (lost, box) if ((middle > 0) & (middle < image_size)).all() else None
