"""Who is followed when there are more people than may be followed.

Somebody else is looked at for a few frames, unpublished, and takes the weakest one's place only by a clear lead: so two people
of about the same rank do not alternate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from remi_stream.messages import Person
from remi_stream.pose.identity import depth_of, size_of
from remi_stream.pose.track import Track

TRIAL = 5
"""Poses until it is decided; failures after which somebody is no longer looked at."""
FAILURES = 2
PAUSE_S = 1.0
HOPEFUL, LEAD = 0.6, 1.25
"""Size of a detection beside the weakest one's that is worth a look, and rank beside theirs that wins."""


class Challenge:
    """subject: "largest" in the picture, or "nearest" to the camera. track: who is looked at."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.track: Track | None = None
        self._begun_at = float("-inf")

    def start(self, box_xyxy: np.ndarray, followed: Sequence[Track], captured_at: float) -> None:
        """Look at a detection for whom there is no room, now and then, if it may be worth it."""
        if self.track is not None or captured_at - self._begun_at < PAUSE_S:
            return
        if size_of(box_xyxy) > HOPEFUL * min(size_of(track.box_xyxy) for track in followed):
            self.track, self._begun_at = Track(box_xyxy), captured_at

    def decide(self, followed: Sequence[Track]) -> tuple[Track, Track] | None:
        """The winner and whose place they take, once that is known."""
        track = self.track
        if track is None or (track.poses < TRIAL and track.failures < FAILURES):
            return None
        self.track = None
        ranks = {other: self.rank(other.person) for other in followed if other.person is not None}
        if track.failures or track.person is None or len(ranks) < len(followed):
            return None
        weakest = min(ranks, key=lambda other: ranks[other])
        return (track, weakest) if self.rank(track.person) > LEAD * ranks[weakest] else None

    def rank(self, person: Person) -> float:
        """How much somebody is to be followed."""
        if self.subject == "nearest":
            depth_m = depth_of(person)
            return size_of(person.box_xyxy) if math.isnan(depth_m) else 1 / max(depth_m, 0.1)
        return float(np.prod(person.box_xyxy[2:] - person.box_xyxy[:2]))
