"""Who is who from frame to frame: tracks start with a detection, carry their boxes by the pose, and end.

A track keeps its boxes by frame_id for two seconds, so that a detection, which comes late, is matched to the tracks of its own
frame. It ends after three searches that missed it, or three poses in a row that failed the engine's gates.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from remi_stream.messages import Detections
from remi_stream.pose.engine import Pose

KEEP_S = 2.0
MATCH_IOU = 0.3
MISSES = 3
BLEND = 0.2
SURE_POSES = 5


class Track:
    """One person: id, the box to look at next (4,) float32 px, and what the engine remembers."""

    def __init__(self, track_id: int, box_xyxy: np.ndarray) -> None:
        self.track_id = track_id
        self.box_xyxy = box_xyxy
        self.state: object | None = None
        self.poses = self.failures = self.misses = 0
        self._history: dict[int, tuple[float, np.ndarray]] = {}

    @property
    def sure(self) -> bool:
        """Whether it has a pose by now, and its last ones did not fail."""
        return self.poses >= SURE_POSES and not self.failures and not self.misses

    def box_at(self, frame_id: int) -> np.ndarray | None:
        """The box it had in a frame of the last two seconds."""
        entry = self._history.get(frame_id)
        return entry[1] if entry else None

    def posed(self, frame_id: int, captured_at: float, pose: Pose) -> None:
        """Take the engine's answer for a frame."""
        self._history[frame_id] = (captured_at, self.box_xyxy)
        self._history = {key: entry for key, entry in self._history.items() if captured_at - entry[0] <= KEEP_S}
        if pose.person is None:
            self.failures += 1
            return
        self.poses, self.failures = self.poses + 1, 0
        self.box_xyxy, self.state = pose.next_box_xyxy, pose.state
        self._history[frame_id] = (captured_at, pose.person.box_xyxy)

    def confirmed(self, box_xyxy: np.ndarray, box_then: np.ndarray) -> None:
        """Take a detection that matched the box of its frame: move a little towards it, entirely after a failed pose."""
        self.misses = 0
        weight = 1.0 if self.failures else BLEND
        self.box_xyxy = (self.box_xyxy + weight * (box_xyxy - box_then)).astype(np.float32)


class Tracks:
    """The people in front of one camera."""

    def __init__(self, max_people: int, ids: Iterator[int]) -> None:
        self.max_people = max_people
        self._ids = ids
        self._tracks: list[Track] = []

    def __iter__(self) -> Iterator[Track]:
        return iter(self._tracks)

    def __len__(self) -> int:
        return len(self._tracks)

    @property
    def settled(self) -> bool:
        """Whether somebody is there and every track is sure: the detector need not hurry."""
        return bool(self._tracks) and all(track.sure for track in self._tracks)

    def detected(self, detections: Detections) -> None:
        """Match detections to the tracks of their frame; start, confirm and miss tracks."""
        free = list(range(len(detections.boxes_xyxy)))
        for track in self._tracks:
            then = track.box_at(detections.frame_id)
            if then is None:
                continue
            match = _best(then, detections.boxes_xyxy, free)
            if match is not None:
                free.remove(match)
                track.confirmed(detections.boxes_xyxy[match], then)
            elif _searched(then, detections.searched_xyxy):
                track.misses += 1
        for index in sorted(free, key=lambda i: -detections.scores[i]):
            self._start(detections.boxes_xyxy[index])
        self._end()

    def posed(self, frame_id: int, captured_at: float, poses: list[Pose]) -> None:
        """Take the engine's answers for the tracks, in their order."""
        for track, pose in zip(self._tracks, poses):
            track.posed(frame_id, captured_at, pose)
        self._end()

    def _start(self, box_xyxy: np.ndarray) -> None:
        near = [track for track in self._tracks if overlap(track.box_xyxy, box_xyxy[None])[0] > MATCH_IOU]
        if not near and len(self._tracks) < self.max_people:
            self._tracks.append(Track(next(self._ids), box_xyxy))

    def _end(self) -> None:
        self._tracks = [track for track in self._tracks if track.misses < MISSES and track.failures < MISSES]


def overlap(box_xyxy: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    """Intersection over union of one box (4,) with boxes (N, 4), px: (N,)."""
    size = np.minimum(box_xyxy[2:], boxes_xyxy[:, 2:]) - np.maximum(box_xyxy[:2], boxes_xyxy[:, :2])
    shared = np.prod(np.clip(size, 0, None), axis=1)
    areas = np.prod(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], axis=1) + np.prod(box_xyxy[2:] - box_xyxy[:2])
    return shared / np.maximum(areas - shared, 1e-9)


def _best(box_xyxy: np.ndarray, boxes_xyxy: np.ndarray, free: list[int]) -> int | None:
    if not free:
        return None
    scores = overlap(box_xyxy, boxes_xyxy[free])
    best = int(scores.argmax())
    return free[best] if scores[best] > MATCH_IOU else None


def _searched(box_xyxy: np.ndarray, searched_xyxy: np.ndarray) -> bool:
    """Whether a searched region (M, 4) holds the middle of the box and most of it."""
    size = np.minimum(box_xyxy[2:], searched_xyxy[:, 2:]) - np.maximum(box_xyxy[:2], searched_xyxy[:, :2])
    area = np.prod(np.clip(size, 0, None), axis=1)
    return bool((area > 0.7 * np.prod(box_xyxy[2:] - box_xyxy[:2])).any())
