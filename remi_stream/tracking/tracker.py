"""Tracker of one camera: tracks start with a detection, follow their poses, get lost, are re-identified and end.

- Association: a track keeps its boxes by frame_id, since a detection arrives late and is matched in its own frame.
- End: after three consecutive rejected poses, over 60 ms at least, or three missed detections.
- Re-identification: a lost identity is searched for at its predicted position; a new track takes it if it is plausible.
- Occlusion: people in front are masked out of the crop. Of two tracks on one body the less likely one becomes lost.
- Swaps: when two people are visible again, the cheaper of both assignments of identities to tracks is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec
import numpy as np

from remi_stream.geometry import Intrinsics, box_area, intersection_area, intersection_over_smaller, iou
from remi_stream.messages import Detections, Person
from remi_stream.tracking.crop import Crop, Pose, circle_roll_rad
from remi_stream.tracking.occlusion import masked_image, mostly_occluded, occluders, occlusion_mask
from remi_stream.tracking.re_identification import (
    Identity,
    LostTracks,
    TrackObservation,
    longest_side_px,
    observe_person,
    person_depth_m,
)

T = TypeVar("T")

BOX_HISTORY_S = 2.0
"""How long boxes are kept for detections, which arrive later than the poses of their frame."""
DETECTION_WEIGHT = 0.2
"""Weight of a detection's box against the box from the pose."""
STABLE_S = 1.0
"""Age from which a track is stable: until then the whole image is searched quickly for others, who often come together."""
ESTABLISHED_POSES = 5
"""Poses after which a lost track is kept for re-identification."""
MIN_MATCH_IOU = 0.3
"""Least IoU of a matched pair."""
MAX_SAME_BODY_DISTANCE = 0.1
"""Largest median distance of the key points of two poses of the same body, in body sizes."""
MIN_DETECTABLE_RATIO = 0.33
"""Least size of a body, relative to the searched region's longest side, that the detector finds reliably. Measured recall of the
BlazePose detector: 1.0 at 0.31, 0.45 at 0.21, 0 at 0.15."""
TRIAL_POSES = 5
"""Poses of a candidate before the decision."""
TRIAL_FAILURES = 2
"""Failed poses after which a candidate is given up."""
TRIAL_INTERVAL_S = 1.0
"""Shortest time between the starts of two trials."""
MIN_SIZE_RATIO, MIN_RANK_RATIO = 0.6, 1.25
"""Least size of a candidate's detection relative to the smallest track, and least winning rank relative to the lowest one."""
MAX_MISSES = 3
"""Consecutive rejected poses or missed detections that end a track."""
MIN_FAILING_S = 0.06
"""Shortest time from the first to the last rejected pose that ends a track: three frames at 30 fps, five at 60 fps."""
MIN_PART_OVERLAP = 0.6
"""Intersection over the smaller box from which a detection belongs to a tracked body, or a part of it."""
MAX_PART_AREA = 2.0
"""Largest area of such a detection, in areas of the tracked body's box: a larger one is of a person in front of it."""
MAX_ROLL_DIFFERENCE = math.radians(60)
"""Largest rotation of a body against those searched for at which the detector finds it."""
MAX_APPEARANCE_DISTANCE = 0.7
"""Largest appearance distance of a re-identified person."""


class Track:
    """A person, followed from frame to frame by the boxes of the poses."""

    def __init__(self, box_xyxy: np.ndarray, identity: Identity | None = None, circle_px: np.ndarray | None = None) -> None:
        self.box_xyxy = box_xyxy
        """(4,) float32 px: the crop's box in the next frame."""
        self.circle_px = circle_px
        """(2, 2) px: the body's circle in its last pose, or in the last detection if that was rejected; None: unknown."""
        self.state: object | None = None
        """The engine's state."""
        self.identity = identity
        """Known after the first pose."""
        self.person: Person | None = None
        """The last accepted pose."""
        self.occlusion_mask: np.ndarray | None = None
        """(H, W) uint8: occlusion mask in the newest frame; None if no one is in front."""
        self.poses = self.failures = self.misses = 0
        """Accepted poses in all, and consecutive rejected poses and missed detections."""
        self._failing_since = self._failed_at = 0.0
        self._posed_since = self._posed_at = 0.0
        self._history: dict[int, tuple[float, np.ndarray]] = {}

    @property
    def track_id(self) -> int:
        """Id of the identity; 0 before the first pose."""
        return self.identity.track_id if self.identity else 0

    @property
    def is_stable(self) -> bool:
        """Whether it has had poses for long enough, and no failure or miss since."""
        return self._posed_at - self._posed_since >= STABLE_S and not self.failures and not self.misses

    @property
    def is_established(self) -> bool:
        """Whether it is kept for re-identification when it is lost."""
        return self.poses >= ESTABLISHED_POSES

    @property
    def is_failing(self) -> bool:
        """Whether so many poses in a row were rejected, for so long, that it ends."""
        # the tolerance: times of frames are rounded
        return self.failures >= MAX_MISSES and self._failed_at - self._failing_since > MIN_FAILING_S - 1e-3

    @property
    def roll_rad(self) -> float:
        """Rotation of the body in the image, clockwise; 0 if unknown."""
        return 0.0 if self.circle_px is None else circle_roll_rad(self.circle_px)

    @property
    def depth_m(self) -> float | None:
        """Depth of the person, m; None before the first pose."""
        if self.identity is not None:
            return self.identity.depth_m
        return person_depth_m(self.person) if self.person else None

    def box_at(self, frame_id: int) -> np.ndarray | None:
        """Return the track's box in a frame of the last BOX_HISTORY_S seconds."""
        entry = self._history.get(frame_id)
        return entry[1] if entry else None

    def update_pose(self, frame_id: int, captured_at: float, pose: Pose) -> None:
        """Update with the engine's pose for a frame."""
        self._history = {key: entry for key, entry in self._history.items() if captured_at - entry[0] <= BOX_HISTORY_S}
        self._history[frame_id] = (captured_at, pose.person.box_xyxy if pose.person else self.box_xyxy)
        if pose.person is None:
            self._failing_since = self._failing_since if self.failures else captured_at
            self.failures, self._failed_at = self.failures + 1, captured_at
            return
        self._posed_since, self._posed_at = self._posed_since if self.poses else captured_at, captured_at
        self.poses, self.failures, self.person = self.poses + 1, 0, pose.person
        self.box_xyxy, self.state = pose.next_box_xyxy, pose.state
        self.circle_px = pose.circle_px

    def update_detection(self, box_xyxy: np.ndarray, track_box_xyxy: np.ndarray, circle_px: np.ndarray | None) -> None:
        """Update with a matched detection: move the box by part of the difference, by all of it after a rejected pose.

        track_box_xyxy: (4,) px, the track's box in the detection's frame. circle_px: (2, 2), the detection's.
        """
        self.misses = 0
        weight = 1.0 if self.failures else DETECTION_WEIGHT
        if self.failures:
            self.circle_px = circle_px
        self.box_xyxy = (self.box_xyxy + weight * (box_xyxy - track_box_xyxy)).astype(np.float32)


class SubjectSelector:
    """Chooses which people are tracked if there are more than `--max-people`: compares one candidate at a time with the tracks.

    A candidate gets poses for a few frames, unpublished, and replaces the lowest ranked track only with a clear lead
    (hysteresis), so that two people of similar rank do not alternate.
    """

    def __init__(self, subject: str) -> None:
        self.subject = subject
        """Criterion: "largest" in the image, or "nearest" to the camera."""
        self.candidate: Track | None = None
        """The candidate, if there is one."""
        self._trial_started_at = float("-inf")

    def propose(self, box_xyxy: np.ndarray, circle_px: np.ndarray | None, tracks: Sequence[Track], captured_at: float) -> None:
        """Make a detection the candidate, if it is large enough and the last trial began long enough ago."""
        if self.candidate is not None or captured_at - self._trial_started_at < TRIAL_INTERVAL_S:
            return
        if longest_side_px(box_xyxy) > MIN_SIZE_RATIO * min(longest_side_px(track.box_xyxy) for track in tracks):
            self.candidate, self._trial_started_at = Track(box_xyxy, circle_px=circle_px), captured_at

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


class Tracker:
    """Tracks at most max_people; subject: which ones, see `SubjectSelector`."""

    def __init__(self, max_people: int, ids: Iterator[int], subject: str = "largest") -> None:
        self.max_people = max_people
        self._ids = ids
        self._tracks: list[Track] = []
        self._lost = LostTracks()
        self._probe: Track | None = None
        self._selector = SubjectSelector(subject)

    def __iter__(self) -> Iterator[Track]:
        return iter(self._tracks)

    def __len__(self) -> int:
        return len(self._tracks)

    @property
    def is_stable(self) -> bool:
        """Whether there are tracks, all stable, and none is lost: the detector may then run less often."""
        return bool(self._tracks) and not self._lost and all(track.is_stable for track in self._tracks)

    def update_detections(self, detections: Detections) -> None:
        """Match detections to the tracks in their frame: update, miss and start tracks."""
        boxes = detections.boxes_xyxy
        past_boxes = {track: box for track in self._tracks if (box := track.box_at(detections.frame_id)) is not None}
        matched = match_boxes(past_boxes, boxes)
        for track, box in past_boxes.items():
            if track in matched:
                track.update_detection(boxes[matched[track]], box, circle_of(detections, matched[track]))
            elif is_roll_near(track.roll_rad, detections.searched_roll_rad) and is_miss_conclusive(
                box, detections.searched_xyxy, [*boxes, *(other for key, other in past_boxes.items() if key is not track)]
            ):
                track.misses += 1
        unmatched = [index for index in range(len(boxes)) if index not in matched.values()]
        # largest first: a smaller detection may be a part of its body
        for index in sorted(unmatched, key=lambda index: -box_area(boxes[index])):
            self._start(boxes[index], circle_of(detections, index), detections)
        self._end(detections.captured_at)

    def crops(self, frame_id: int, captured_at: float, image: np.ndarray, intrinsics: Intrinsics) -> list[Crop]:
        """Return a frame's crops: of every track, of a lost identity (the probe), and of the candidate of subject selection."""
        # no probe if there is no room for another track
        query = self._lost.next_query(captured_at, (image.shape[1], image.shape[0])) if len(self) < self.max_people else None
        self._probe = Track(query[1], query[0]) if query else None
        return [self._crop(image, track, captured_at, intrinsics) for track in self._with_crop()]

    def update_poses(self, frame_id: int, captured_at: float, image: np.ndarray, poses: list[Pose]) -> list[Pose]:
        """Update the tracks with the poses of the crops, in their order; return those to publish, with their track ids."""
        people = {track: _reject_occluded(pose, track) for track, pose in zip(self._with_crop(), poses)}
        for track, pose in people.items():
            track.update_pose(frame_id, captured_at, pose)
        people = {track: pose for track, pose in people.items() if pose.person is not None}
        observed = {track: observe_person(image, pose.person, captured_at) for track, pose in people.items() if pose.person}
        # the order matters: new tracks first, then duplicates, so that only distinct bodies get an identity
        self._add_probe(people, observed)
        self._add_candidate(people, captured_at)
        self._remove_duplicates(people, observed)
        for track in [track for track in self._tracks if track in observed]:
            self._identify(track, observed)
        self._end(captured_at)
        return [_with_track_id(people[track], track) for track in self._tracks if track in people]

    def _with_crop(self) -> list[Track]:
        """Return the tracks, the probe and the candidate, in the order of the crops."""
        return [*self._tracks, *(track for track in (self._probe, self._selector.candidate) if track is not None)]

    def _crop(self, image: np.ndarray, track: Track, captured_at: float, intrinsics: Intrinsics) -> Crop:
        """Return a track's crop, with the people in front masked out."""
        others = [
            other.person for other in self._tracks if other is not track and other.person is not None and not other.failures
        ]
        front = occluders(track.box_xyxy, track.depth_m, others)
        track.occlusion_mask = occlusion_mask(image.shape[1::-1], front, intrinsics[0]) if front else None
        masked = image if track.occlusion_mask is None else masked_image(image, track.box_xyxy, track.occlusion_mask)
        return Crop(masked, track.box_xyxy, track.track_id, captured_at, intrinsics, track.state, track.circle_px)

    def _start(self, box_xyxy: np.ndarray, circle_px: np.ndarray | None, detections: Detections) -> None:
        """Start a track for an unmatched detection, unless it is a part of a tracked body; if full, make it a candidate."""
        # boxes of both frames: a track that is newer than the detection has no past box
        now = [track.box_xyxy for track in self._tracks]
        past_boxes = [box for track in self._tracks if (box := track.box_at(detections.frame_id)) is not None]
        if is_part(box_xyxy, np.array(now + past_boxes, np.float32).reshape(-1, 4)).any():
            return
        if len(self._tracks) < self.max_people:
            self._tracks.append(Track(box_xyxy, circle_px=circle_px))
        else:
            self._selector.propose(box_xyxy, circle_px, self._tracks, detections.captured_at)

    def _add_probe(self, people: dict[Track, Pose], observed: dict[Track, TrackObservation]) -> None:
        """Add the probe as a track, if the person in it matches the lost identity."""
        probe, self._probe = self._probe, None
        if probe is None or probe not in observed or probe.identity is None:
            return
        # `_identify` assigns the identity, since a swap with the rival may be cheaper
        lost, probe.identity = probe.identity, None
        seen = observed[probe]
        if (
            not self._is_tracked(probe, people)
            and lost.is_plausible(seen)
            and lost.appearance_distance(seen) < MAX_APPEARANCE_DISTANCE
        ):
            self._tracks.append(probe)

    def _add_candidate(self, people: dict[Track, Pose], captured_at: float) -> None:
        """Replace a track by the candidate of subject selection, if it has won."""
        decided = self._selector.replacement(self._tracks)
        if decided is None or self._is_tracked(decided[0], people):
            return
        winner, loser = decided
        self._tracks[self._tracks.index(loser)] = winner
        self._lose(loser, captured_at, None)

    def _is_tracked(self, found: Track, people: dict[Track, Pose]) -> bool:
        """Return whether a new track's pose is of a body that is already tracked."""
        return found in people and any(is_same_body(people[found], people[track]) for track in self._tracks if track in people)

    def _remove_duplicates(self, people: dict[Track, Pose], observed: dict[Track, TrackObservation]) -> None:
        """Of two tracks on one body keep the one with the smaller match cost; the other becomes lost."""
        tracks = list(people)
        for index, first in enumerate(tracks):
            for second in tracks[index + 1 :]:
                if first in self._tracks and second in self._tracks and is_same_body(people[first], people[second]):
                    worse, better = sorted((first, second), key=lambda track: _match_cost(track, observed), reverse=True)
                    self._tracks.remove(worse)
                    self._lose(worse, observed[worse].captured_at, better.identity)

    def _lose(self, track: Track, captured_at: float, rival: Identity | None) -> None:
        if track.identity is not None and track.is_established:
            track.identity.is_occluded = track.occlusion_mask is not None or rival is not None
            track.identity.is_searched = track.misses < MAX_MISSES
            self._lost.add(track.identity, captured_at, rival)

    def _identify(self, track: Track, observed: dict[Track, TrackObservation]) -> None:
        """Assign a new track a lost identity, or a new one; update the identity with the observation."""
        seen = observed[track]
        if track.identity is None:
            track.identity = self._reidentify(seen, observed) or Identity(next(self._ids), seen)
        track.identity.update(seen, is_unoccluded=track.occlusion_mask is None)

    def _reidentify(self, seen: TrackObservation, observed: dict[Track, TrackObservation]) -> Identity | None:
        """Return the lost identity that matches an observation best, or its rival, if swapping the two costs less."""
        found = self._lost.best_match(seen)
        if found is None:
            return None
        rival, other = found.rival, next((track for track in self._tracks if track.identity is found.rival), None)
        self._lost.remove(found)
        if rival is None or other is None or other not in observed:
            return found
        keep = found.match_cost(seen) + rival.match_cost(observed[other])
        swap = found.match_cost(observed[other]) + rival.match_cost(seen)
        if keep <= swap:
            return found
        other.identity = found
        return rival

    def _end(self, captured_at: float) -> None:
        """End tracks with too many failures or misses; drop identities that have been lost for too long."""
        for track in [track for track in self._tracks if track.misses >= MAX_MISSES or track.is_failing]:
            self._tracks.remove(track)
            self._lose(track, captured_at, None)
        self._lost.remove_expired(captured_at)


def _match_cost(track: Track, observed: dict[Track, TrackObservation]) -> float:
    """Return the match cost of a track's observation and its identity; infinite without one."""
    return track.identity.match_cost(observed[track]) if track.identity else float("inf")


def _reject_occluded(pose: Pose, track: Track) -> Pose:
    """Reject a pose that is mostly occluded, which the engine only guessed."""
    if pose.person is None or track.occlusion_mask is None or not mostly_occluded(pose.person, track.occlusion_mask):
        return pose
    return Pose(None, track.box_xyxy, track.state, "hidden")


def _with_track_id(pose: Pose, track: Track) -> Pose:
    assert pose.person is not None
    return pose._replace(person=msgspec.structs.replace(pose.person, track_id=track.track_id))


def match_boxes(tracked: Mapping[T, np.ndarray], boxes_xyxy: np.ndarray) -> dict[T, int]:
    """Match tracked boxes (4,) with detections (N, 4) greedily, highest IoU first: {key: index of the detection}."""
    scores = [(score, key, index) for key, box in tracked.items() for index, score in enumerate(iou(box, boxes_xyxy))]
    matched: dict[T, int] = {}
    for score, key, index in sorted(scores, key=lambda entry: -entry[0]):
        if score > MIN_MATCH_IOU and key not in matched and index not in matched.values():
            matched[key] = index
    return matched


def circle_of(detections: Detections, index: int) -> np.ndarray | None:
    """Return the circle (2, 2) px of a detected body, if the detector sees circles."""
    return None if detections.circles_px is None else detections.circles_px[index]


def is_part(box_xyxy: np.ndarray, tracked_xyxy: np.ndarray) -> np.ndarray:
    """Return to which tracked bodies (N, 4) px a detection (4,) px belongs, whole or in part: (N,) bool."""
    overlaps = intersection_over_smaller(box_xyxy, tracked_xyxy) > MIN_PART_OVERLAP
    return overlaps & (box_area(box_xyxy) < MAX_PART_AREA * box_area(tracked_xyxy))


def is_roll_near(roll_rad: float, searched_roll_rad: float) -> bool:
    """Return whether a body's rotation in the image is near that of the bodies searched for."""
    return abs(math.remainder(roll_rad - searched_roll_rad, 2 * math.pi)) < MAX_ROLL_DIFFERENCE


def is_miss_conclusive(box_xyxy: np.ndarray, searched_xyxy: np.ndarray, other_boxes: Iterable[np.ndarray]) -> bool:
    """Return whether a missing detection of a box (4,) px proves that no one is there.

    A region of searched_xyxy (M, 4) must contain most of the box, and the box must be large enough to be detected in it.
    other_boxes: boxes of other people; next to a larger person the detector may miss a smaller one, so then nothing is proven.
    """
    sides = (searched_xyxy[:, 2:] - searched_xyxy[:, :2]).max(axis=1)
    large = longest_side_px(box_xyxy) > MIN_DETECTABLE_RATIO * sides
    inside = large & (intersection_area(box_xyxy, searched_xyxy) > 0.7 * box_area(box_xyxy))
    beside = any(intersection_area(box_xyxy, square_box(other)[None])[0] > 0 for other in other_boxes)
    return bool(inside.any()) and not beside


def square_box(box_xyxy: np.ndarray) -> np.ndarray:
    """Return the square (4,) around a box's centre with its longest side."""
    center, half = (box_xyxy[:2] + box_xyxy[2:]) / 2, longest_side_px(box_xyxy) / 2
    return np.concatenate([center - half, center + half])


def is_same_body(first: Pose, second: Pose) -> bool:
    """Return whether two poses are of the same body: their key points nearly coincide."""
    if first.person is None or second.person is None:
        return False
    distances = np.linalg.norm(first.person.keypoints_px - second.person.keypoints_px, axis=1)
    size = min(longest_side_px(first.person.box_xyxy), longest_side_px(second.person.box_xyxy))
    return bool(np.median(distances) < MAX_SAME_BODY_DISTANCE * size)
