"""Synthetic engine without a network, for tests: a standing person after a set delay, with faults on demand."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import numpy as np

from remi_stream.messages import Person
from remi_stream.models.manifest import Manifest
from remi_stream.pose.engine import Crop, Pose


def open_synthetic_engine(manifest: Manifest, runtime: str, settings: dict[str, Any]) -> SyntheticEngine:
    """Make the synthetic engine; the settings are the manifest's options."""
    return SyntheticEngine(**settings)


class SyntheticEngine:
    """Takes delay_s per call; call number crash_after kills the process, call number hang_after never returns."""

    name = "synthetic"
    runtime_name = "none"

    def __init__(self, delay_s: float, crash_after: float, hang_after: float, threads: int = 1) -> None:
        self.delay_s = delay_s
        self.crash_after, self.hang_after = int(crash_after), int(hang_after)
        self.calls = 0

    def infer(self, crops: list[Crop]) -> list[Pose]:
        """Return a person with one joint at the centre of each box."""
        self.calls += 1
        if self.calls == self.crash_after:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.calls == self.hang_after:
            time.sleep(3600)
        time.sleep(self.delay_s)
        return [self._pose(crop) for crop in crops]

    def _pose(self, crop: Crop) -> Pose:
        box = crop.box_xyxy.astype(np.float32)
        person = Person(
            track_id=crop.track_id,
            score=1.0,
            box_xyxy=box,
            skeleton="point",
            keypoints_px=((box[:2] + box[2:]) / 2)[None],
            keypoint_scores=np.ones(1, np.float32),
            joints_m=np.array([[0, 0, 3]], np.float32),
        )
        return Pose(person, box)
