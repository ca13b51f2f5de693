"""Offline tracker: Hungarian assignment of the detections of every frame to tracks.

Costs are motion and appearance, as live (`pose/identity.py`); a lost track can be re-identified for a while.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from remi_stream.detect.detector import Found
from remi_stream.offline.memory import Unkept, kept, plain, whole
from remi_stream.pose.identity import Identity, Sight, looks_of
from remi_stream.pose.matching import covered

REMEMBERED_S = 3.0
"""A track that was not seen for longer ends."""
LOST_S = 0.25
"""A track that was not seen for longer must match in appearance."""
DISGUISE_MOST = 0.7
"""Largest appearance distance for that match."""
AWAY_COST = 0.3
"""Cost of a second out of sight; 1 is an appearance without any overlap."""
CLEAR = 0.2
"""A person is not occluded if other boxes cover at most this share of the box."""
NEVER = 1e3
"""Cost of a forbidden pair."""


class Followed(Identity):
    """A track. track_id: 0 until its first accepted pose. memory: the engine's state for this person."""

    def __init__(self, sight: Sight) -> None:
        super().__init__(0, sight)
        self.memory: object | None = None

    def state(self) -> list[Any]:
        """Serialise to plain values."""
        memory = plain(kept(self.memory))
        positions = [[at, plain(position)] for at, position in self._positions]
        return [self.track_id, plain(self.looks), plain(self._sides), positions, memory]

    @classmethod
    def of(cls, state: list[Any]) -> Followed:
        """Restore a track from its state."""
        person = cls.__new__(cls)
        Identity.__init__(person, state[0], Sight(0.0, np.zeros(4, np.float32), whole(state[1]), float("nan")))
        person._sides = whole(state[2])
        person._positions.clear()
        person._positions.extend((at, whole(position)) for at, position in state[3])
        try:
            person.memory = whole(state[4])
        except Unkept:
            person.memory = None
        return person


class Following:
    """Assigns detections to tracks. max_people: per frame (None: no limit); known tracks first, then the largest boxes."""

    def __init__(self, max_people: int | None = None) -> None:
        self.max_people = max_people
        self._people: list[Followed] = []
        self._ids = itertools.count(1)

    def meet(self, image: np.ndarray, found: Found, at: float) -> list[tuple[Followed, int]]:
        """Assign the detections of an image (H, W, 3) BGR at a time, s: (track, index of its box), oldest first."""
        self._people = [person for person in self._people if at - person.seen_at <= REMEMBERED_S]
        sights = [Sight(at, box, looks_of(image, box), float("nan")) for box in found.boxes_xyxy]
        pairs = self._match(sights)
        for person, index in pairs:
            person.seen(sights[index], clear=_is_unoccluded(found.boxes_xyxy, index))
        new = sorted(set(range(len(sights))) - {index for _, index in pairs}, key=lambda index: -_area(sights[index]))
        pairs += [(Followed(sights[index]), index) for index in new][: self._room(len(pairs))]
        self._people += [person for person, _ in pairs if person not in self._people]
        return pairs

    def name(self, person: Followed) -> int:
        """Track id of a person with an accepted pose; assigned at the first call."""
        if not person.track_id:
            person.track_id = next(self._ids)
        return person.track_id

    def forget(self, person: Followed) -> None:
        """Drop a track: it duplicates another person whom the detector found twice."""
        self._people = [other for other in self._people if other is not person]

    def state(self) -> list[Any]:
        """Serialise to plain values: the next track id, and the tracks."""
        next_id = next(self._ids)
        self._ids = itertools.count(next_id)
        return [next_id, [person.state() for person in self._people]]

    def restore(self, state: list[Any]) -> None:
        """Restore the tracker from a state."""
        self._ids = itertools.count(state[0])
        self._people = [Followed.of(person) for person in state[1]]

    def _match(self, sights: list[Sight]) -> list[tuple[Followed, int]]:
        """Hungarian assignment of tracks to boxes, oldest track first."""
        if not sights or not self._people:
            return []
        costs = np.array([[_match_cost(person, sight) for sight in sights] for person in self._people])
        rows, columns = (each.tolist() for each in linear_sum_assignment(costs))
        pairs = [(self._people[row], column) for row, column in zip(rows, columns) if costs[row, column] < NEVER]
        return pairs[: self._room(0)]

    def _room(self, taken: int) -> int | None:
        return None if self.max_people is None else max(0, self.max_people - taken)


def _match_cost(person: Followed, sight: Sight) -> float:
    """Cost of assigning an observation to a track; NEVER if impossible."""
    lost_s = sight.captured_at - person.seen_at
    if not person.likely(sight) or (lost_s > LOST_S and person.disguise(sight) > DISGUISE_MOST):
        return NEVER
    return person.unlike(sight) + AWAY_COST * lost_s


def _is_unoccluded(boxes_xyxy: np.ndarray, index: int) -> bool:
    return not (covered(boxes_xyxy[index], np.delete(boxes_xyxy, index, 0)) > CLEAR).any()


def _area(sight: Sight) -> float:
    return float(np.prod(sight.box_xyxy[2:] - sight.box_xyxy[:2]))
