"""Metrics of REMI's pose program and of its relay, with REMI's definitions, so that numbers compare with its authors' tables.

Some column names do not say what is measured: see the fields of the values. Metrics with exact definitions: measure/motion.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from remi_stream.body.known_bodies import Retargeter, retargeter_to_known_body
from remi_stream.geometry import Intrinsics, matrices_from_axis_angle
from remi_stream.measure.kinematics import NAN
from remi_stream.measure.motion import WINDOW_S, SlidingWindow
from remi_stream.messages import Bodies, Smpl
from remi_stream.remi.wire import rotate_to_y_up, viewer_translation

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
        # None too: after a frame without people there is no change, as in REMI
        self._last = observation
        self._window.add(at, values)
        return values

    def means(self, now: float) -> list[float]:
        """Return the means over the last seconds, in column order."""
        return self._window.means(now) or [NAN] * len(PoseValues._fields)


def pose_changes(before: PoseObservation, after: PoseObservation) -> dict[str, float]:
    """Return the changes between consecutive frames by field name, in the precision of the network's outputs."""
    # scaled before the difference, in float32, as REMI does: the last digits in its files depend on it
    distances_mm = np.linalg.norm(after.vertices_m * np.float32(1000) - before.vertices_m * np.float32(1000), axis=1)
    return {
        "pose_change": np.linalg.norm(after.rotations - before.rotations, axis=(1, 2)).sum(),
        "translation_change": np.linalg.norm(1000 * (after.camera - before.camera)),
        "joint_change_mm": distances_mm.mean(),
    }


ORIGIN = np.zeros(3)
"""REMI measures the mesh about the body's origin, without the translation."""


def observe_pose(bodies: Bodies, retarget_for: Callable[[str], Retargeter] = retargeter_to_known_body) -> PoseObservation | None:
    """Return the first person of a frame with a SMPL pose, or None. Takes some milliseconds: a whole mesh is posed.

    retarget_for: retarget to the body whose vertices are measured.
    """
    smpl = next((person.smpl for person in bodies.people if person.smpl), None)
    if smpl is None:
        return None
    retarget = retarget_for(smpl.body)
    pose = retarget.retarget(smpl)
    return PoseObservation(
        matrices_from_axis_angle(smpl.body_pose.reshape(-1, 3)).astype(np.float32),
        smpl.betas,
        retarget.target.vertices(pose.global_orient, pose.body_pose, pose.betas, ORIGIN).astype(np.float32),
        full_image_camera(smpl, bodies.size, bodies.intrinsics),
    )


def full_image_camera(smpl: Smpl, size: tuple[int, int], intrinsics: Intrinsics) -> np.ndarray:
    """Return the weak-perspective camera of the full image, (4,) sx, sy, tx, ty, exact at the body's origin.

    It projects a point (x, y), m, of the body to sx (x + tx), sy (y + ty) in an image whose edges are -1 and 1.
    """
    fx, fy, cx, cy = intrinsics
    x, y, z = smpl.transl.astype(np.float64)
    width, height = size
    return np.array([2 * fx / (z * width), 2 * fy / (z * height), x + (cx - width / 2) * z / fx, y + (cy - height / 2) * z / fy])


RELAY_COLUMNS = (
    "Timestamp",
    "Condition",
    "FilterSetting",
    "Avg Relay Packet Processing FPS",
    "Avg Filter Latency (ms)",
    "Avg Raw Pose Body Change",
    "Avg Filtered Pose Body Change",
    "Avg Raw Pose Root Change",
    "Avg Filtered Pose Root Change",
    "Avg Raw Trans Change (mm)",
    "Avg Filtered Trans Change (mm)",
    "Avg Raw Betas Variance",
    "Avg Filtered Betas Variance",
)
"""Columns of REMI's file; Condition repeats the preset's name."""
RELAY_FILE = "relay_filter_metrics_avg.csv"
MAX_ROWS = 480
"""Size of REMI's buffer: later packets replace the oldest."""
MIN_INTERVAL_S = 1e-6
"""For shorter intervals the rate is reported as 0."""
STREAM_SCALES = {"poses_body": 1.0, "poses_root": 1.0, "trans": 1000.0}
"""Streams whose change is measured, with the scale to the table's unit."""

StreamArrays = Mapping[str, np.ndarray]


class FilteredPackets(NamedTuple):
    """Consecutive packets before and after a filter."""

    received_at: np.ndarray
    """(N,) s."""
    since_last_s: np.ndarray
    """(N,) s since the packet before; NaN for the first of all."""
    filter_s: np.ndarray
    """(N,) computing time of the filter, s."""
    raw: StreamArrays
    """Each stream before the filter: (N, K)."""
    filtered: StreamArrays
    """Each stream after the filter: (N, K)."""


def packets_from_poses(received_at: np.ndarray, filter_s: np.ndarray, raw: np.ndarray, filtered: np.ndarray) -> FilteredPackets:
    """Convert poses (N, 85), global_orient, body_pose, betas and transl, to REMI's packets; times (N,) as in FilteredPackets.

    The translation refers to the full image, in metres; REMI's program only knows it for the crop.
    """
    since_last_s = np.diff(received_at, prepend=NAN)
    return FilteredPackets(received_at, since_last_s, filter_s, streams_from_poses(raw), streams_from_poses(filtered))


def streams_from_poses(poses: np.ndarray) -> StreamArrays:
    """Convert poses (N, 85) to REMI's four streams."""
    root, body, betas, transl = np.split(poses.reshape(-1, 85), np.cumsum([3, 69, 10]), axis=1)
    return {
        "poses_body": body,
        "poses_root": rotate_to_y_up(root),
        "betas": betas,
        "trans": viewer_translation(transl[:, :2].astype(np.float64)),
    }


class RelayValues(NamedTuple):
    """Values of packets, (N,) each: norms of changes since the previous packet, and the variance among the ten betas."""

    fps: np.ndarray
    filter_ms: np.ndarray
    raw_body: np.ndarray
    filtered_body: np.ndarray
    raw_root: np.ndarray
    filtered_root: np.ndarray
    raw_trans_mm: np.ndarray
    filtered_trans_mm: np.ndarray
    raw_betas: np.ndarray
    filtered_betas: np.ndarray


def measure_packets(packets: FilteredPackets) -> RelayValues:
    """Measure each packet; the first has no changes (NaN)."""
    # `not <=` instead of `>`: NaN, of the first packet, must stay NaN and not become 0
    has_rate = ~(packets.since_last_s <= MIN_INTERVAL_S)
    fps = np.divide(1.0, packets.since_last_s, out=np.zeros(len(has_rate)), where=has_rate)
    both = packets.raw, packets.filtered
    changes = [scale * stream_changes(side[name]) for name, scale in STREAM_SCALES.items() for side in both]
    variances = [np.var(side["betas"].astype(np.float64), axis=1) for side in both]
    return RelayValues(fps, packets.filter_s * 1000, *changes, *variances)


def relay_means(packets: FilteredPackets, now: float) -> list[float]:
    """Return the means over the last five seconds before now, in column order; NaN where nothing was measured."""
    recent = np.flatnonzero(packets.received_at >= now - WINDOW_S)[-MAX_ROWS:]
    columns = [column[recent] for column in measure_packets(packets)]
    known = [column[~np.isnan(column)] for column in columns]
    return [float(column.mean()) if len(column) else NAN for column in known]


def stream_changes(stream: np.ndarray) -> np.ndarray:
    """Return the norm of a stream's (N, K) change since the packet before, (N,); NaN for the first."""
    return np.linalg.norm(np.diff(stream.astype(np.float64), axis=0, prepend=NAN), axis=1)
