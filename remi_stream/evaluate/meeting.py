"""Match people of a prediction with people of the truth, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from remi_stream.evaluate.joint_sets import JointSet, joints_of
from remi_stream.evaluate.matching import Identities, assigned, box_costs, film_times, paired_frames, root_costs
from remi_stream.evaluate.sightings import Sighting
from remi_stream.evaluate.truth import Truth, published_body
from remi_stream.formats.take import Take
from remi_stream.messages import Bodies, Person, Smpl

Match = Literal["box", "root"]
"""How people are matched: by IoU of boxes in the image, or by distance of roots in space."""
SAME_SIZE = 0.05
"""Relative size difference that is ignored: data sets' image sizes are estimated from the principal point."""


class Pair(NamedTuple):
    """A frame of the truth and one of the prediction at the same time."""

    number: int
    """Frame number in the truth."""
    at_s: float
    """Time in the truth, s."""
    truth: Bodies
    prediction: Bodies


class Seen(NamedTuple):
    """One compared frame."""

    pair: Pair
    matches: Mapping[int, int]
    """True track_id to predicted track_id, of the people who were found."""


class Meeting(NamedTuple):
    """All compared frames."""

    seen: list[Seen]
    sightings: dict[int, list[Sighting]]
    """By true track_id, the frames in which the person was found."""
    switches: dict[int, int]
    """Id switches by true track_id."""


def frame_pairs(take: Take, truth: Take, offset_s: float) -> list[Pair]:
    """Pair frames less than half a frame of the truth apart. offset_s: time in the truth at which the take begins, s."""
    frames, true_frames = list(take.frames), list(truth.frames)
    truth_s = film_times(true_frames, truth.fps)
    pairs = paired_frames(truth_s, film_times(frames, truth.fps) + offset_s, 0.5 / truth.fps)
    return [Pair(round(truth_s[a] * truth.fps), float(truth_s[a]), true_frames[a], frames[b]) for a, b in pairs]


def meet(pairs: Sequence[Pair], truth: Truth, joint_set: JointSet, match: Match) -> Meeting:
    """Match the people of all frame pairs, in order."""
    identities, meeting = Identities(), Meeting([], {}, {})
    for pair in pairs:
        people, others = pair.truth.people, pair.prediction.people
        points = [truth.joints_of(person, joint_set) for person in people]
        other_points = [joints_of(person, joint_set, published_body(person)) for person in others]
        costs = _box_costs(pair) if match == "box" else root_costs(_roots(points, joint_set), _roots(other_points, joint_set))
        ids, other_ids = [person.track_id for person in people], [person.track_id for person in others]
        rows = assigned(costs, identities.kept(ids, other_ids))
        for row, column in rows:
            bodies = published_body(others[column]), truth.body_of(people[row])
            sighting = Sighting(pair.number, other_points[column], points[row], _poses(others[column], people[row]), bodies)
            meeting.sightings.setdefault(ids[row], []).append(sighting)
        matches = {ids[row]: other_ids[column] for row, column in rows}
        identities.note(matches)
        meeting.seen.append(Seen(pair, matches))
    meeting.switches.update(identities.switches)
    return meeting


def _box_costs(pair: Pair) -> np.ndarray:
    truth, boxes = (
        np.array([person.box_xyxy for person in bodies.people], float).reshape(-1, 4) for bodies in (pair.truth, pair.prediction)
    )
    return box_costs(truth, boxes * _scale(pair.prediction.size, pair.truth.size))


def _scale(size: tuple[int, int], true_size: tuple[int, int]) -> np.ndarray:
    """Return the scale from the prediction's image to the truth's, (4,)."""
    if not all(size) or not all(true_size):
        return np.ones(4)
    scale = np.array([*true_size, *true_size]) / [*size, *size]
    return scale if (abs(scale - 1) > SAME_SIZE).any() else np.ones(4)


def _roots(points: Sequence[np.ndarray | None], joint_set: JointSet) -> np.ndarray:
    """Return the roots, (N, 3) m, NaN if unknown."""
    return np.array([np.full(3, np.nan) if each is None else joint_set.root_of(each) for each in points]).reshape(-1, 3)


def _poses(person: Person, true_person: Person) -> tuple[Smpl, Smpl] | None:
    """Return both poses if they are of the same body model, so that their rotations can be compared."""
    pose, true_pose = person.smpl, true_person.smpl
    return (pose, true_pose) if pose and true_pose and pose.body == true_pose.body else None


def usual_step(numbers: Sequence[int]) -> int:
    """Return the median step between compared frames, in frames of the truth."""
    return max(1, int(np.median(np.diff(numbers)))) if len(numbers) > 1 else 1
