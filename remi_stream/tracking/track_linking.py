"""Track linking: join the tracks of one person over a whole take, and interpolate short gaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from remi_stream import geometry
from remi_stream.filters.smoothers import BodyMotion, motion_from_person, person_with_motion
from remi_stream.messages import Bodies, Person

MAX_GAP_S = 1.0
"""Longest gap that is bridged, s."""
ENDPOINT_WINDOW_S = 0.3
"""Length of a track's end or beginning from which speed, size and shape are measured, s."""
MAX_POSITION_ERROR, POSITION_ERROR_PER_S = 0.2, 0.3
"""Largest distance between a track's extrapolated and actual position, in longest box sides; grows with the gap, s."""
MAX_SPEED_CHANGE = 0.9
"""Largest difference of two tracks' speeds, in longest box sides per second."""
MAX_SIZE_RATIO = 1.35
"""Largest ratio of two tracks' longest box sides, and again for each second of the gap."""
MAX_BETAS_RMS = 1.0
"""Largest RMS difference of two tracks' betas."""
MIN_COST_MARGIN = 0.5
"""Margin of link cost to the second best candidate (1 is the limit); with less, nothing is linked."""
INTERPOLATED_KEY = "interpolated"
"""Key in `Person.native` that marks an interpolated person."""


class TrackPoint(NamedTuple):
    """A person in one frame."""

    frame: int
    """Index in the take."""
    at: float
    """Capture time, s."""
    person: Person


LinkedTrack = list[TrackPoint]
"""One person, in frame order."""


def link_tracks(frames: Sequence[Bodies]) -> list[LinkedTrack]:
    """Return the tracks of a take's frames, linked, with short gaps interpolated."""
    times = [bodies.captured_at for bodies in frames]
    return [fill_gaps(track, times) for track in join_tracks(group_by_track_id(frames))]


def group_by_track_id(frames: Sequence[Bodies]) -> list[LinkedTrack]:
    """Group people by track id, in order of appearance."""
    tracks: dict[int, LinkedTrack] = {}
    for frame, bodies in enumerate(frames):
        for person in bodies.people:
            tracks.setdefault(person.track_id, []).append(TrackPoint(frame, bodies.captured_at, person))
    return list(tracks.values())


def join_tracks(tracks: list[LinkedTrack]) -> list[LinkedTrack]:
    """Join each track with its successors, under the first one's id."""
    follows = find_successors(tracks)
    result = []
    for first in sorted(set(range(len(tracks))) - set(follows.values())):
        track, last = list(tracks[first]), first
        while last in follows:
            last = follows[last]
            track += tracks[last]
        result.append([point._replace(person=with_track_id(point.person, track[0].person.track_id)) for point in track])
    return result


def with_track_id(person: Person, track_id: int) -> Person:
    """Return the person with this track id."""
    return person if person.track_id == track_id else msgspec.structs.replace(person, track_id=track_id)


def find_successors(tracks: list[LinkedTrack]) -> dict[int, int]:
    """Return the successor of each track, by index: greedily by link cost, and none if a second candidate is nearly as good.

    Two tracks are not linked past a third one that fits between them.
    """
    costs = {
        (a, b): cost
        for a, ended in enumerate(tracks)
        for b, began in enumerate(tracks)
        if 0 < began[0].at - ended[-1].at <= MAX_GAP_S and (cost := link_cost(ended, began)) <= 1
    }
    costs = {(a, b): costs[a, b] for a, b in costs if not any((a, c) in costs and (c, b) in costs for c in range(len(tracks)))}
    found: dict[int, int] = {}
    for (a, b), cost in sorted(costs.items(), key=lambda pair: (pair[1], pair[0])):
        rivals = [other for (c, d), other in costs.items() if (c == a) != (d == b)]
        if a not in found and b not in found.values() and all(other > cost + MIN_COST_MARGIN for other in rivals):
            found[a] = b
    return found


def link_cost(ended_track: LinkedTrack, next_track: LinkedTrack) -> float:
    """Return the cost of linking two tracks: the maximum of position, speed, size and shape costs, each relative to its limit."""
    gap = next_track[0].at - ended_track[-1].at
    before, after = points_near(ended_track, ended_track[-1].at), points_near(next_track, next_track[0].at)
    side = (median_box_side(before) + median_box_side(after)) / 2
    forward = box_centres(before)[-1] + gap * centre_velocity(before) - box_centres(after)[0]
    backward = box_centres(after)[0] - gap * centre_velocity(after) - box_centres(before)[-1]
    position = (
        max(float(np.linalg.norm(forward)), float(np.linalg.norm(backward)))
        / side
        / (MAX_POSITION_ERROR + POSITION_ERROR_PER_S * gap)
    )
    size = abs(np.log(median_box_side(after) / median_box_side(before))) / (np.log(MAX_SIZE_RATIO) * (1 + gap))
    speed_change = float(np.linalg.norm(centre_velocity(after) - centre_velocity(before))) / side / MAX_SPEED_CHANGE
    return max(position, speed_change, float(size), betas_rms_difference(before, after) / MAX_BETAS_RMS)


def points_near(track: LinkedTrack, at: float) -> LinkedTrack:
    """Return the points within ENDPOINT_WINDOW_S of a time, s."""
    return [point for point in track if abs(point.at - at) <= ENDPOINT_WINDOW_S]


def box_centres(track: LinkedTrack) -> np.ndarray:
    """Return the box centres, (N, 2) px."""
    boxes = np.array([point.person.box_xyxy for point in track], float)
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def centre_velocity(track: LinkedTrack) -> np.ndarray:
    """Return the velocity of the box centre, (2,) px/s, by least squares; 0 for a single point."""
    times = np.array([point.at for point in track])
    times = times - times.mean()
    spread = float(times @ times)  # slope of a least-squares line = times @ values / spread
    return times @ box_centres(track) / spread if spread > 0 else np.zeros(2)


def median_box_side(track: LinkedTrack) -> float:
    """Return the median of the boxes' longest sides, px."""
    boxes = np.array([point.person.box_xyxy for point in track], float)
    return max(float(np.median((boxes[:, 2:] - boxes[:, :2]).max(1))), 1.0)


def betas_rms_difference(before: LinkedTrack, after: LinkedTrack) -> float:
    """Return the RMS difference of two tracks' median betas; 0 if an engine has none."""
    shapes = [np.array([point.person.smpl.betas for point in track if point.person.smpl], float) for track in (before, after)]
    if not all(len(shape) for shape in shapes):
        return 0.0
    ours, theirs = (np.median(shape, axis=0) for shape in shapes)
    return float(np.sqrt(((ours - theirs) ** 2).mean()))


def fill_gaps(track: LinkedTrack, times: Sequence[float]) -> LinkedTrack:
    """Return the track with short gaps interpolated; times: of all frames, s."""
    result = track[:1]
    for point in track[1:]:
        last = result[-1]
        if point.at - last.at <= MAX_GAP_S and can_interpolate(last.person, point.person):
            missed = range(last.frame + 1, point.frame)
            result += [TrackPoint(frame, times[frame], interpolate_person(last, point, times[frame])) for frame in missed]
        result.append(point)
    return result


def can_interpolate(a: Person, b: Person) -> bool:
    """Return whether two people can be interpolated: same skeleton and array shapes, all values finite."""
    before, after = motion_from_person(a), motion_from_person(b)
    points = a.skeleton == b.skeleton and a.keypoints_px.shape == b.keypoints_px.shape
    return points and before.has_same_shape(after) and before.is_finite() and after.is_finite()


def interpolate_person(before: TrackPoint, after: TrackPoint, at: float) -> Person:
    """Interpolate a person between two points at a time, s; all confidences are 0, and `native` marks it."""
    share = (at - before.at) / (after.at - before.at)
    a, b = before.person, after.person
    motion = interpolate_motion(motion_from_person(a), motion_from_person(b), share)
    smpl = a.smpl and msgspec.structs.replace(a.smpl, joint_confidence=np.zeros(24, np.float32))
    interpolated = msgspec.structs.replace(
        a,
        score=0.0,
        box_xyxy=lerp(a.box_xyxy, b.box_xyxy, share),
        keypoints_px=lerp(a.keypoints_px, b.keypoints_px, share),
        keypoint_scores=np.zeros_like(a.keypoint_scores),
        smpl=smpl,
        native={INTERPOLATED_KEY: np.ones(1, np.uint8)},
    )
    return person_with_motion(interpolated, motion)


def interpolate_motion(a: BodyMotion, b: BodyMotion, share: float | np.ndarray) -> BodyMotion:
    """Interpolate motion from a to b: slerp of the rotations, linear otherwise."""
    turns = geometry.slerp(a.rotations, b.rotations, share) if len(a.rotations) else a.rotations
    return BodyMotion(turns, a.positions + share * (b.positions - a.positions), a.betas + share * (b.betas - a.betas))


def lerp(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """Interpolate linearly from a to b, float32."""
    return (a + np.float32(share) * (b - a)).astype(np.float32)
