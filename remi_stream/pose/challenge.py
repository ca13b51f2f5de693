"""Subject selection: which people are tracked when there are more than `--max-people`.

A candidate gets poses for a few frames, unpublished, and replaces the lowest ranked track only with a clear lead (hysteresis),
so that two people of similar rank do not alternate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from remi_stream.messages import Person
from remi_stream.pose.identity import depth_of, size_of
from remi_stream.pose.track import Track

TRIAL = 5
"""Poses of a candidate before the decision."""
FAILURES = 2
"""Failed poses after which a candidate is given up."""
PAUSE_S = 1.0
"""Shortest time between the starts of two trials."""
HOPEFUL, LEAD = 0.6, 1.25
"""Least size of a candidate's detection relative to the smallest track, and least winning rank relative to the lowest one."""


class Challenge:
    """Compares one candidate at a time with the tracks that are followed."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        """Criterion: "largest" in the image, or "nearest" to the camera."""
        self.track: Track | None = None
        """The candidate, if there is one."""
        self._trial_started_at = float("-inf")

    def start(self, box_xyxy: np.ndarray, followed: Sequence[Track], captured_at: float) -> None:
        """Make a detection the candidate, if it is large enough and the last trial began long enough ago."""
        if self.track is not None or captured_at - self._trial_started_at < PAUSE_S:
            return
        if size_of(box_xyxy) > HOPEFUL * min(size_of(track.box_xyxy) for track in followed):
            self.track, self._trial_started_at = Track(box_xyxy), captured_at

    def decide(self, followed: Sequence[Track]) -> tuple[Track, Track] | None:
        """Return the winning candidate and the track that it replaces, once the trial is decided."""
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
        """Return the priority of a person, larger first: inverse depth (size if unknown), or the box's area."""
        if self.subject == "nearest":
            depth_m = depth_of(person)
            return size_of(person.box_xyxy) if math.isnan(depth_m) else 1 / max(depth_m, 0.1)
        return float(np.prod(person.box_xyxy[2:] - person.box_xyxy[:2]))
