"""Lost tracks: identities out of sight, kept for re-identification, and where to search for them."""

from __future__ import annotations

import numpy as np

from remi_stream.pose.identity import Identity, Sight

HIDDEN_S = 2.0
"""How long a lost identity is kept."""
BEHIND_S = 4.0
"""How long an occluded identity is kept: the detector may miss it beside its occluder."""
EVERY = 3
"""Frames between two search crops, since each costs one engine run."""


class Hidden:
    """Keeps lost identities and re-identifies them by position, size and appearance."""

    def __init__(self) -> None:
        self._identities: list[Identity] = []
        self._calls = 0

    def __len__(self) -> int:
        return len(self._identities)

    def hide(self, identity: Identity, captured_at: float, rival: Identity | None) -> None:
        """Add a lost identity. rival: the identity that it may be confused with."""
        identity.hidden_at, identity.rival, identity.contested = captured_at, rival, True
        if rival is not None:
            rival.contested = True
        self._identities.append(identity)

    def reveal(self, identity: Identity) -> None:
        """Remove an identity that was found again, or expired."""
        self._identities.remove(identity)
        rival, identity.rival, identity.hidden_at = identity.rival, None, None
        identity.contested = False
        if rival is not None:
            rival.contested = any(hidden.rival is rival for hidden in self._identities)

    def find(self, sight: Sight) -> Identity | None:
        """Return the identity with the least match cost, of those that are plausible there or whose rival is."""
        plausible = [lost for lost in self._identities if lost.likely(sight) or (lost.rival and lost.rival.likely(sight))]
        return min(plausible, key=lambda lost: lost.unlike(sight)) if plausible else None

    def forget(self, captured_at: float) -> None:
        """Remove identities that have been lost for too long."""
        for lost in list(self._identities):
            if captured_at - (lost.hidden_at or 0.0) > (BEHIND_S if lost.behind else HIDDEN_S):
                self.reveal(lost)

    def sought(self, captured_at: float, size: tuple[int, int]) -> tuple[Identity, np.ndarray] | None:
        """Return the next identity to search for, round robin, and its box (4,) px: alternately the predicted and the last one.

        None between searches, and for a box outside the image of size (width, height) px.
        """
        self._calls += 1
        if not self._identities or self._calls % EVERY:
            return None
        lost = self._identities[self._calls // EVERY % len(self._identities)]
        moved_on = self._calls // EVERY // len(self._identities) % 2
        box = lost.box_at(captured_at if moved_on else lost.seen_at)
        middle = (box[:2] + box[2:]) / 2
        return (lost, box) if ((middle > 0) & (middle < size)).all() else None
