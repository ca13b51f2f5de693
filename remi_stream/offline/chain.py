"""Offline chain of detector, tracker and engine: every frame, in order, deterministic.

The detector runs on every frame. With an engine that has state per person, people are tracked as live: a pose follows from the
last one, also where the detector misses the person, and a new person is followed back in time too (`Backfill`). A stateless
engine, independent images and the boxes of a detection file get a pose for each detection. Detectors run ahead in threads; a
detection depends on its frame only, so threads do not change the result.
"""

from __future__ import annotations

import queue
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple

import msgspec
import numpy as np

from remi_stream.config import Posture
from remi_stream.detect.detection_file import DetectionFile
from remi_stream.detect.detector import Detector, Rectangle, ScoredBoxes
from remi_stream.detect.search import all_search_passes
from remi_stream.geometry import box_area
from remi_stream.messages import Bodies, Frame, Person
from remi_stream.offline.backfill import Backfill, PosedFrame
from remi_stream.offline.detection import detect_people, is_full_search
from remi_stream.pose.engine import Engine
from remi_stream.prefetch import DaemonExecutor, ordered_map
from remi_stream.recordings.results import DETECTED_BOX_KEY, DETECTED_SCORE_KEY
from remi_stream.tracking.crop import Crop, Pose
from remi_stream.tracking.offline import OfflineTrack, OfflineTracker
from remi_stream.tracking.tracker import is_same_body, match_boxes
from remi_stream.tracking.video_tracker import VideoTracker

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
    detector_batch: batch size of the detector. posture: of the people searched for. counts: frames "detected" and "posed" so far.
    """

    def __init__(
        self,
        engine: Engine,
        detectors: Sequence[Detector | DetectionFile],
        engine_batch: int,
        detector_batch: int,
        posture: Posture = "any",
    ) -> None:
        self.engine = engine
        self._detector, self._posture = detectors[0], posture
        self._chooses = engine.has_gates and not isinstance(detectors[0], DetectionFile)
        """Whether the engine chooses among all detections of an independent image, which may be of the same people."""
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

    def make_tracker(self, max_people: int | None, independent: bool) -> OfflineTracker | VideoTracker:
        """Make the tracker of a run, or of a resumed one."""
        if independent or self.engine.is_stateless or isinstance(self._detector, DetectionFile):
            return OfflineTracker(max_people)
        return VideoTracker(max_people)

    def run(self, frames: Iterable[Frame], tracker: OfflineTracker | VideoTracker, *, independent: bool) -> Iterator[Bodies]:
        """Estimate all people in these frames. independent: images are independent, no tracks between them."""
        if isinstance(tracker, VideoTracker):
            return self._follow(frames, tracker)
        return self._estimate_detected(frames, tracker, independent)

    def _follow(self, frames: Iterable[Frame], tracker: VideoTracker) -> Iterator[Bodies]:
        """Follow people from frame to frame, and back in time from where they were found."""
        backfill = Backfill(self.engine, tracker.max_people)
        for frame, found in self._detections(frames, independent=False):
            crops = tracker.crops(frame, found, self._searched(frame))
            poses = tracker.update_poses(frame, self.engine.infer(crops) if crops else [])
            self.counts["posed"] += 1
            for done in backfill.add(PosedFrame(frame, with_detections(poses, found))):
                yield self._bodies(done.frame, done.people)
        for done in backfill.rest():
            yield self._bodies(done.frame, done.people)

    def _searched(self, frame: Frame) -> list[Rectangle]:
        """Return where everyone was searched for; nowhere if only some passes were."""
        assert not isinstance(self._detector, DetectionFile)
        if not is_full_search(frame, independent=False):
            return []
        return [each.rectangle for each in all_search_passes(self._detector.name, frame.size, "upright")]

    def _estimate_detected(self, frames: Iterable[Frame], tracker: OfflineTracker, independent: bool) -> Iterator[Bodies]:
        """Estimate a pose for each detection."""
        pending: list[DetectedFrame] = []
        # the tracker needs frames in order, so assignment stays in this thread; only detection runs ahead
        for frame, found in self._detections(frames, independent):
            limit = None if self._chooses else tracker.max_people
            pending.append(self._assign(frame, found, OfflineTracker(limit) if independent else tracker))
            if self._is_full(pending, independent):
                yield from self._pose(pending, tracker, independent)
                pending = []
        yield from self._pose(pending, tracker, independent)

    def _is_full(self, pending: list[DetectedFrame], independent: bool) -> bool:
        # an engine with state needs a frame's results before the next frame
        together = self._engine_batch if self.engine.is_stateless or independent else 1
        return sum(len(detected.crops) for detected in pending) >= together or len(pending) >= together

    def _detections(self, frames: Iterable[Frame], independent: bool) -> Iterator[tuple[Frame, ScoredBoxes]]:
        detect = partial(self._detect, independent=independent)
        groups = ordered_map(self._pool, detect, batched(frames, self._detector_batch), self._idle_detectors.qsize())
        for group in groups:
            self.counts["detected"] += len(group)
            yield from group

    def _detect(self, frames: list[Frame], independent: bool) -> list[tuple[Frame, ScoredBoxes]]:
        """Detect people with a detector that no other thread uses meanwhile."""
        detector = self._idle_detectors.get()
        try:
            is_merged = not (independent and self._chooses)
            return list(zip(frames, detect_people(detector, frames, self._posture, independent, is_merged)))
        finally:
            self._idle_detectors.put(detector)

    def _assign(self, frame: Frame, found: ScoredBoxes, tracker: OfflineTracker) -> DetectedFrame:
        assert frame.intrinsics
        people = tracker.assign(frame.image, found, frame.captured_at)
        crops = [
            Crop(
                frame.image,
                found.boxes_xyxy[index],
                track.track_id,
                frame.captured_at,
                frame.intrinsics,
                track.engine_state,
                None if found.circles_px is None else found.circles_px[index],
            )
            for track, index in people
        ]
        return DetectedFrame(frame, found, people, crops)

    def _pose(self, batch: list[DetectedFrame], tracker: OfflineTracker, independent: bool) -> Iterator[Bodies]:
        """Estimate all people in a batch with one inference."""
        crops = [crop for detected in batch for crop in detected.crops]
        poses = iter(self.engine.infer(crops) if crops else [])
        for detected in batch:
            own = list(islice(poses, len(detected.crops)))
            self.counts["posed"] += 1
            if independent and self._chooses:
                people = distinct_people(detected, own, tracker.max_people)
            else:
                people = accepted_people(detected, own, OfflineTracker() if independent else tracker)
            yield self._bodies(detected.frame, people)

    def _bodies(self, frame: Frame, people: list[Person]) -> Bodies:
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


def with_detections(poses: Sequence[Pose], found: ScoredBoxes) -> list[Pose]:
    """Return the poses, each with the detector's box and score if it found the person in this frame."""
    matched = match_boxes({index: pose.person.box_xyxy for index, pose in enumerate(poses) if pose.person}, found.boxes_xyxy)
    return [
        pose._replace(person=_with_detection(pose.person, found, matched[index])) if pose.person and index in matched else pose
        for index, pose in enumerate(poses)
    ]


def accepted_people(detected: DetectedFrame, poses: list[Pose], tracker: OfflineTracker) -> list[Person]:
    """People of a frame without duplicate bodies; keeps the engine's state in their tracks.

    Of two tracks with poses of the same body the one keeps it that it is more like.
    """
    accepted: list[tuple[OfflineTrack, int, Pose]] = []
    image, at = detected.frame.image, detected.frame.captured_at
    posed = [(track, index, pose) for (track, index), pose in zip(detected.people, poses) if pose.person is not None]
    for track, index, pose in sorted(posed, key=lambda each: tracker.unlikeness(each[0], each[2], image, at)):
        if any(is_same_body(pose, other) for _, _, other in accepted):
            tracker.reject(track)
        else:
            accepted.append((track, index, pose))
    people = []
    for track, index, pose in sorted(accepted, key=lambda each: posed_order(posed, each[0])):
        assert pose.person is not None
        tracker.accept(track, pose)
        person = msgspec.structs.replace(pose.person, track_id=tracker.assign_track_id(track))
        people.append(_with_detection(person, detected.detections, index))
    return people


def distinct_people(detected: DetectedFrame, poses: Sequence[Pose], max_people: int | None) -> list[Person]:
    """People of an independent image, best first, of whose poses from several detections the best; at most the largest."""
    posed = [(index, pose) for (_, index), pose in zip(detected.people, poses) if pose.person is not None]
    accepted: list[tuple[int, Pose]] = []
    for index, pose in sorted(posed, key=lambda each: -each[1].person.score if each[1].person else 0.0):
        if not any(is_same_body(pose, other) for _, other in accepted):
            accepted.append((index, pose))
    largest = sorted(accepted, key=lambda each: -float(box_area(each[1].person.box_xyxy)) if each[1].person else 0.0)[:max_people]
    kept = {index for index, _ in largest}
    people = [(index, pose.person) for index, pose in accepted if index in kept and pose.person]
    return [
        _with_detection(msgspec.structs.replace(person, track_id=number), detected.detections, index)
        for number, (index, person) in enumerate(people, 1)
    ]


def posed_order(posed: Sequence[tuple[OfflineTrack, int, Pose]], track: OfflineTrack) -> int:
    """Return the place of a track in a list: oldest first."""
    return next(place for place, (other, _, _) in enumerate(posed) if other is track)


def _with_detection(person: Person, found: ScoredBoxes, index: int) -> Person:
    """The person with the detector's box and score."""
    arrays = {DETECTED_BOX_KEY: found.boxes_xyxy[index], DETECTED_SCORE_KEY: found.scores[index : index + 1]}
    native = {**person.native, **{name: np.array(values, np.float32) for name, values in arrays.items()}}
    return msgspec.structs.replace(person, native=native)


def batched(frames: Iterable[Frame], size: int) -> Iterator[list[Frame]]:
    """Batches of `size` frames, the last one shorter."""
    rest = iter(frames)
    while group := list(islice(rest, size)):
        yield group
