"""The people in front of one camera: tracks start with a detection, are carried by their poses, hide, come back and end.

A track keeps its boxes by frame_id, so that a detection, which comes late, is matched to the tracks of its own frame. A track
whose pose fails three times in a row, or that three searches miss, is no longer followed. Its person is remembered for a while: a
new track takes their identity if it could be them. When two tracks show the same body, one person is hidden behind the other:
the less likely one is remembered, and when two bodies are seen again, all four likenesses decide who is who.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from remi_stream.messages import Detections
from remi_stream.pose.engine import Pose
from remi_stream.pose.identity import Identity, Sight, looks_of
from remi_stream.pose.track import Track

MATCH_IOU = 0.3
MISSES = 3
HIDDEN_S = 2.0
SAME_BODY = 0.1
"""Median distance of key points, in body sizes, under which two poses are of the same body."""
FINDABLE = 0.33
"""A body is missed by a search only if it is this large beside the searched region's longest side; smaller ones may be overseen."""


class Tracks:
    """max_people: how many are followed at once; the largest first."""

    def __init__(self, max_people: int, ids: Iterator[int]) -> None:
        self.max_people = max_people
        self._ids = ids
        self._tracks: list[Track] = []
        self._hidden: list[Identity] = []

    def __iter__(self) -> Iterator[Track]:
        return iter(self._tracks)

    def __len__(self) -> int:
        return len(self._tracks)

    @property
    def settled(self) -> bool:
        """Whether somebody is there, every track is sure and nobody is missing: the detector need not hurry."""
        return bool(self._tracks) and not self._hidden and all(track.sure for track in self._tracks)

    def detected(self, detections: Detections) -> None:
        """Match detections to the tracks of their frame; start, confirm and miss tracks."""
        boxes = detections.boxes_xyxy
        free = list(range(len(boxes)))
        for track in self._tracks:
            then = track.box_at(detections.frame_id)
            if then is None:
                continue
            match = _best(then, boxes, free)
            if match is not None:
                free.remove(match)
                track.confirmed(boxes[match], then)
            elif _searched(then, detections.searched_xyxy):
                track.misses += 1
        for index in sorted(free, key=lambda i: -np.prod(boxes[i, 2:] - boxes[i, :2])):
            self._start(boxes[index], detections.frame_id)
        self._end(detections.captured_at)

    def posed(self, frame_id: int, captured_at: float, image: np.ndarray, poses: list[Pose]) -> list[Pose]:
        """Take the engine's answers for the tracks, in their order; give those to publish, with the ids that they belong to."""
        for track, pose in zip(self._tracks, poses):
            track.posed(frame_id, captured_at, pose)
        seen = {
            track: Sight(captured_at, pose.person.box_xyxy, looks_of(image, pose.person.box_xyxy))
            for track, pose in zip(self._tracks, poses)
            if pose.person is not None
        }
        people = {track: pose for track, pose in zip(self._tracks, poses) if track in seen}
        self._hide_doubles(people, seen)
        for track in [track for track in self._tracks if track in seen]:
            self._identify(track, seen)
        self._end(captured_at)
        return [_named(people[track], track) for track in self._tracks if track in people]

    def _start(self, box_xyxy: np.ndarray, frame_id: int) -> None:
        """Follow a detection that is no track, unless it shows a part of one."""
        now = [track.box_xyxy for track in self._tracks]
        then = [box for track in self._tracks if (box := track.box_at(frame_id)) is not None]
        known = np.array(now + then, np.float32).reshape(-1, 4)
        if len(self._tracks) < self.max_people and not (covered(box_xyxy, known) > 2 * MATCH_IOU).any():
            self._tracks.append(Track(box_xyxy))

    def _hide_doubles(self, people: dict[Track, Pose], seen: dict[Track, Sight]) -> None:
        """Where two tracks show one body, keep the one that is more likely to be it."""
        tracks = list(people)
        for index, first in enumerate(tracks):
            for second in tracks[index + 1 :]:
                if first in self._tracks and second in self._tracks and same_body(people[first], people[second]):
                    worse, better = sorted((first, second), key=lambda track: _doubt(track, seen), reverse=True)
                    self._tracks.remove(worse)
                    self._hide(worse, seen[worse].captured_at, better.identity)

    def _hide(self, track: Track, captured_at: float, rival: Identity | None) -> None:
        if track.identity is None or not track.lasting:
            return
        track.identity.hidden_at, track.identity.rival = captured_at, rival
        track.identity.contested = True
        if rival is not None:
            rival.contested = True
        self._hidden.append(track.identity)

    def _identify(self, track: Track, seen: dict[Track, Sight]) -> None:
        """Say who a new track is: somebody who was hidden, or somebody new."""
        sight = seen[track]
        if track.identity is None:
            track.identity = self._find(sight, seen) or Identity(next(self._ids), sight)
        track.identity.seen(sight)

    def _find(self, sight: Sight, seen: dict[Track, Sight]) -> Identity | None:
        """The hidden person that a sight fits best. If their rival fits it better, the two change places."""
        fitting = [who for who in self._hidden if who.likely(sight) or (who.rival and who.rival.likely(sight))]
        if not fitting:
            return None
        found = min(fitting, key=lambda who: who.unlike(sight))
        rival, other = found.rival, next((track for track in self._tracks if track.identity is found.rival), None)
        self._reveal(found)
        if rival is None or other is None or other not in seen:
            return found
        keep = found.unlike(sight) + rival.unlike(seen[other])
        change = found.unlike(seen[other]) + rival.unlike(sight)
        if keep <= change:
            return found
        other.identity = found
        return rival

    def _reveal(self, identity: Identity) -> None:
        self._hidden.remove(identity)
        rival, identity.rival, identity.hidden_at = identity.rival, None, None
        identity.contested = False
        if rival is not None:
            rival.contested = any(hidden.rival is rival for hidden in self._hidden)

    def _end(self, captured_at: float) -> None:
        """Stop following whom nobody sees any more; forget who has been away for too long."""
        for track in [track for track in self._tracks if track.misses >= MISSES or track.failures >= MISSES]:
            self._tracks.remove(track)
            self._hide(track, captured_at, None)
        for identity in [who for who in self._hidden if captured_at - (who.hidden_at or 0.0) > HIDDEN_S]:
            self._reveal(identity)


def same_body(first: Pose, second: Pose) -> bool:
    """Whether two poses are of one body: their key points all but coincide."""
    if first.person is None or second.person is None:
        return False
    away = np.linalg.norm(first.person.keypoints_px - second.person.keypoints_px, axis=1)
    size = min(float(max(p.box_xyxy[2:] - p.box_xyxy[:2])) for p in (first.person, second.person))
    return bool(np.median(away) < SAME_BODY * size)


def overlap(box_xyxy: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    """Intersection over union of one box (4,) with boxes (N, 4), px: (N,)."""
    shared = _shared(box_xyxy, boxes_xyxy)
    areas = _area(boxes_xyxy) + _area(box_xyxy)
    return shared / np.maximum(areas - shared, 1e-9)


def covered(box_xyxy: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    """Intersection of one box (4,) with boxes (N, 4), in shares of the smaller of the two: (N,)."""
    smaller = np.minimum(_area(boxes_xyxy), _area(box_xyxy))
    return _shared(box_xyxy, boxes_xyxy) / np.maximum(smaller, 1e-9)


def _shared(box_xyxy: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    size = np.minimum(box_xyxy[2:], boxes_xyxy[:, 2:]) - np.maximum(box_xyxy[:2], boxes_xyxy[:, :2])
    return np.prod(np.clip(size, 0, None), axis=1)


def _area(boxes_xyxy: np.ndarray) -> np.ndarray:
    return np.prod(boxes_xyxy[..., 2:] - boxes_xyxy[..., :2], axis=-1)


def _best(box_xyxy: np.ndarray, boxes_xyxy: np.ndarray, free: list[int]) -> int | None:
    if not free:
        return None
    scores = overlap(box_xyxy, boxes_xyxy[free])
    best = int(scores.argmax())
    return free[best] if scores[best] > MATCH_IOU else None


def _searched(box_xyxy: np.ndarray, searched_xyxy: np.ndarray) -> bool:
    """Whether a region of searched_xyxy (M, 4) holds most of the box, and the box is large enough to be found in it."""
    sides = (searched_xyxy[:, 2:] - searched_xyxy[:, :2]).max(axis=1)
    large = max(box_xyxy[2:] - box_xyxy[:2]) > FINDABLE * sides
    return bool((large & (_shared(box_xyxy, searched_xyxy) > 0.7 * _area(box_xyxy))).any())


def _doubt(track: Track, seen: dict[Track, Sight]) -> float:
    """How unlikely it is that what a track shows is its person; somebody unknown is the least likely."""
    return track.identity.unlike(seen[track]) if track.identity else float("inf")


def _named(pose: Pose, track: Track) -> Pose:
    assert pose.person is not None
    return pose._replace(person=msgspec.structs.replace(pose.person, track_id=track.track_id))
