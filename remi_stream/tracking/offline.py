"""Tracker of detections: Hungarian assignment of those of every frame to tracks; their state is saved between chunks.

Costs are motion and appearance, as live (`tracking/re_identification.py`); a lost track can be re-identified for a while.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from remi_stream.detect.detector import ScoredBoxes
from remi_stream.geometry import intersection_over_smaller
from remi_stream.tracking.crop import Pose
from remi_stream.tracking.plain_values import NotSerialisable, from_plain, plain_round_trip, to_plain
from remi_stream.tracking.re_identification import HSV_BINS, Identity, TrackObservation, appearance_histogram, longest_side_px

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

    def __init__(self, observation: TrackObservation) -> None:
        super().__init__(0, observation)
        self.engine_state: object | None = None
        """The engine's state for this person."""
        self.keypoints_px: np.ndarray | None = None
        """(K, 2) float32: of the last accepted pose; None before it."""

    def to_state(self) -> list[Any]:
        """Serialise to plain values."""
        engine_state = to_plain(plain_round_trip(self.engine_state))
        positions = [[at, to_plain(position)] for at, position in self._positions]
        return [
            self.track_id,
            to_plain(self.appearance),
            to_plain(self._sides),
            positions,
            engine_state,
            to_plain(self.keypoints_px),
        ]

    @classmethod
    def from_state(cls, state: list[Any]) -> OfflineTrack:
        """Restore a track from its state."""
        person = cls.__new__(cls)
        Identity.__init__(person, state[0], TrackObservation(0.0, np.zeros(4, np.float32), from_plain(state[1]), float("nan")))
        person._sides = from_plain(state[2])
        person._positions.clear()
        person._positions.extend((at, from_plain(position)) for at, position in state[3])
        try:
            person.engine_state = from_plain(state[4])
        except NotSerialisable:
            person.engine_state = None
        person.keypoints_px = from_plain(state[5])
        return person

    def unlikeness(self, pose: Pose, observation: TrackObservation) -> float:
        """How unlike this person a pose is, 0 to 2: appearance distance plus, up to 1, distance from the last pose in body sizes.

        Infinite before the first accepted pose.
        """
        if pose.person is None or self.keypoints_px is None or self.keypoints_px.shape != pose.person.keypoints_px.shape:
            return float("inf")
        apart = np.linalg.norm(pose.person.keypoints_px - self.keypoints_px, axis=1)
        moved = float(np.median(apart)) / longest_side_px(observation.box_xyxy)
        return self.appearance_distance(observation) + min(moved, 1.0)

    def forget_last_position(self) -> None:
        """Forget the last observation's position, which was another person's."""
        if len(self._positions) > 1:
            self._positions.pop()


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
        observations = [TrackObservation(at, box, look, float("nan")) for box, look in zip(boxes, looks)]
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

    def unlikeness(self, track: OfflineTrack, pose: Pose, image: np.ndarray | None, at: float) -> float:
        """How unlike the person of a track a pose in an image at a time, s, is; infinite before the first accepted pose."""
        assert pose.person
        box = pose.person.box_xyxy
        appearance = UNKNOWN_APPEARANCE if image is None else appearance_histogram(image, box)
        return track.unlikeness(pose, TrackObservation(at, box, appearance, float("nan")))

    def accept(self, track: OfflineTrack, pose: Pose) -> None:
        """Keep an accepted pose and the engine's state."""
        assert pose.person
        track.engine_state, track.keypoints_px = pose.state, pose.person.keypoints_px

    def reject(self, track: OfflineTrack) -> None:
        """Reject a pose that is more like another track's: drop a new track, leave a known one unseen in this frame."""
        if track.keypoints_px is None:
            self._people = [other for other in self._people if other is not track]
        else:
            track.forget_last_position()

    def to_state(self) -> list[Any]:
        """Serialise to plain values: the next track id, and the tracks."""
        next_id = next(self._ids)  # a count can only be read by advancing it
        self._ids = itertools.count(next_id)
        return [next_id, [person.to_state() for person in self._people]]

    def restore_state(self, state: list[Any]) -> None:
        """Restore the tracker from a state."""
        self._ids = itertools.count(state[0])
        self._people = [OfflineTrack.from_state(person) for person in state[1]]

    def _match(self, observations: list[TrackObservation]) -> list[tuple[OfflineTrack, int]]:
        """Hungarian assignment of tracks to boxes, oldest track first."""
        if not observations or not self._people:
            return []
        costs = np.array([[_match_cost(person, observation) for observation in observations] for person in self._people])
        rows, columns = (each.tolist() for each in linear_sum_assignment(costs))
        pairs = [(self._people[row], column) for row, column in zip(rows, columns) if costs[row, column] < FORBIDDEN_COST]
        return pairs[: self._free_slots(0)]

    def _free_slots(self, taken: int) -> int | None:
        return None if self.max_people is None else max(0, self.max_people - taken)


def _match_cost(person: OfflineTrack, observation: TrackObservation) -> float:
    """Cost of assigning an observation to a track; FORBIDDEN_COST if impossible."""
    lost_s = observation.captured_at - person.seen_at
    if not person.is_plausible(observation) or (
        lost_s > APPEARANCE_REQUIRED_AFTER_S and person.appearance_distance(observation) > MAX_APPEARANCE_DISTANCE
    ):
        return FORBIDDEN_COST
    return person.match_cost(observation) + LOST_COST_PER_S * lost_s


def _is_unoccluded(boxes_xyxy: np.ndarray, index: int) -> bool:
    return not (intersection_over_smaller(boxes_xyxy[index], np.delete(boxes_xyxy, index, 0)) > MAX_COVERED_SHARE).any()


def _area(observation: TrackObservation) -> float:
    return float(np.prod(observation.box_xyxy[2:] - observation.box_xyxy[:2]))
