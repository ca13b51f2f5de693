"""Offline chain of detector, tracker and engine: every frame, in order, deterministic.

The detector runs on every frame, and only detected people get a pose. An engine with state per person gets it back: BlazePose
uses its last region of interest once the detector has confirmed the person. The detector sees the whole image and all tiles,
whose detections are merged. Detectors run ahead in threads; a detection depends on its frame only, so threads do not change the
result.
"""

from __future__ import annotations

import queue
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec
import numpy as np

from remi_stream.capture.preprocess import render_view
from remi_stream.detect.detection_file import DetectionFile
from remi_stream.detect.detector import BatchDetector, Detector, Rectangle, ScoredBoxes, detector_tiles
from remi_stream.detect.stage import boxes_in_full_image
from remi_stream.geometry import intersection_over_smaller, iou
from remi_stream.messages import Bodies, Frame, Person
from remi_stream.pose.engine import Engine
from remi_stream.prefetch import DaemonExecutor, ordered_map
from remi_stream.recordings.results import DETECTED_BOX_KEY, DETECTED_SCORE_KEY
from remi_stream.tracking.crop import Crop, Pose
from remi_stream.tracking.offline import OfflineTrack, OfflineTracker
from remi_stream.tracking.tracker import is_same_body

SAME_PERSON_IOU, SAME_PERSON_COVERAGE = 0.4, 0.6
"""Boxes of two tiles are of one person above this IoU; if a tile's edge cuts one off, above this share of the smaller box."""
TILE_EDGE_PX = 2.0
"""A box this close to a tile's edge is cut off by it."""
DETECTOR_THREADS = 2
"""Detectors, each in its own thread. tools/bench_offline.py: with two the chain has 0.8 of the speed of its networks alone."""


class DetectedFrame(NamedTuple):
    """A frame with its detections, assigned to people."""

    frame: Frame
    detections: ScoredBoxes
    people: list[tuple[OfflineTrack, int]]
    """Each with the index of its box."""
    crops: list[Crop]
    """Of the people, in the same order."""


class OfflineChain:
    """Runs detectors and an engine over frames.

    engine_batch: batch size of the engine; it spans frames only if the engine is stateless or the images are independent.
    detector_batch: batch size of the detector. counts: frames "detected" and "posed" so far.
    """

    def __init__(
        self, engine: Engine, detectors: Sequence[Detector | DetectionFile], engine_batch: int, detector_batch: int
    ) -> None:
        self.engine = engine
        self._engine_batch, self._detector_batch = engine_batch, detector_batch
        self._idle_detectors: queue.Queue[Detector | DetectionFile] = queue.Queue()
        for detector in detectors:
            self._idle_detectors.put(detector)
        self.counts = Counter(detected=0, posed=0)
        self._pool = DaemonExecutor(len(detectors), "detect")

    def close(self) -> bool:
        """Stop the detector threads; returns whether all have ended: one that hangs is left behind."""
        self._pool.shutdown()
        return not self._pool.is_running

    def run(self, frames: Iterable[Frame], tracker: OfflineTracker, *, independent: bool) -> Iterator[Bodies]:
        """Estimate all people in these frames. independent: images are independent, no tracks between them."""
        pending: list[DetectedFrame] = []
        # the tracker needs frames in order, so assignment stays in this thread; only detection runs ahead
        for frame, found in self._detections(frames):
            pending.append(self._assign(frame, found, OfflineTracker(tracker.max_people) if independent else tracker))
            if self._is_full(pending, independent):
                yield from self._pose(pending, tracker, independent)
                pending = []
        yield from self._pose(pending, tracker, independent)

    def _is_full(self, pending: list[DetectedFrame], independent: bool) -> bool:
        # an engine with state needs a frame's results before the next frame
        together = self._engine_batch if self.engine.is_stateless or independent else 1
        return sum(len(detected.crops) for detected in pending) >= together or len(pending) >= together

    def _detections(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, ScoredBoxes]]:
        groups = ordered_map(self._pool, self._detect, batched(frames, self._detector_batch), self._idle_detectors.qsize())
        for group in groups:
            self.counts["detected"] += len(group)
            yield from group

    def _detect(self, frames: list[Frame]) -> list[tuple[Frame, ScoredBoxes]]:
        """Detect people with a detector that no other thread uses meanwhile."""
        detector = self._idle_detectors.get()
        try:
            return list(zip(frames, detect_people(detector, frames)))
        finally:
            self._idle_detectors.put(detector)

    def _assign(self, frame: Frame, found: ScoredBoxes, tracker: OfflineTracker) -> DetectedFrame:
        assert frame.intrinsics
        people = tracker.assign(frame.image, found, frame.captured_at)
        crops = [
            Crop(frame.image, found.boxes_xyxy[index], track.track_id, frame.captured_at, frame.intrinsics, track.engine_state)
            for track, index in people
        ]
        return DetectedFrame(frame, found, people, crops)

    def _pose(self, batch: list[DetectedFrame], tracker: OfflineTracker, independent: bool) -> Iterator[Bodies]:
        """Estimate all people in a batch with one inference."""
        crops = [crop for detected in batch for crop in detected.crops]
        poses = iter(self.engine.infer(crops) if crops else [])
        for detected in batch:
            own = list(islice(poses, len(detected.crops)))
            frame_tracker = OfflineTracker() if independent else tracker
            self.counts["posed"] += 1
            yield self._bodies(detected, accepted_people(detected, own, frame_tracker))

    def _bodies(self, detected: DetectedFrame, people: list[Person]) -> Bodies:
        frame = detected.frame
        assert frame.intrinsics
        return Bodies(
            camera=frame.camera,
            epoch=frame.epoch,
            frame_id=frame.frame_id,
            captured_at=frame.captured_at,
            engine=self.engine.name,
            size=frame.size,
            intrinsics=frame.intrinsics,
            people=people,
        )


def accepted_people(detected: DetectedFrame, poses: list[Pose], tracker: OfflineTracker) -> list[Person]:
    """People of a frame, oldest track first, without duplicate bodies; keeps the engine's state in their tracks."""
    accepted: list[Pose] = []
    people = []
    for (track, index), pose in zip(detected.people, poses):
        if pose.person is None:
            continue
        if any(is_same_body(pose, other) for other in accepted):
            # two detections of one body: the older track is in `accepted` already
            tracker.drop_track(track)
            continue
        track.engine_state = pose.state
        accepted.append(pose)
        people.append(_with_detection(pose.person, tracker.assign_track_id(track), detected.detections, index))
    return people


def _with_detection(person: Person, track_id: int, found: ScoredBoxes, index: int) -> Person:
    """The person with a track id and the detector's box and score."""
    arrays = {DETECTED_BOX_KEY: found.boxes_xyxy[index], DETECTED_SCORE_KEY: found.scores[index : index + 1]}
    native = {**person.native, **{name: np.array(values, np.float32) for name, values in arrays.items()}}
    return msgspec.structs.replace(person, track_id=track_id, native=native)


def batched(frames: Iterable[Frame], size: int) -> Iterator[list[Frame]]:
    """Batches of `size` frames, the last one shorter."""
    rest = iter(frames)
    while group := list(islice(rest, size)):
        yield group


def detect_people(detector: Detector | DetectionFile, frames: Sequence[Frame]) -> list[ScoredBoxes]:
    """Detect people in each frame: boxes (N, 4) float32 px of the full image, best first, with scores."""
    if isinstance(detector, DetectionFile):
        return detector.detect_frames(frames)
    views = [detector_tiles(detector.name, frame.size) for frame in frames]
    tiles = [_tile_frame(detector, frame, view) for frame, rectangles in zip(frames, views) for view in rectangles]
    found = iter(
        [_to_full_image(tile, found) for tile, found in zip(tiles, detect_images(detector, [tile.image for tile in tiles]))]
    )
    return [
        merge_tile_detections([(view, next(found)) for view in rectangles], frame.size)
        for frame, rectangles in zip(frames, views)
    ]


def detect_images(detector: Detector, images: Sequence[np.ndarray]) -> list[ScoredBoxes]:
    """Detect people in images (H, W, 3) uint8 BGR, in one batch if the detector supports it."""
    if isinstance(detector, BatchDetector):
        return detector.detect_batch(images)
    return [detector.detect(image) for image in images]


def _tile_frame(detector: Detector, frame: Frame, rectangle: Rectangle) -> Frame:
    return render_view(frame, msgspec.structs.replace(detector.view, rectangle=rectangle))


def _to_full_image(tile: Frame, found: ScoredBoxes) -> ScoredBoxes:
    return found._replace(boxes_xyxy=boxes_in_full_image(found.boxes_xyxy, tile))


def merge_tile_detections(tiles: list[tuple[Rectangle, ScoredBoxes]], size: tuple[int, int]) -> ScoredBoxes:
    """Merge the detections of several tiles of an image of (width, height) px, each person once.

    Boxes of one tile never suppress each other. Of the other tiles, new boxes are added: first complete ones by IoU, since a
    small person may stand in front of a large box, then those that a tile's edge cuts off, by coverage.
    """
    cut = [_cut_off(found.boxes_xyxy, rectangle, size) for rectangle, found in tiles]
    boxes, scores, tile = np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, int)
    for is_cut, is_same in ((False, _same_by_iou), (True, _same_by_coverage)):
        for number, (_, found) in enumerate(tiles):
            others = boxes[tile != number]
            new = [at for at in np.flatnonzero(cut[number] == is_cut) if not is_same(found.boxes_xyxy[at], others).any()]
            boxes, scores = np.concatenate([boxes, found.boxes_xyxy[new]]), np.concatenate([scores, found.scores[new]])
            tile = np.concatenate([tile, np.full(len(new), number)])
    best = np.argsort(-scores, kind="stable")  # stable: equal scores keep their order on every machine
    return ScoredBoxes(boxes[best], scores[best])


def _same_by_iou(box_xyxy: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    return iou(box_xyxy, boxes_xyxy) > SAME_PERSON_IOU


def _same_by_coverage(box_xyxy: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    return intersection_over_smaller(box_xyxy, boxes_xyxy) > SAME_PERSON_COVERAGE


def _cut_off(boxes_xyxy: np.ndarray, rectangle: Rectangle, size: tuple[int, int]) -> np.ndarray:
    """Whether a tile's edge inside the image cuts off each of the boxes (N, 4): (N,) bool."""
    x0, y0, x1, y1 = rectangle
    near = np.abs(boxes_xyxy - np.array(rectangle)) < TILE_EDGE_PX
    # at the image border a person is cut off by the image, which no other tile can repair
    inner = np.array([x0 > 0, y0 > 0, x1 < size[0], y1 < size[1]])
    return (near & inner).any(1)
