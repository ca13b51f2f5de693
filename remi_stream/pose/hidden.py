"""The people who are out of sight for a moment, and where they may be."""

from __future__ import annotations

import numpy as np

from remi_stream.pose.identity import Identity, Sight

HIDDEN_S = 2.0
BEHIND_S = 4.0
"""How long somebody is remembered who left, and who is behind somebody else and may stay overlooked beside them."""
EVERY = 3
"""Frames between two looks for somebody."""


class Hidden:
    """Remembers identities; of those who could be there, the most alike one is found."""

    def __init__(self) -> None:
        self._people: list[Identity] = []
        self._calls = 0

    def __len__(self) -> int:
        return len(self._people)

    def hide(self, identity: Identity, captured_at: float, rival: Identity | None) -> None:
        """Remember somebody from now on. rival: who may have been taken for them, or they for the rival."""
        identity.hidden_at, identity.rival, identity.contested = captured_at, rival, True
        if rival is not None:
            rival.contested = True
        self._people.append(identity)

    def reveal(self, identity: Identity) -> None:
        """Somebody is seen again, or forgotten."""
        self._people.remove(identity)
        rival, identity.rival, identity.hidden_at = identity.rival, None, None
        identity.contested = False
        if rival is not None:
            rival.contested = any(hidden.rival is rival for hidden in self._people)

    def find(self, sight: Sight) -> Identity | None:
        """Whom a sight fits best, of those who could be there or whose rival could."""
        fitting = [who for who in self._people if who.likely(sight) or (who.rival and who.rival.likely(sight))]
        return min(fitting, key=lambda who: who.unlike(sight)) if fitting else None

    def forget(self, captured_at: float) -> None:
        """Forget who has been away for too long."""
        for who in list(self._people):
            if captured_at - (who.hidden_at or 0.0) > (BEHIND_S if who.behind else HIDDEN_S):
                self.reveal(who)

    def sought(self, captured_at: float, size: tuple[int, int]) -> tuple[Identity, np.ndarray] | None:
        """Whom to look for in this frame, in turn, and in which box (4,) px: where they should be by now, or were seen.

        Nobody who left the picture of size (width, height) px.
        """
        self._calls += 1
        if not self._people or self._calls % EVERY:
            return None
        who = self._people[self._calls // EVERY % len(self._people)]
        moved_on = self._calls // EVERY // len(self._people) % 2
        box = who.box_at(captured_at if moved_on else who.seen_at)
        middle = (box[:2] + box[2:]) / 2
        return (who, box) if ((middle > 0) & (middle < size)).all() else None
