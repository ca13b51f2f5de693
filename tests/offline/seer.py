"""Parts of a fast chain: the synthetic detector, and an engine whose state counts the frames of each person."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from remi_stream.capture.footage import Footage, FrameSelection, VideoFootage
from remi_stream.detect.detector import load_detector
from remi_stream.offline.chain import OfflineChain
from remi_stream.offline.job import JobResult, JobSettings, run_job
from remi_stream.pose.engine import SyntheticEngine
from remi_stream.tracking.crop import Crop, Pose


class Memory(NamedTuple):
    """times: number of frames with the person."""

    times: np.ndarray


class Counting(SyntheticEngine):
    """Engine whose scores fall with every earlier frame of a person. calls_of: people in each call."""

    def __init__(self, is_stateless: bool = False) -> None:
        super().__init__(0.0, 0, 0)
        self.is_stateless = is_stateless
        self.has_gates = False
        self.calls_of: list[int] = []

    def infer(self, crops: list[Crop]) -> list[Pose]:
        self.calls_of.append(len(crops))
        return [self._remember(crop, pose) for crop, pose in zip(crops, super().infer(crops))]

    def _remember(self, crop: Crop, pose: Pose) -> Pose:
        times = 1 + (int(crop.state.times[0]) if isinstance(crop.state, Memory) else 0)
        assert pose.person
        person = msgspec.structs.replace(pose.person, score=1 / times)
        return Pose(person, pose.next_box_xyxy, None if self.is_stateless else Memory(np.array([times])))


def chain(engine: SyntheticEngine | None = None, people: int = 4, pictures: int = 2) -> OfflineChain:
    return OfflineChain(engine or Counting(), [load_detector("synthetic"), load_detector("synthetic")], people, pictures)


def opened(path: Path, selection: FrameSelection | None = None, name: str = "") -> VideoFootage:
    found = VideoFootage(path, name or path.stem, selection or FrameSelection(), None)
    found.open()
    return found


def worked(
    footage: Footage, out: Path, on_frame: Any = lambda bodies: None, using: OfflineChain | None = None, **settings: Any
) -> JobResult:
    """Run a job in chunks of seven frames."""
    own = using or chain()
    try:
        own_settings = JobSettings(**{"fingerprint": "", "detector": "synthetic", "chunk_frames": 7, **settings})
        return run_job(footage, out, own, own_settings, on_frame)
    finally:
        own.close()


def files(folder: Path) -> dict[str, bytes]:
    """The bytes of all files in a folder, by path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
