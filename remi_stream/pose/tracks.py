"""The people in front of one camera: tracks start with a detection, are carried by their poses, hide, come back and end.

A track keeps its boxes by frame_id, so that a detection, which comes late, is matched to the tracks of its own frame. A track
whose pose fails three times in a row, or that three searches miss, is no longer followed. Its person is remembered for a while
and looked for where they should be by now; a new track takes their identity if it could be them. Who is in front of somebody is
painted over before the engine looks. When two tracks show the same body all the same, the less likely one is remembered, and
when two bodies are seen again, all four likenesses decide who is who.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from remi_stream.geometry import Intrinsics
from remi_stream.messages import Detections
from remi_stream.pose.challenge import Challenge
from remi_stream.pose.cover import cover_of, guessed, in_front, painted
from remi_stream.pose.engine import Crop, Pose
from remi_stream.pose.hidden import Hidden
from remi_stream.pose.identity import Identity, Sight, sight_of
from remi_stream.pose.matching import covered, evident, pairs, same_body
from remi_stream.pose.track import Track

MISSES = 3
PART = 0.6
"""A detection shows a part of a body that is known when this share of the smaller box is in both."""
DISGUISE_MOST = 0.7
"""How little somebody may look like the person who is looked for."""


class Tracks:
    """max_people: how many are followed at once. subject: who is, of more people (see `Challenge`)."""

    def __init__(self, max_people: int, ids: Iterator[int], subject: str = "largest") -> None:
        self.max_people = max_people
        self._ids = ids
        self._tracks: list[Track] = []
        self._hidden = Hidden()
        self._probe: Track | None = None
        self._challenge = Challenge(subject)

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
        then = {track: box for track in self._tracks if (box := track.box_at(detections.frame_id)) is not None}
        matched = pairs(then, boxes)
        for track, box in then.items():
            if track in matched:
                track.confirmed(boxes[matched[track]], box)
            elif evident(box, detections.searched_xyxy, [*boxes, *(other for key, other in then.items() if key is not track)]):
                track.misses += 1
        free = [box for index, box in enumerate(boxes) if index not in matched.values()]
        for box in sorted(free, key=lambda box: -np.prod(box[2:] - box[:2])):
            self._start(box, detections)
        self._end(detections.captured_at)

    def crops(self, frame_id: int, captured_at: float, image: np.ndarray, intrinsics: Intrinsics) -> list[Crop]:
        """Where the engine shall look in a frame: at every track, and for somebody who is missing or may be followed instead."""
        sought = self._hidden.sought(captured_at, (image.shape[1], image.shape[0])) if len(self) < self.max_people else None
        self._probe = Track(sought[1], sought[0]) if sought else None
        return [self._crop(image, track, captured_at, intrinsics) for track in self._looked_at()]

    def posed(self, frame_id: int, captured_at: float, image: np.ndarray, poses: list[Pose]) -> list[Pose]:
        """Take the engine's answers for the crops, in their order; give those to publish, with the ids that they belong to."""
        people = {track: _credible(pose, track) for track, pose in zip(self._looked_at(), poses)}
        for track, pose in people.items():
            track.posed(frame_id, captured_at, pose)
        people = {track: pose for track, pose in people.items() if pose.person is not None}
        seen = {track: sight_of(image, pose.person, captured_at) for track, pose in people.items() if pose.person}
        self._take_in_probe(people, seen)
        self._take_in_challenger(people, captured_at)
        self._hide_doubles(people, seen)
        for track in [track for track in self._tracks if track in seen]:
            self._identify(track, seen)
        self._end(captured_at)
        return [_named(people[track], track) for track in self._tracks if track in people]

    def _looked_at(self) -> list[Track]:
        return [*self._tracks, *(track for track in (self._probe, self._challenge.track) if track is not None)]

    def _crop(self, image: np.ndarray, track: Track, captured_at: float, intrinsics: Intrinsics) -> Crop:
        """Where to look for a track's person, without the people in front of them."""
        others = [
            other.person for other in self._tracks if other is not track and other.person is not None and not other.failures
        ]
        hiding = in_front(track.box_xyxy, track.depth_m, others)
        track.cover = cover_of(image.shape[1::-1], hiding, intrinsics[0]) if hiding else None
        clear = image if track.cover is None else painted(image, track.box_xyxy, track.cover)
        return Crop(clear, track.box_xyxy, track.track_id, captured_at, intrinsics, track.state)

    def _start(self, box_xyxy: np.ndarray, detections: Detections) -> None:
        """Follow a detection that is no track, unless it shows a part of one."""
        now = [track.box_xyxy for track in self._tracks]
        then = [box for track in self._tracks if (box := track.box_at(detections.frame_id)) is not None]
        if (covered(box_xyxy, np.array(now + then, np.float32).reshape(-1, 4)) > PART).any():
            return
        if len(self._tracks) < self.max_people:
            self._tracks.append(Track(box_xyxy))
        else:
            self._challenge.start(box_xyxy, self._tracks, detections.captured_at)

    def _take_in_probe(self, people: dict[Track, Pose], seen: dict[Track, Sight]) -> None:
        """Follow whom a probe found, if it is the one who was looked for."""
        probe, self._probe = self._probe, None
        if probe is None or probe not in seen or probe.identity is None:
            return
        who, probe.identity = probe.identity, None
        if not self._known(probe, people) and who.likely(seen[probe]) and who.disguise(seen[probe]) < DISGUISE_MOST:
            self._tracks.append(probe)

    def _take_in_challenger(self, people: dict[Track, Pose], captured_at: float) -> None:
        """Follow a challenger instead of somebody else, if it has won."""
        decided = self._challenge.decide(self._tracks)
        if decided is None or self._known(decided[0], people):
            return
        winner, loser = decided
        self._tracks[self._tracks.index(loser)] = winner
        self._hide(loser, captured_at, None)

    def _known(self, found: Track, people: dict[Track, Pose]) -> bool:
        """Whether what was found is a body that is followed."""
        return found in people and any(same_body(people[found], people[track]) for track in self._tracks if track in people)

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
        if track.identity is not None and track.lasting:
            track.identity.behind = track.cover is not None or rival is not None
            self._hidden.hide(track.identity, captured_at, rival)

    def _identify(self, track: Track, seen: dict[Track, Sight]) -> None:
        """Say who a new track is: somebody who was hidden, or somebody new."""
        sight = seen[track]
        if track.identity is None:
            track.identity = self._find(sight, seen) or Identity(next(self._ids), sight)
        track.identity.seen(sight, clear=track.cover is None)

    def _find(self, sight: Sight, seen: dict[Track, Sight]) -> Identity | None:
        """The hidden person that a sight fits best. If their rival fits it better, the two change places."""
        found = self._hidden.find(sight)
        if found is None:
            return None
        rival, other = found.rival, next((track for track in self._tracks if track.identity is found.rival), None)
        self._hidden.reveal(found)
        if rival is None or other is None or other not in seen:
            return found
        keep = found.unlike(sight) + rival.unlike(seen[other])
        change = found.unlike(seen[other]) + rival.unlike(sight)
        if keep <= change:
            return found
        other.identity = found
        return rival

    def _end(self, captured_at: float) -> None:
        """Stop following whom nobody sees any more; forget who has been away for too long."""
        for track in [track for track in self._tracks if track.misses >= MISSES or track.failures >= MISSES]:
            self._tracks.remove(track)
            self._hide(track, captured_at, None)
        self._hidden.forget(captured_at)


def _doubt(track: Track, seen: dict[Track, Sight]) -> float:
    """How unlikely it is that what a track shows is its person; somebody unknown is the least likely."""
    return track.identity.unlike(seen[track]) if track.identity else float("inf")


def _credible(pose: Pose, track: Track) -> Pose:
    """The pose, unless its person is hidden by somebody and the engine only guessed."""
    if pose.person is None or track.cover is None or not guessed(pose.person, track.cover):
        return pose
    return Pose(None, track.box_xyxy, track.state, "hidden")


def _named(pose: Pose, track: Track) -> Pose:
    assert pose.person is not None
    return pose._replace(person=msgspec.structs.replace(pose.person, track_id=track.track_id))
