"""Track linking: join the tracks of one person over a whole take, and interpolate short gaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from remi_stream.filters import quaternion
from remi_stream.filters.motion import Motion, motion_of, moved
from remi_stream.messages import Bodies, Person

LONGEST_S = 1.0
"""Longest gap that is bridged, s."""
RECENT_S = 0.3
"""Length of a track's end or beginning from which speed, size and shape are measured, s."""
NEAR, FARTHER_PER_S = 0.2, 0.3
"""Largest distance between a track's extrapolated and actual position, in longest box sides; grows with the gap, s."""
TURNS = 0.9
"""Largest difference of two tracks' speeds, in longest box sides per second."""
SIZES = 1.35
"""Largest ratio of two tracks' longest box sides, and again for each second of the gap."""
SHAPES = 1.0
"""Largest RMS difference of two tracks' betas."""
CLEARLY = 0.5
"""Margin of link cost to the second best candidate (1 is the limit); with less, nothing is linked."""
INTERPOLATED = "interpolated"
"""Key in `Person.native` that marks an interpolated person."""


class Sight(NamedTuple):
    """A person in one frame."""

    frame: int
    """Index in the take."""
    at: float
    """captured_at, s."""
    person: Person


Track = list[Sight]
"""One person, in frame order."""


def mended(frames: Sequence[Bodies]) -> list[Track]:
    """Tracks of a take's frames, linked, with short gaps interpolated."""
    times = [bodies.captured_at for bodies in frames]
    return [filled(track, times) for track in joined(tracks_of(frames))]


def tracks_of(frames: Sequence[Bodies]) -> list[Track]:
    """Group people by track id, in order of appearance."""
    tracks: dict[int, Track] = {}
    for frame, bodies in enumerate(frames):
        for person in bodies.people:
            tracks.setdefault(person.track_id, []).append(Sight(frame, bodies.captured_at, person))
    return list(tracks.values())


def joined(tracks: list[Track]) -> list[Track]:
    """Join each track with its successors, under the first one's id."""
    follows = successors(tracks)
    result = []
    for first in sorted(set(range(len(tracks))) - set(follows.values())):
        track, last = list(tracks[first]), first
        while last in follows:
            last = follows[last]
            track += tracks[last]
        result.append([sight._replace(person=named(sight.person, track[0].person.track_id)) for sight in track])
    return result


def named(person: Person, track_id: int) -> Person:
    """The person with this track id."""
    return person if person.track_id == track_id else msgspec.structs.replace(person, track_id=track_id)


def successors(tracks: list[Track]) -> dict[int, int]:
    """Successor of each track, by index: greedily by link cost, and none if a second candidate is nearly as good.

    Two tracks are not linked past a third one that fits between them.
    """
    costs = {
        (a, b): cost
        for a, ended in enumerate(tracks)
        for b, began in enumerate(tracks)
        if 0 < began[0].at - ended[-1].at <= LONGEST_S and (cost := strangeness(ended, began)) <= 1
    }
    costs = {(a, b): costs[a, b] for a, b in costs if not any((a, c) in costs and (c, b) in costs for c in range(len(tracks)))}
    found: dict[int, int] = {}
    for (a, b), cost in sorted(costs.items(), key=lambda pair: (pair[1], pair[0])):
        rivals = [other for (c, d), other in costs.items() if (c == a) != (d == b)]
        if a not in found and b not in found.values() and all(other > cost + CLEARLY for other in rivals):
            found[a] = b
    return found


def strangeness(ended: Track, began: Track) -> float:
    """Cost of linking two tracks: the maximum of position, speed, size and shape costs, each normalised to a limit of 1."""
    gap = began[0].at - ended[-1].at
    before, after = recent(ended, ended[-1].at), recent(began, began[0].at)
    side = (size_of(before) + size_of(after)) / 2
    forward = middles(before)[-1] + gap * speed(before) - middles(after)[0]
    backward = middles(after)[0] - gap * speed(after) - middles(before)[-1]
    position = max(float(np.linalg.norm(forward)), float(np.linalg.norm(backward))) / side / (NEAR + FARTHER_PER_S * gap)
    size = abs(np.log(size_of(after) / size_of(before))) / (np.log(SIZES) * (1 + gap))
    speed_change = float(np.linalg.norm(speed(after) - speed(before))) / side / TURNS
    return max(position, speed_change, float(size), shape_apart(before, after) / SHAPES)


def recent(track: Track, at: float) -> Track:
    """Points within RECENT_S of a time, s."""
    return [sight for sight in track if abs(sight.at - at) <= RECENT_S]


def middles(track: Track) -> np.ndarray:
    """Box centres, (N, 2) px."""
    boxes = np.array([sight.person.box_xyxy for sight in track], float)
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def speed(track: Track) -> np.ndarray:
    """Velocity of the box centre, (2,) px/s, by least squares; 0 for a single point."""
    times = np.array([sight.at for sight in track])
    times = times - times.mean()
    spread = float(times @ times)  # slope of a least-squares line = times @ values / spread
    return times @ middles(track) / spread if spread > 0 else np.zeros(2)


def size_of(track: Track) -> float:
    """Median of the boxes' longest sides, px."""
    boxes = np.array([sight.person.box_xyxy for sight in track], float)
    return max(float(np.median((boxes[:, 2:] - boxes[:, :2]).max(1))), 1.0)


def shape_apart(before: Track, after: Track) -> float:
    """RMS difference of two tracks' median betas; 0 if an engine has none."""
    shapes = [np.array([sight.person.smpl.betas for sight in track if sight.person.smpl], float) for track in (before, after)]
    if not all(len(shape) for shape in shapes):
        return 0.0
    ours, theirs = (np.median(shape, axis=0) for shape in shapes)
    return float(np.sqrt(((ours - theirs) ** 2).mean()))


def filled(track: Track, times: Sequence[float]) -> Track:
    """The track with short gaps interpolated; times: of all frames, s."""
    result = track[:1]
    for sight in track[1:]:
        last = result[-1]
        if sight.at - last.at <= LONGEST_S and alike(last.person, sight.person):
            missed = range(last.frame + 1, sight.frame)
            result += [Sight(frame, times[frame], between(last, sight, times[frame])) for frame in missed]
        result.append(sight)
    return result


def alike(a: Person, b: Person) -> bool:
    """Whether two people can be interpolated: same skeleton and array shapes, all values finite."""
    before, after = motion_of(a), motion_of(b)
    points = a.skeleton == b.skeleton and a.keypoints_px.shape == b.keypoints_px.shape
    return points and before.alike(after) and before.finite() and after.finite()


def between(before: Sight, after: Sight, at: float) -> Person:
    """Interpolate a person between two points at a time, s; all confidences are 0, and `native` marks it."""
    share = (at - before.at) / (after.at - before.at)
    a, b = before.person, after.person
    motion = mixed(motion_of(a), motion_of(b), share)
    smpl = a.smpl and msgspec.structs.replace(a.smpl, joint_confidence=np.zeros(24, np.float32))
    interpolated = msgspec.structs.replace(
        a,
        score=0.0,
        box_xyxy=line(a.box_xyxy, b.box_xyxy, share),
        keypoints_px=line(a.keypoints_px, b.keypoints_px, share),
        keypoint_scores=np.zeros_like(a.keypoint_scores),
        smpl=smpl,
        native={INTERPOLATED: np.ones(1, np.uint8)},
    )
    return moved(interpolated, motion)


def mixed(a: Motion, b: Motion, share: float | np.ndarray) -> Motion:
    """Interpolate motion from a to b: slerp of the rotations, linear otherwise."""
    turns = quaternion.turned(a.turns, share * quaternion.difference(a.turns, b.turns)) if len(a.turns) else a.turns
    return Motion(turns, a.places + share * (b.places - a.places), a.shape + share * (b.shape - a.shape))


def line(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """Linear interpolation from a to b, float32."""
    return (a + np.float32(share) * (b - a)).astype(np.float32)
