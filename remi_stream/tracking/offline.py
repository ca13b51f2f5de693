"""Offline tracker: Hungarian assignment of the detections of every frame to tracks; their state is saved between chunks.

Costs are motion and appearance, as live (`tracking/re_identification.py`); a lost track can be re-identified for a while.
"""

from __future__ import annotations

import itertools
import sys
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from remi_stream.detect.detector import ScoredBoxes
from remi_stream.geometry import intersection_over_smaller
from remi_stream.tracking.re_identification import HSV_BINS, Identity, Observation, appearance_histogram

MAX_LOST_S = 3.0
"""A track that was not seen for longer ends."""
APPEARANCE_REQUIRED_AFTER_S = 0.25
"""A track that was not seen for longer must match in appearance."""
MAX_APPEARANCE_DISTANCE = 0.7
"""Largest appearance distance for that match."""
LOST_COST_PER_S = 0.3
"""Cost of a second out of observation; 1 is an appearance without any overlap."""
MAX_COVERED_SHARE = 0.2
"""A person is not occluded if other boxes cover at most this share of the box."""
FORBIDDEN_COST = 1e3
"""Cost of a forbidden pair."""
UNKNOWN_APPEARANCE = np.full(int(np.prod(HSV_BINS)), 1 / np.prod(HSV_BINS))
"""The appearance of everyone where there is no image."""


class OfflineTrack(Identity):
    """A track; its track_id is 0 until its first accepted pose."""

    def __init__(self, observation: Observation) -> None:
        super().__init__(0, observation)
        self.engine_state: object | None = None
        """The engine's state for this person."""

    def to_state(self) -> list[Any]:
        """Serialise to plain values."""
        engine_state = to_plain(plain_round_trip(self.engine_state))
        positions = [[at, to_plain(position)] for at, position in self._positions]
        return [self.track_id, to_plain(self.appearance), to_plain(self._sides), positions, engine_state]

    @classmethod
    def from_state(cls, state: list[Any]) -> OfflineTrack:
        """Restore a track from its state."""
        person = cls.__new__(cls)
        Identity.__init__(person, state[0], Observation(0.0, np.zeros(4, np.float32), from_plain(state[1]), float("nan")))
        person._sides = from_plain(state[2])
        person._positions.clear()
        person._positions.extend((at, from_plain(position)) for at, position in state[3])
        try:
            person.engine_state = from_plain(state[4])
        except NotSerialisable:
            person.engine_state = None
        return person


class OfflineTracker:
    """Assigns detections to tracks. max_people: per frame (None: no limit); known tracks first, then the largest boxes."""

    def __init__(self, max_people: int | None = None) -> None:
        self.max_people = max_people
        self._people: list[OfflineTrack] = []
        self._ids = itertools.count(1)

    def assign(self, image: np.ndarray | None, detections: ScoredBoxes, at: float) -> list[tuple[OfflineTrack, int]]:
        """Assign the detections of an image (H, W, 3) BGR at a time, s: (track, index of its box), oldest first.

        Without an image all people look alike, so that motion decides alone.
        """
        self._people = [person for person in self._people if at - person.seen_at <= MAX_LOST_S]
        boxes = detections.boxes_xyxy
        looks = [UNKNOWN_APPEARANCE if image is None else appearance_histogram(image, box) for box in boxes]
        observations = [Observation(at, box, look, float("nan")) for box, look in zip(boxes, looks)]
        pairs = self._match(observations)
        for person, index in pairs:
            person.update(observations[index], is_unoccluded=_is_unoccluded(detections.boxes_xyxy, index))
        new = sorted(set(range(len(observations))) - {index for _, index in pairs}, key=lambda index: -_area(observations[index]))
        pairs += [(OfflineTrack(observations[index]), index) for index in new][: self._free_slots(len(pairs))]
        self._people += [person for person, _ in pairs if person not in self._people]
        return pairs

    def assign_track_id(self, track: OfflineTrack) -> int:
        """Return the track id of a person with an accepted pose; the first call assigns it."""
        if not track.track_id:
            track.track_id = next(self._ids)
        return track.track_id

    def drop_track(self, track: OfflineTrack) -> None:
        """Drop a track that duplicates another one: the detector found one person twice."""
        self._people = [other for other in self._people if other is not track]

    def to_state(self) -> list[Any]:
        """Serialise to plain values: the next track id, and the tracks."""
        next_id = next(self._ids)  # a count can only be read by advancing it
        self._ids = itertools.count(next_id)
        return [next_id, [person.to_state() for person in self._people]]

    def restore_state(self, state: list[Any]) -> None:
        """Restore the tracker from a state."""
        self._ids = itertools.count(state[0])
        self._people = [OfflineTrack.from_state(person) for person in state[1]]

    def _match(self, observations: list[Observation]) -> list[tuple[OfflineTrack, int]]:
        """Hungarian assignment of tracks to boxes, oldest track first."""
        if not observations or not self._people:
            return []
        costs = np.array([[_match_cost(person, observation) for observation in observations] for person in self._people])
        rows, columns = (each.tolist() for each in linear_sum_assignment(costs))
        pairs = [(self._people[row], column) for row, column in zip(rows, columns) if costs[row, column] < FORBIDDEN_COST]
        return pairs[: self._free_slots(0)]

    def _free_slots(self, taken: int) -> int | None:
        return None if self.max_people is None else max(0, self.max_people - taken)


def _match_cost(person: OfflineTrack, observation: Observation) -> float:
    """Cost of assigning an observation to a track; FORBIDDEN_COST if impossible."""
    lost_s = observation.captured_at - person.seen_at
    if not person.is_plausible(observation) or (
        lost_s > APPEARANCE_REQUIRED_AFTER_S and person.appearance_distance(observation) > MAX_APPEARANCE_DISTANCE
    ):
        return FORBIDDEN_COST
    return person.match_cost(observation) + LOST_COST_PER_S * lost_s


def _is_unoccluded(boxes_xyxy: np.ndarray, index: int) -> bool:
    return not (intersection_over_smaller(boxes_xyxy[index], np.delete(boxes_xyxy, index, 0)) > MAX_COVERED_SHARE).any()


def _area(observation: Observation) -> float:
    return float(np.prod(observation.box_xyxy[2:] - observation.box_xyxy[:2]))


# Serialisation of an engine's state of a track as plain values: named tuples, lists, arrays, numbers, None. Deserialising runs
# no code: a named tuple is built only from a NamedTuple class of an already loaded module.


class NotSerialisable(Exception):  # noqa: N818
    """A value that cannot be serialised; it is dropped at the end of a chunk."""


def to_plain(value: Any) -> Any:
    """Serialise a value to lists, numbers, strings and bytes. Raises NotSerialisable."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
        return ["array", value.dtype.str, list(value.shape), value.tobytes()]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        kind = type(value)
        return ["named", kind.__module__, kind.__qualname__, [to_plain(part) for part in value]]
    if isinstance(value, tuple | list):
        return ["list", type(value).__name__, [to_plain(part) for part in value]]
    raise NotSerialisable(type(value).__name__)


def from_plain(value: Any) -> Any:
    """Deserialise a plain value. Raises NotSerialisable if its class does not exist."""
    if not isinstance(value, list):
        return value
    kind, *parts = value
    if kind == "array":
        array = np.frombuffer(parts[2], np.dtype(parts[0])).reshape(parts[1]).copy()
        return array if parts[1] else array[()]
    if kind == "list":
        found = [from_plain(part) for part in parts[1]]
        return tuple(found) if parts[0] == "tuple" else found
    return _named_tuple_class(parts[0], parts[1])._make(from_plain(part) for part in parts[2])


def plain_round_trip(value: Any) -> Any:
    """Return the value after a round trip through its plain form; None if it cannot be serialised.

    Applied at the end of each chunk, so that an uninterrupted run and a resumed one give identical results.
    """
    try:
        return from_plain(to_plain(value))
    except NotSerialisable:
        return None


def _named_tuple_class(module: str, name: str) -> Any:
    found = getattr(sys.modules.get(module), name, None)
    if isinstance(found, type) and issubclass(found, tuple) and hasattr(found, "_make"):
        return found
    raise NotSerialisable(f"{module}.{name}")
