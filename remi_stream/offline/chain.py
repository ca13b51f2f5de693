"""Offline chain of detector, tracker and engine: every frame, in order, deterministic.

The detector runs on every frame, and only detected people get a pose. An engine with state per person gets it back: BlazePose
uses its last region of interest once the detector has confirmed the person. Detectors run ahead in threads; a detection depends
on its frame only, so threads do not change the result.
"""

from __future__ import annotations

import queue
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import msgspec
import numpy as np

from remi_stream.detect.detector import Detector, ScoredBoxes
from remi_stream.messages import Bodies, Frame, Person
from remi_stream.offline.ahead import ordered_map
from remi_stream.offline.following import OfflineTrack, OfflineTracker
from remi_stream.offline.given import DetectionFile
from remi_stream.offline.results import DETECTED_BOX_KEY, DETECTED_SCORE_KEY
from remi_stream.offline.search import detect_people
from remi_stream.pose.engine import Crop, Engine, Pose
from remi_stream.pose.matching import is_same_body

DETECTOR_THREADS = 2
"""Detectors, each in its own thread; more gain nothing beside the engine's threads."""


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

    engine_batch: batch size of the engine; it spans frames only if the engine is stateless (`memoryless = True`) or the images are
    independent. detector_batch: batch size of the detector.
    """

    def __init__(
        self, engine: Engine, detectors: Sequence[Detector | DetectionFile], engine_batch: int, detector_batch: int
    ) -> None:
        self.engine = engine
        self._memoryless = bool(getattr(engine, "memoryless", False))
        self._engine_batch, self._detector_batch = engine_batch, detector_batch
        self._idle_detectors: queue.Queue[Detector | DetectionFile] = queue.Queue()
        for detector in detectors:
            self._idle_detectors.put(detector)
        self._pool = ThreadPoolExecutor(len(detectors), thread_name_prefix="detect")

    def close(self) -> None:
        """Stop the detector threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, frames: Iterable[Frame], tracker: OfflineTracker, *, independent: bool) -> Iterator[Bodies]:
        """Estimate all people in these frames. independent: images are independent, no tracks between them."""
        pending: list[DetectedFrame] = []
        for frame, found in self._detections(frames):
            pending.append(self._assign(frame, found, OfflineTracker(tracker.max_people) if independent else tracker))
            if self._is_full(pending, independent):
                yield from self._pose(pending, tracker, independent)
                pending = []
        yield from self._pose(pending, tracker, independent)

    def _is_full(self, pending: list[DetectedFrame], apart: bool) -> bool:
        together = self._engine_batch if self._memoryless or apart else 1
        return sum(len(seen.crops) for seen in pending) >= together or len(pending) >= together

    def _detections(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, ScoredBoxes]]:
        groups = ordered_map(self._pool, self._detect, batched(frames, self._detector_batch), self._idle_detectors.qsize())
        return (seen for group in groups for seen in group)

    def _detect(self, frames: list[Frame]) -> list[tuple[Frame, ScoredBoxes]]:
        """Detect people with a detector that no other thread uses meanwhile."""
        detector = self._idle_detectors.get()
        try:
            return list(zip(frames, detect_people(detector, frames)))
        finally:
            self._idle_detectors.put(detector)

    def _assign(self, frame: Frame, found: ScoredBoxes, following: OfflineTracker) -> DetectedFrame:
        assert frame.intrinsics
        people = following.assign(frame.image, found, frame.captured_at)
        crops = [
            Crop(frame.image, found.boxes_xyxy[index], track.track_id, frame.captured_at, frame.intrinsics, track.engine_state)
            for track, index in people
        ]
        return DetectedFrame(frame, found, people, crops)

    def _pose(self, batch: list[DetectedFrame], following: OfflineTracker, apart: bool) -> Iterator[Bodies]:
        """Estimate all people in a batch with one inference."""
        crops = [crop for seen in batch for crop in seen.crops]
        poses = iter(self.engine.infer(crops) if crops else [])
        for seen in batch:
            own = list(islice(poses, len(seen.crops)))
            tracker = OfflineTracker() if apart else following
            yield self._bodies(seen, accepted_people(seen, own, tracker))

    def _bodies(self, seen: DetectedFrame, people: list[Person]) -> Bodies:
        frame = seen.frame
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
            tracker.drop_track(track)
            continue
        track.engine_state = pose.state
        accepted.append(pose)
        people.append(_with_detection(pose.person, tracker.assign_track_id(track), detected.detections, index))
    return people


def _with_detection(person: Person, track_id: int, found: ScoredBoxes, index: int) -> Person:
    """The person with a track id and the detector's box and score."""
    detected = {DETECTED_BOX_KEY: found.boxes_xyxy[index], DETECTED_SCORE_KEY: found.scores[index : index + 1]}
    native = {**person.native, **{name: np.array(values, np.float32) for name, values in detected.items()}}
    return msgspec.structs.replace(person, track_id=track_id, native=native)


def batched(frames: Iterable[Frame], size: int) -> Iterator[list[Frame]]:
    """Batches of `size` frames, the last one shorter."""
    rest = iter(frames)
    while group := list(islice(rest, size)):
        yield group
