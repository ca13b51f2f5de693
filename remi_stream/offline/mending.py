"""Tracks of a whole take, mended: one person has one id, and who was overlooked for a moment was where they must have been."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from remi_stream.filters import quaternion
from remi_stream.filters.motion import Motion, motion_of, moved
from remi_stream.messages import Bodies, Person

LONGEST_S = 1.0
"""Of a gap that is bridged."""
RECENT_S = 0.3
"""Of a track's end or beginning, which tell its speed, its size and its shape."""
NEAR, FARTHER_PER_S = 0.2, 0.3
"""How far from where one track leads to another may begin, in the box's longest sides; more for a longer gap."""
TURNS = 0.9
"""How much the speeds of two tracks may differ, in the box's longest sides a second."""
SIZES = 1.35
"""The longest sides of two tracks' boxes may differ by this factor, and by as much again for each second between them."""
SHAPES = 1.0
"""The rms of how far two tracks' betas may be apart."""
CLEARLY = 0.5
"""Who else could be meant must be so much worse, of 1 that the limits are; or nobody is."""
INTERPOLATED = "interpolated"
"""In a person's `native`: nobody saw them in this frame."""


class Sight(NamedTuple):
    """Somebody in one frame: which of the take's it is, its captured_at, s."""

    frame: int
    at: float
    person: Person


Track = list[Sight]
"""Of one person, in the order of the frames."""


def mended(frames: Sequence[Bodies]) -> list[Track]:
    """The tracks of a take's frames, joined, and filled where nobody was seen for a moment."""
    times = [bodies.captured_at for bodies in frames]
    return [filled(track, times) for track in joined(tracks_of(frames))]


def tracks_of(frames: Sequence[Bodies]) -> list[Track]:
    """Everybody by their id, in the order in which they appear."""
    tracks: dict[int, Track] = {}
    for frame, bodies in enumerate(frames):
        for person in bodies.people:
            tracks.setdefault(person.track_id, []).append(Sight(frame, bodies.captured_at, person))
    return list(tracks.values())


def joined(tracks: list[Track]) -> list[Track]:
    """Tracks that go on as another one are one, with the first one's id."""
    follows = successors(tracks)
    whole = []
    for first in sorted(set(range(len(tracks))) - set(follows.values())):
        track, last = list(tracks[first]), first
        while last in follows:
            last = follows[last]
            track += tracks[last]
        whole.append([sight._replace(person=named(sight.person, track[0].person.track_id)) for sight in track])
    return whole


def named(person: Person, track_id: int) -> Person:
    """The person under this id."""
    return person if person.track_id == track_id else msgspec.structs.replace(person, track_id=track_id)


def successors(tracks: list[Track]) -> dict[int, int]:
    """Which track goes on as which, by their numbers; the likeliest first, and nobody if there is doubt.

    Not past a third track that lies between the two.
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
    """How unlikely it is that a track went on as another: the worst of place, speed, size and shape; 1 is the limit of each."""
    gap = began[0].at - ended[-1].at
    before, after = recent(ended, ended[-1].at), recent(began, began[0].at)
    side = (size_of(before) + size_of(after)) / 2
    ahead = middles(before)[-1] + gap * speed(before) - middles(after)[0]
    back = middles(after)[0] - gap * speed(after) - middles(before)[-1]
    place = max(float(np.linalg.norm(ahead)), float(np.linalg.norm(back))) / side / (NEAR + FARTHER_PER_S * gap)
    size = abs(np.log(size_of(after) / size_of(before))) / (np.log(SIZES) * (1 + gap))
    turn = float(np.linalg.norm(speed(after) - speed(before))) / side / TURNS
    return max(place, turn, float(size), shape_apart(before, after) / SHAPES)


def recent(track: Track, at: float) -> Track:
    """What was seen within a moment of this time."""
    return [sight for sight in track if abs(sight.at - at) <= RECENT_S]


def middles(track: Track) -> np.ndarray:
    """Of the boxes, (N, 2) px."""
    boxes = np.array([sight.person.box_xyxy for sight in track], float)
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def speed(track: Track) -> np.ndarray:
    """Of the box's middle, (2,) px a second, by least squares; none of a single sight."""
    times = np.array([sight.at for sight in track])
    times = times - times.mean()
    spread = float(times @ times)
    return times @ middles(track) / spread if spread > 0 else np.zeros(2)


def size_of(track: Track) -> float:
    """The median of the boxes' longest sides, px."""
    boxes = np.array([sight.person.box_xyxy for sight in track], float)
    return max(float(np.median((boxes[:, 2:] - boxes[:, :2]).max(1))), 1.0)


def shape_apart(before: Track, after: Track) -> float:
    """The rms of how far the medians of two tracks' betas are apart; 0 where an engine gives none."""
    shapes = [np.array([sight.person.smpl.betas for sight in track if sight.person.smpl], float) for track in (before, after)]
    if not all(len(shape) for shape in shapes):
        return 0.0
    ours, theirs = (np.median(shape, axis=0) for shape in shapes)
    return float(np.sqrt(((ours - theirs) ** 2).mean()))


def filled(track: Track, times: Sequence[float]) -> Track:
    """The track with somebody in every frame of its short gaps; times: s, of all frames."""
    whole = track[:1]
    for sight in track[1:]:
        last = whole[-1]
        if sight.at - last.at <= LONGEST_S and alike(last.person, sight.person):
            missed = range(last.frame + 1, sight.frame)
            whole += [Sight(frame, times[frame], between(last, sight, times[frame])) for frame in missed]
        whole.append(sight)
    return whole


def alike(a: Person, b: Person) -> bool:
    """Whether there is a way from one to the other."""
    before, after = motion_of(a), motion_of(b)
    points = a.skeleton == b.skeleton and a.keypoints_px.shape == b.keypoints_px.shape
    return points and before.alike(after) and before.finite() and after.finite()


def between(before: Sight, after: Sight, at: float) -> Person:
    """Somebody whom nobody saw at this time, on the way from one sight to the next; certain of nothing, and marked."""
    share = (at - before.at) / (after.at - before.at)
    a, b = before.person, after.person
    motion = mixed(motion_of(a), motion_of(b), share)
    smpl = a.smpl and msgspec.structs.replace(a.smpl, joint_confidence=np.zeros(24, np.float32))
    unseen = msgspec.structs.replace(
        a,
        score=0.0,
        box_xyxy=line(a.box_xyxy, b.box_xyxy, share),
        keypoints_px=line(a.keypoints_px, b.keypoints_px, share),
        keypoint_scores=np.zeros_like(a.keypoint_scores),
        smpl=smpl,
        native={INTERPOLATED: np.ones(1, np.uint8)},
    )
    return moved(unseen, motion)


def mixed(a: Motion, b: Motion, share: float | np.ndarray) -> Motion:
    """The motion on the way from a to b: rotations by the shortest turn, everything else by straight lines."""
    turns = quaternion.turned(a.turns, share * quaternion.difference(a.turns, b.turns)) if len(a.turns) else a.turns
    return Motion(turns, a.places + share * (b.places - a.places), a.shape + share * (b.shape - a.shape))


def line(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """The point on the straight line from a to b, float32."""
    return (a + np.float32(share) * (b - a)).astype(np.float32)
