"""Subject selection: which people are tracked when there are more than `--max-people`.

A candidate gets poses for a few frames, unpublished, and replaces the lowest ranked track only with a clear lead (hysteresis),
so that two people of similar rank do not alternate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from remi_stream.messages import Person
from remi_stream.pose.identity import longest_side_px, person_depth_m
from remi_stream.pose.track import Track

TRIAL_POSES = 5
"""Poses of a candidate before the decision."""
TRIAL_FAILURES = 2
"""Failed poses after which a candidate is given up."""
TRIAL_INTERVAL_S = 1.0
"""Shortest time between the starts of two trials."""
MIN_SIZE_RATIO, MIN_RANK_RATIO = 0.6, 1.25
"""Least size of a candidate's detection relative to the smallest track, and least winning rank relative to the lowest one."""


class SubjectSelector:
    """Compares one candidate at a time with the tracks that are followed."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        """Criterion: "largest" in the image, or "nearest" to the camera."""
        self.candidate: Track | None = None
        """The candidate, if there is one."""
        self._trial_started_at = float("-inf")

    def propose(self, box_xyxy: np.ndarray, tracks: Sequence[Track], captured_at: float) -> None:
        """Make a detection the candidate, if it is large enough and the last trial began long enough ago."""
        if self.candidate is not None or captured_at - self._trial_started_at < TRIAL_INTERVAL_S:
            return
        if longest_side_px(box_xyxy) > MIN_SIZE_RATIO * min(longest_side_px(track.box_xyxy) for track in tracks):
            self.candidate, self._trial_started_at = Track(box_xyxy), captured_at

    def replacement(self, tracks: Sequence[Track]) -> tuple[Track, Track] | None:
        """Return the winning candidate and the track that it replaces, once the trial is decided."""
        track = self.candidate
        if track is None or (track.poses < TRIAL_POSES and track.failures < TRIAL_FAILURES):
            return None
        self.candidate = None
        ranks = {other: self.rank(other.person) for other in tracks if other.person is not None}
        if track.failures or track.person is None or len(ranks) < len(tracks):
            return None
        weakest = min(ranks, key=lambda other: ranks[other])
        return (track, weakest) if self.rank(track.person) > MIN_RANK_RATIO * ranks[weakest] else None

    def rank(self, person: Person) -> float:
        """Return the priority of a person, larger first: inverse depth (size if unknown), or the box's area."""
        if self.subject == "nearest":
            depth_m = person_depth_m(person)
            return longest_side_px(person.box_xyxy) if math.isnan(depth_m) else 1 / max(depth_m, 0.1)
        return float(np.prod(person.box_xyxy[2:] - person.box_xyxy[:2]))
