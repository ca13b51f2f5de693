"""Metrics of REMI's pose program, with its definitions, so that numbers compare with its authors' tables.

Some column names do not say what is measured: see the fields of the values. Exact definitions are in measure/motion.py.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.measure.window import NAN, WINDOW_S, SlidingWindow

POSE_COLUMNS = (
    "Timestamp",
    "Condition",
    "Avg Processing FPS",
    "Avg End-to-End Latency (ms)",
    "Avg Pose Change (Euclidean Dist)",
    "Avg Translation Change (mm)",
    "Avg Joint Position Change (mm)",
    "Avg Shape Param Variance",
    "Avg Detection/Tracking Rate (%)",
)
CONDITIONS = ("Optimal", "Low Light", "Partial Occlusion", "Fast Motion", "Static+Moving Occlusion", "Custom")
"""REMI's conditions of measurement."""
POSE_FILE = "pocolib_demo_metrics_avg.csv"
POSE_FILE_WITHOUT_TENSORRT = "pocolib_demo_no_trt_metrics_avg.csv"
"""REMI's file names, with TensorRT and without."""
ROWS_PER_S, EXTRA_S = 60, 2
"""REMI's buffer size: 60 rows per second of the window plus two seconds, 420 for its five seconds."""
MIN_LOOP_S = 1e-6


class PoseObservation(NamedTuple):
    """The first person of a frame."""

    rotations: np.ndarray
    """(23, 3, 3) rotation matrices of the joints in their parents, without the root."""
    betas: np.ndarray
    """(10,)."""
    vertices_m: np.ndarray
    """(V, 3) m, mesh vertices in the crop's camera axes, without the translation."""
    camera: np.ndarray
    """(4,) weak-perspective camera of the full image: sx, sy, tx, ty."""


class PoseValues(NamedTuple):
    """Values of one frame."""

    fps: float
    """1 / loop time."""
    latency_ms: float
    """Loop time, from before the camera is read to the loop's end, without anything before or after."""
    pose_change: float = NAN
    """Frobenius norm of the rotation matrices' change, summed over the joints."""
    translation_change: float = NAN
    """Norm of the change of the camera's four numbers, times 1000: not a distance."""
    joint_change_mm: float = NAN
    """Mean displacement of the mesh's vertices."""
    shape_variance: float = NAN
    """Variance among the ten betas of this frame, not over time."""
    detection_rate: float = 0.0
    """100 or 0."""


class PoseMeter:
    """Measures every frame at the end of the loop, over the last seconds (REMI: five)."""

    def __init__(self, seconds: float = WINDOW_S) -> None:
        self._window = SlidingWindow(round(ROWS_PER_S * (seconds + EXTRA_S)), seconds)
        self._last: PoseObservation | None = None

    def add(self, at: float, loop_s: float, observation: PoseObservation | None) -> PoseValues:
        """Measure a frame that began at this time, s, and took loop_s. observation: its first person, or None."""
        values = PoseValues(1 / loop_s if loop_s > MIN_LOOP_S else 0.0, loop_s * 1000)
        if observation is not None:
            values = values._replace(shape_variance=np.var(observation.betas), detection_rate=100.0)
        if observation is not None and self._last is not None:
            values = values._replace(**pose_changes(self._last, observation))
        self._last = observation
        self._window.add(at, values)
        return values

    def means(self, now: float) -> list[float]:
        """Return the means over the last seconds, in column order."""
        return self._window.means(now) or [NAN] * len(PoseValues._fields)


def pose_changes(before: PoseObservation, after: PoseObservation) -> dict[str, float]:
    """Return the changes between consecutive frames by field name, in the precision of the network's outputs."""
    distances_mm = np.linalg.norm(after.vertices_m * np.float32(1000) - before.vertices_m * np.float32(1000), axis=1)
    return {
        "pose_change": np.linalg.norm(after.rotations - before.rotations, axis=(1, 2)).sum(),
        "translation_change": np.linalg.norm(1000 * (after.camera - before.camera)),
        "joint_change_mm": distances_mm.mean(),
    }
