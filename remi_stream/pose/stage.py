"""Pose stage: runs the engine on the newest frame of each camera and publishes the bodies."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from remi_stream.config import Config
from remi_stream.geometry import Intrinsics, default_intrinsics
from remi_stream.messages import Bodies, DetectionInterval, Detections, Frame
from remi_stream.paths import sample_boxes
from remi_stream.pose.engine import Engine, load_engine
from remi_stream.stage import TRACK_IDS_PER_LIFE, StageSpec
from remi_stream.tracking.crop import Crop, Pose
from remi_stream.tracking.tracker import Tracker
from remi_stream.transport.mailbox import FrameRequest

SEARCH_INTERVAL_S, STABLE_INTERVAL_S, REPEAT_INTERVAL_S = 0.1, 0.5, 1.0
"""Interval of the detector while a track is missing or new, and otherwise; period after which the interval is sent again."""
MAX_SEARCH_INTERVAL_S, MAX_STABLE_INTERVAL_S = 1.0, 2.0
"""Maximum of these intervals when the engine takes few frames of a camera."""
STABLE_FRAMES = 5
"""Minimum number of frames between two detections of a stable camera."""
GAP_WEIGHT = 0.2
"""Weight of the newest gap in the mean time between two frames."""
FIXED_TRACK_ID = 1
"""Track id of the person of `FixedBoxes`."""


class PoseStage:
    """Tracks the people of each camera and runs its engine on their crops."""

    def __init__(self, config: Config, life: int = 0) -> None:
        self.facts: dict[str, str] = {}
        self.counts: Counter[str] = Counter(inferences=0, inference_people=0, inference_us=0)
        """Engine runs, people in them, and their duration, µs."""
        self._config = config
        self._ids: Iterator[int] = itertools.count(1 + life * TRACK_IDS_PER_LIFE)
        self._trackers: dict[tuple[str, int], Tracker | FixedBoxes] = {}
        self._sent_intervals: dict[str, tuple[float, float]] = {}
        self._gaps: dict[str, FrameGap] = {}

    def open(self) -> None:
        """Load each engine once; cameras with the same engine share it."""
        cv2.setNumThreads(1)  # OpenCV's threads would compete with the network's
        config = self._config
        names = dict.fromkeys(config.engine_by_camera.values())
        loaded = {name: load_engine(name, config.threads, config.options_for_engine(name), config.sensitivity) for name in names}
        self._engines: dict[str, Engine] = {camera: loaded[name] for camera, name in config.engine_by_camera.items()}
        engines = loaded.values()
        self.facts = {
            "engine": _joined_names(each.name for each in engines),
            "runtime": _joined_names(each.runtime_name for each in engines),
        }

    def request(self, camera: str) -> FrameRequest:
        """Request the whole newest frame, without a pause."""
        return FrameRequest()

    def step(self, message: Frame | Detections) -> Iterable[Bodies | DetectionInterval]:
        """Estimate the poses in a frame, or update the tracks with detections."""
        if isinstance(message, Detections):
            if (message.camera, message.epoch) in self._trackers:
                self._trackers[message.camera, message.epoch].update_detections(message)
            return []
        tracks = self._tracks(message.camera, message.epoch)
        intrinsics = message.intrinsics or default_intrinsics(*message.size)
        crops = tracks.crops(message.frame_id, message.captured_at, message.image, intrinsics)
        poses = self._infer(message.camera, crops) if crops else []
        poses = tracks.update_poses(message.frame_id, message.captured_at, message.image, poses)
        return [self._bodies(message, intrinsics, poses), *self._detection_interval(message, tracks)]

    def close(self) -> None:
        """Do nothing: the process ends with the stage."""

    def _infer(self, camera: str, crops: list[Crop]) -> list[Pose]:
        started_at = time.perf_counter()
        poses = self._engines[camera].infer(crops)
        duration_us = round((time.perf_counter() - started_at) * 1e6)
        self.counts.update(inferences=1, inference_people=len(crops), inference_us=duration_us)
        return poses

    def _tracks(self, camera: str, epoch: int) -> Tracker | FixedBoxes:
        """Return the tracker of a camera; that of an earlier epoch is dropped."""
        if (camera, epoch) not in self._trackers:
            self._trackers = {key: tracks for key, tracks in self._trackers.items() if key[0] != camera}
            config = self._config
            tracks = FixedBoxes() if config.boxes == "truth" else Tracker(config.max_people, self._ids, config.subject)
            self._trackers[camera, epoch] = tracks
        return self._trackers[camera, epoch]

    def _bodies(self, frame: Frame, intrinsics: tuple[float, float, float, float], poses: list[Pose]) -> Bodies:
        return Bodies(
            camera=frame.camera,
            epoch=frame.epoch,
            frame_id=frame.frame_id,
            captured_at=frame.captured_at,
            stamps=frame.stamps,
            skipped=frame.skipped,
            engine=self._engines[frame.camera].name,
            size=frame.size,
            intrinsics=intrinsics,
            people=[pose.person for pose in poses if pose.person is not None],
        )

    def _detection_interval(self, frame: Frame, tracks: Tracker | FixedBoxes) -> list[DetectionInterval]:
        """Send the detector its interval: on change, and once a second in case it was restarted."""
        gap = self._gaps.setdefault(frame.camera, FrameGap())
        interval = detection_interval_s(tracks.is_stable, gap.add(frame.captured_at))
        sent, sent_at = self._sent_intervals.get(frame.camera, (0.0, float("-inf")))
        if sent == interval and frame.captured_at - sent_at < REPEAT_INTERVAL_S:
            return []
        self._sent_intervals[frame.camera] = (interval, frame.captured_at)
        return [DetectionInterval(camera=frame.camera, interval_s=interval)]


def detection_interval_s(is_stable: bool, frame_gap_s: float) -> float:
    """Interval of the detector for a camera of which the engine takes a frame every frame_gap_s seconds.

    A detection between two of these frames would only take processor time from them when many cameras share it.
    """
    if is_stable:
        return round(min(max(STABLE_INTERVAL_S, STABLE_FRAMES * frame_gap_s), MAX_STABLE_INTERVAL_S), 1)
    return round(min(max(SEARCH_INTERVAL_S, frame_gap_s), MAX_SEARCH_INTERVAL_S), 1)


class FrameGap:
    """Mean time between the frames that the engine takes of one camera, s."""

    def __init__(self) -> None:
        self._mean_s = 0.0
        self._last_at: float | None = None

    def add(self, captured_at: float) -> float:
        """Add a frame; return the mean, s."""
        if self._last_at is not None:
            # limited, or one outage of the camera would slow the search for the people after it
            gap = min(max(0.0, captured_at - self._last_at), MAX_STABLE_INTERVAL_S)
            self._mean_s += GAP_WEIGHT * (gap - self._mean_s)
        self._last_at = captured_at
        return self._mean_s


class FixedBoxes:
    """Replaces `Tracker` when `boxes` is "truth", to measure an engine without detector and tracking.

    It has one person, with the sample clip's ground-truth boxes, which poses do not move.
    """

    is_stable = True

    def __init__(self) -> None:
        self._boxes = sample_boxes()
        self._state: object | None = None

    def update_detections(self, detections: Detections) -> None:
        """Ignore detections."""

    def crops(self, frame_id: int, captured_at: float, image: np.ndarray, intrinsics: Intrinsics) -> list[Crop]:
        """Return the crop of a frame's ground-truth box; frame ids count on when the clip repeats."""
        box = self._boxes[frame_id % len(self._boxes)]
        return [Crop(image, box, FIXED_TRACK_ID, captured_at, intrinsics, self._state)]

    def update_poses(self, frame_id: int, captured_at: float, image: np.ndarray, poses: list[Pose]) -> list[Pose]:
        """Keep the engine's state; return every accepted pose."""
        self._state = poses[0].state
        return [pose for pose in poses if pose.person is not None]


def _joined_names(names: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(names))


def make_pose_stage(spec: StageSpec) -> PoseStage:
    """Make the pose stage of a StageSpec."""
    return PoseStage(spec.config, spec.restarts)
