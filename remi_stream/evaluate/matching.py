"""Match frames by time and people by Hungarian assignment, and count id switches.

As in CLEAR MOT (Bernardin and Stiefelhagen, 2008).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from remi_stream.evaluate.scores import JointSet, MatchedPerson, joint_set_positions
from remi_stream.evaluate.truth import GroundTruth, available_body
from remi_stream.geometry import iou
from remi_stream.messages import Bodies, Person, Smpl
from remi_stream.recordings.take import Take

MIN_IOU = 0.3
"""Smallest IoU of a match; low, since the truth's boxes are made from joints and a detector's are not."""
MAX_ROOT_DISTANCE_M = 0.5
"""Largest distance of two roots that match."""
SAME_RATE_TOLERANCE = 0.01
"""Relative difference of frame rates below which frame numbers are compared instead of times."""
TIME_ROUNDING = 1e-3
"""Tolerance, as a share of the window: times exactly half a frame apart may have been rounded."""


def frame_times(frames: Sequence[Bodies], truth_fps: float) -> np.ndarray:
    """Return the frames' times from the video's frame 0, (N,) s.

    At the truth's frame rate they are computed from frame numbers, since clocks of players drift. After a restart of the camera
    the times are returned unchanged.
    """
    times = np.array([bodies.captured_at for bodies in frames], float)
    numbers = np.array([bodies.frame_id for bodies in frames], float)
    if len(times) < 2 or not (np.diff(numbers) > 0).all() or not (np.diff(times) > 0).all():
        return times
    fps = float(np.median(np.diff(numbers) / np.diff(times)))
    return numbers / truth_fps if abs(fps / truth_fps - 1) < SAME_RATE_TOLERANCE else times - times[0] + numbers[0] / fps


def nearest_frame_pairs(truth_s: np.ndarray, times_s: np.ndarray, within_s: float) -> list[tuple[int, int]]:
    """Pair frames of the truth with the nearest frames of the prediction, each at most once.

    truth_s (N,) and times_s (M,): rising, s.
    """
    if not len(truth_s) or not len(times_s):
        return []
    # of several frames of the truth with one nearest prediction, the nearest keeps it
    best: dict[int, tuple[float, int]] = {}
    for frame, other in enumerate(_nearest(times_s, truth_s).tolist()):
        distance = abs(float(times_s[other] - truth_s[frame]))
        if distance <= within_s * (1 + TIME_ROUNDING) and distance < best.get(other, (np.inf, 0))[0]:
            best[other] = distance, frame
    return sorted((frame, other) for other, (_, frame) in best.items())


def _nearest(sorted_s: np.ndarray, query_s: np.ndarray) -> np.ndarray:
    if len(sorted_s) < 2:
        return np.zeros(len(query_s), int)
    after = np.clip(np.searchsorted(sorted_s, query_s), 1, len(sorted_s) - 1)
    return np.where(query_s - sorted_s[after - 1] <= sorted_s[after] - query_s, after - 1, after)


def iou_costs(truth: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return 1 - IoU of boxes (T, 4) and (P, 4), (T, P); infinite below the smallest IoU."""
    overlap = np.array([iou(box, boxes) for box in truth]).reshape(len(truth), len(boxes))
    return np.where(overlap >= MIN_IOU, 1 - overlap, np.inf)


def root_distance_costs(truth: np.ndarray, roots: np.ndarray) -> np.ndarray:
    """Return distances of roots (T, 3) and (P, 3) m, (T, P); infinite beyond the largest distance, or if unknown."""
    distances = np.linalg.norm(truth[:, None] - roots[None], axis=-1)
    return np.where(distances <= MAX_ROOT_DISTANCE_M, distances, np.inf)


def assign_people(costs: np.ndarray, previous: Sequence[tuple[int, int]] = ()) -> list[tuple[int, int]]:
    """Assign rows to columns of costs (T, P) by Hungarian assignment; finite pairs in `previous` are fixed beforehand."""
    from scipy.optimize import linear_sum_assignment

    pairs = [pair for pair in previous if np.isfinite(costs[pair])]
    free = costs.copy()
    for row, column in pairs:
        free[row], free[:, column] = np.inf, np.inf
    # A forbidden pair costs more than all allowed pairs together, so as many pairs as possible are matched.
    limit = 1 + free[np.isfinite(free)].sum()
    rows = zip(*linear_sum_assignment(np.where(np.isfinite(free), free, limit * (1 + min(free.shape)))))
    return sorted([*pairs, *((int(row), int(column)) for row, column in rows if np.isfinite(free[row, column]))])


class IdentityTracker:
    """Remembers which predicted track each true person was matched to, and counts id switches."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._holders: dict[int, int] = {}
        self.switches: dict[int, int] = {}
        """Number of id switches of each true person."""

    def previous_matches(self, truth: Sequence[int], people: Sequence[int]) -> list[tuple[int, int]]:
        """Return rows and columns of people who were matched to each other last time."""
        columns = {track: column for column, track in enumerate(people)}
        last_tracks = ((row, track, self._last.get(track)) for row, track in enumerate(truth))
        # _holders: a predicted track belongs to the person it was matched to last, not to those before
        return [(row, columns[last]) for row, track, last in last_tracks if last in columns and self._holders[last] == track]

    def update(self, matches: Mapping[int, int]) -> None:
        """Update from a frame's matches: true track_id to predicted track_id."""
        for track, other in matches.items():
            # _last survives frames without a match: coming back under another id is a switch, too
            has_switched = self._last.get(track, other) != other
            self.switches[track] = self.switches.get(track, 0) + has_switched
            self._last[track], self._holders[other] = other, track


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
    identities, matched = IdentityTracker(), MatchedTake([], {}, {})
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
            person = MatchedPerson(pair.number, other_points[column], points[row], _poses(others[column], people[row]), bodies)
            matched.matches_by_track.setdefault(ids[row], []).append(person)
        matches = {ids[row]: other_ids[column] for row, column in rows}
        identities.update(matches)
        matched.frames.append(MatchedFrame(pair, matches))
    matched.switches.update(identities.switches)
    return matched


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
