"""Match people of a prediction with people of the truth, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from remi_stream.evaluate.joint_sets import JointSet, joint_set_positions
from remi_stream.evaluate.matching import (
    IdentityTracker,
    assign_people,
    frame_times,
    iou_costs,
    nearest_frame_pairs,
    root_distance_costs,
)
from remi_stream.evaluate.sightings import MatchedPerson
from remi_stream.evaluate.truth import GroundTruth, available_body
from remi_stream.formats.take import Take
from remi_stream.messages import Bodies, Person, Smpl

MatchMode = Literal["box", "root"]
"""How people are matched: by IoU of boxes in the image, or by distance of roots in space."""
SAME_SIZE_TOLERANCE = 0.05
"""Relative size difference that is ignored: data sets' image sizes are estimated from the principal point."""


class FramePair(NamedTuple):
    """A frame of the truth and one of the prediction at the same time."""

    number: int
    """Frame number in the truth."""
    at_s: float
    """Time in the truth, s."""
    truth: Bodies
    prediction: Bodies


class MatchedFrame(NamedTuple):
    """One compared frame."""

    pair: FramePair
    matches: Mapping[int, int]
    """True track_id to predicted track_id, of the people who were found."""


class MatchedTake(NamedTuple):
    """All compared frames."""

    frames: list[MatchedFrame]
    matches_by_track: dict[int, list[MatchedPerson]]
    """By true track_id, the frames in which the person was found."""
    switches: dict[int, int]
    """Id switches by true track_id."""


def frame_pairs(take: Take, truth: Take, offset_s: float) -> list[FramePair]:
    """Pair frames less than half a frame of the truth apart. offset_s: time in the truth at which the take begins, s."""
    frames, true_frames = list(take.frames), list(truth.frames)
    truth_s = frame_times(true_frames, truth.fps)
    pairs = nearest_frame_pairs(truth_s, frame_times(frames, truth.fps) + offset_s, 0.5 / truth.fps)
    return [FramePair(round(truth_s[a] * truth.fps), float(truth_s[a]), true_frames[a], frames[b]) for a, b in pairs]


def match_people(pairs: Sequence[FramePair], truth: GroundTruth, joint_set: JointSet, match: MatchMode) -> MatchedTake:
    """Match the people of all frame pairs, in order."""
    identities, meeting = IdentityTracker(), MatchedTake([], {}, {})
    for pair in pairs:
        people, others = pair.truth.people, pair.prediction.people
        points = [truth.joint_positions(person, joint_set) for person in people]
        other_points = [joint_set_positions(person, joint_set, available_body(person)) for person in others]
        costs = (
            _box_costs(pair)
            if match == "box"
            else root_distance_costs(_roots(points, joint_set), _roots(other_points, joint_set))
        )
        ids, other_ids = [person.track_id for person in people], [person.track_id for person in others]
        rows = assign_people(costs, identities.previous_matches(ids, other_ids))
        for row, column in rows:
            bodies = available_body(others[column]), truth.body_for(people[row])
            sighting = MatchedPerson(pair.number, other_points[column], points[row], _poses(others[column], people[row]), bodies)
            meeting.matches_by_track.setdefault(ids[row], []).append(sighting)
        matches = {ids[row]: other_ids[column] for row, column in rows}
        identities.update(matches)
        meeting.frames.append(MatchedFrame(pair, matches))
    meeting.switches.update(identities.switches)
    return meeting


def _box_costs(pair: FramePair) -> np.ndarray:
    truth, boxes = (
        np.array([person.box_xyxy for person in bodies.people], float).reshape(-1, 4) for bodies in (pair.truth, pair.prediction)
    )
    return iou_costs(truth, boxes * _scale(pair.prediction.size, pair.truth.size))


def _scale(size: tuple[int, int], true_size: tuple[int, int]) -> np.ndarray:
    """Return the scale from the prediction's image to the truth's, (4,)."""
    if not all(size) or not all(true_size):
        return np.ones(4)
    scale = np.array([*true_size, *true_size]) / [*size, *size]
    return scale if (abs(scale - 1) > SAME_SIZE_TOLERANCE).any() else np.ones(4)


def _roots(points: Sequence[np.ndarray | None], joint_set: JointSet) -> np.ndarray:
    """Return the roots, (N, 3) m, NaN if unknown."""
    return np.array([np.full(3, np.nan) if each is None else joint_set.root_positions(each) for each in points]).reshape(-1, 3)


def _poses(person: Person, true_person: Person) -> tuple[Smpl, Smpl] | None:
    """Return both poses if they are of the same body model, so that their rotations can be compared."""
    pose, true_pose = person.smpl, true_person.smpl
    return (pose, true_pose) if pose and true_pose and pose.body == true_pose.body else None


def median_frame_step(numbers: Sequence[int]) -> int:
    """Return the median step between compared frames, in frames of the truth."""
    return max(1, int(np.median(np.diff(numbers)))) if len(numbers) > 1 else 1
