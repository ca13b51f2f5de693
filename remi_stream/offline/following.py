"""Who is who from frame to frame, when the detector looks at every frame: each box is given to the person it fits best.

Where somebody moved and how they look decide, as live (`pose/identity.py`); who is out of sight is remembered for a while.
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
LOST_S = 0.25
"""Who was not seen for longer has to look alike to be the one."""
DISGUISE_MOST = 0.7
AWAY_COST = 0.3
"""What a second out of sight costs, beside looks of which nothing agrees."""
CLEAR = 0.2
"""Nobody is in front of somebody of whose box others cover no more than this."""
NEVER = 1e3


class Followed(Identity):
    """A person of a film. track_id: 0 until a pose of theirs was credible. memory: what the engine remembers of them."""

    def __init__(self, sight: Sight) -> None:
        super().__init__(0, sight)
        self.memory: object | None = None

    def state(self) -> list[Any]:
        """All of it, as plain values."""
        memory = plain(kept(self.memory))
        places = [[at, plain(place)] for at, place in self._places]
        return [self.track_id, plain(self.looks), plain(self._sides), places, memory]

    @classmethod
    def of(cls, state: list[Any]) -> Followed:
        """The person that a state was made of."""
        person = cls.__new__(cls)
        Identity.__init__(person, state[0], Sight(0.0, np.zeros(4, np.float32), whole(state[1]), float("nan")))
        person._sides = whole(state[2])
        person._places.clear()
        person._places.extend((at, whole(place)) for at, place in state[3])
        try:
            person.memory = whole(state[4])
        except Unkept:
            person.memory = None
        return person


class Following:
    """max_people: in a frame (None: everybody); those who are known stay, then the largest come."""

    def __init__(self, max_people: int | None = None) -> None:
        self.max_people = max_people
        self._people: list[Followed] = []
        self._ids = itertools.count(1)

    def meet(self, image: np.ndarray, found: Found, at: float) -> list[tuple[Followed, int]]:
        """Whose the boxes of a frame are, image (H, W, 3) BGR at a time, s: (person, index of their box), by age."""
        self._people = [person for person in self._people if at - person.seen_at <= REMEMBERED_S]
        sights = [Sight(at, box, looks_of(image, box), float("nan")) for box in found.boxes_xyxy]
        pairs = self._pairs(sights)
        for person, index in pairs:
            person.seen(sights[index], clear=_clear(found.boxes_xyxy, index))
        new = sorted(set(range(len(sights))) - {index for _, index in pairs}, key=lambda index: -_area(sights[index]))
        pairs += [(Followed(sights[index]), index) for index in new][: self._room(len(pairs))]
        self._people += [person for person, _ in pairs if person not in self._people]
        return pairs

    def name(self, person: Followed) -> int:
        """The id of somebody who was seen for sure."""
        if not person.track_id:
            person.track_id = next(self._ids)
        return person.track_id

    def forget(self, person: Followed) -> None:
        """Follow somebody no longer: they are somebody else whom the detector saw twice."""
        self._people = [other for other in self._people if other is not person]

    def state(self) -> list[Any]:
        """All of it, as plain values; the ids go on after the last one."""
        following = next(self._ids)
        self._ids = itertools.count(following)
        return [following, [person.state() for person in self._people]]

    def restore(self, state: list[Any]) -> None:
        """Go on where a state was taken."""
        self._ids = itertools.count(state[0])
        self._people = [Followed.of(person) for person in state[1]]

    def _pairs(self, sights: list[Sight]) -> list[tuple[Followed, int]]:
        """Those who are known with their boxes, by age; the fittest together over all."""
        if not sights or not self._people:
            return []
        costs = np.array([[_cost(person, sight) for sight in sights] for person in self._people])
        rows, columns = (each.tolist() for each in linear_sum_assignment(costs))
        pairs = [(self._people[row], column) for row, column in zip(rows, columns) if costs[row, column] < NEVER]
        return pairs[: self._room(0)]

    def _room(self, taken: int) -> int | None:
        return None if self.max_people is None else max(0, self.max_people - taken)


def _cost(person: Followed, sight: Sight) -> float:
    """How little a sight agrees with somebody; NEVER if it cannot be them."""
    away = sight.captured_at - person.seen_at
    if not person.likely(sight) or (away > LOST_S and person.disguise(sight) > DISGUISE_MOST):
        return NEVER
    return person.unlike(sight) + AWAY_COST * away


def _clear(boxes_xyxy: np.ndarray, index: int) -> bool:
    return not (covered(boxes_xyxy[index], np.delete(boxes_xyxy, index, 0)) > CLEAR).any()


def _area(sight: Sight) -> float:
    return float(np.prod(sight.box_xyxy[2:] - sight.box_xyxy[:2]))
