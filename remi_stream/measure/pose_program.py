"""What REMI's pose program measures, with its definitions: the numbers compare with its authors' tables.

Some of them are not what they are called: see the fields of Values. Honest ones are in motion.py.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.measure.window import NAN, WINDOW_S, Window

COLUMNS = (
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
FILE = "pocolib_demo_metrics_avg.csv"
PLAIN_FILE = "pocolib_demo_no_trt_metrics_avg.csv"
"""Where REMI writes them, with TensorRT and without."""
ROWS_PER_S, MORE_S = 60, 2
"""REMI's buffers hold so many rows for each second that is measured, and for two more: 420 for its five."""
SHORTEST_S = 1e-6


class Look(NamedTuple):
    """The first person of a frame.

    rotations: (23, 3, 3), each joint's in its parent, without the root. betas: (10,). vertices_m: (V, 3), the mesh in the crop's
    camera, not moved by the translation. camera: (4,) sx, sy, tx, ty, weak perspective of the full picture.
    """

    rotations: np.ndarray
    betas: np.ndarray
    vertices_m: np.ndarray
    camera: np.ndarray


class Values(NamedTuple):
    """One frame's.

    fps, latency_ms: of the loop, from before the camera was read to its end; what comes before and after is not in it.
    pose_change: summed over the joints, Frobenius norm of the rotation matrices' change. translation_change: length of the
    change of all four numbers of the camera, times 1000: no distance. joint_change_mm: mean over the mesh's vertices.
    shape_variance: over the ten betas of this frame, not over time. detection_rate: 100 or 0.
    """

    fps: float
    latency_ms: float
    pose_change: float = NAN
    translation_change: float = NAN
    joint_change_mm: float = NAN
    shape_variance: float = NAN
    detection_rate: float = 0.0


class PoseMeter:
    """Takes every frame that came to the end of the loop; measures the last seconds, REMI the last five."""

    def __init__(self, seconds: float = WINDOW_S) -> None:
        self._window = Window(round(ROWS_PER_S * (seconds + MORE_S)), seconds)
        self._last: Look | None = None

    def take(self, at: float, loop_s: float, look: Look | None) -> Values:
        """Measure a frame that was begun at this time, s, took loop_s, and shows this person first (None: nobody)."""
        values = Values(1 / loop_s if loop_s > SHORTEST_S else 0.0, loop_s * 1000)
        if look is not None:
            values = values._replace(shape_variance=np.var(look.betas), detection_rate=100.0)
        if look is not None and self._last is not None:
            values = values._replace(**changes(self._last, look))
        self._last = look
        self._window.add(at, values)
        return values

    def means(self, now: float) -> list[float]:
        """The means over the last seconds, in the order of COLUMNS."""
        return self._window.means(now) or [NAN] * len(Values._fields)


def changes(before: Look, after: Look) -> dict[str, float]:
    """What two frames in a row tell, by its name in Values, in the precision of the network's outputs."""
    moved = np.linalg.norm(after.vertices_m * np.float32(1000) - before.vertices_m * np.float32(1000), axis=1)
    return {
        "pose_change": np.linalg.norm(after.rotations - before.rotations, axis=(1, 2)).sum(),
        "translation_change": np.linalg.norm(1000 * (after.camera - before.camera)),
        "joint_change_mm": moved.mean(),
    }
