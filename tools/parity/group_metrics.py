"""Metrics of REMI's pose program: per frame, and its CSV row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np

from parity.csv_rows import cell_rows, split
from parity.rows import Entries, Row, compare, same
from remi_stream.measure.motion import WINDOW_S
from remi_stream.measure.remi_metrics import POSE_COLUMNS, PoseMeter, PoseObservation
from remi_stream.measure.table import format_number, format_row
from remi_stream.pose.crop import full_image_weak_camera

GROUP = "metrics"
FRAMES = {
    "pose_change": "pose_change",
    "translation_change": "translation_change",
    "joint_pos_change": "joint_change_mm",
    "shape_var": "shape_variance",
    "detection_rate": "detection_rate",
}
"""Names of the values in the npz, and ours."""
RELATIVE = 1e-6


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """Check the values per frame, and the CSV row if the manifest belongs to these vectors."""
    meter, observations = PoseMeter(), observations_of(entries)
    times, loops = entries["metrics.in.t"], entries["metrics.in.loop_seconds"]
    values = [meter.add(float(at), float(loop_s), observation) for at, loop_s, observation in zip(times, loops, observations)]
    for key, name in FRAMES.items():
        entry = f"metrics.out.per_frame.{key}"
        got = np.array([getattr(value, name) for value in values])
        yield numbers(entry, got, entries[entry])
    if not belongs(entries, manifest):
        return
    header, expected = map(split, manifest["metrics_csv_rows"])
    means = meter.means(float(entries["metrics.in.record_time"]))
    yield same("metrics.csv header", list(POSE_COLUMNS), header)
    yield from cell_rows("metrics.csv row", format_row(datetime.fromisoformat(expected[0]), expected[1:2], means), expected)


def observations_of(entries: Entries) -> Iterator[PoseObservation | None]:
    """Read the inputs of each frame; None without a detection."""
    height, width = entries["image_rgb"].shape[:2]
    for k, rate in enumerate(entries["metrics.in.detection_rate"]):
        box = entries["metrics.in.bbox"][k]
        camera = full_image_weak_camera(entries["metrics.in.pred_cam"][k], box[:2], box[2], (width, height))
        rotations, betas, vertices = (entries[f"metrics.in.{name}"][k] for name in ("rotmat_body", "betas", "vertices"))
        yield PoseObservation(rotations, betas, vertices, camera) if rate else None


def numbers(entry: str, got: np.ndarray, expected: np.ndarray) -> Row:
    """Compare values; NaN must be at the same frames."""
    if not np.array_equal(np.isnan(got), np.isnan(expected)):
        return same(entry, "NaN at other frames", "NaN at the same frames")
    return compare(entry, np.nan_to_num(got), np.nan_to_num(expected), 1e-6, RELATIVE)


def belongs(entries: Entries, manifest: dict[str, Any]) -> bool:
    """Whether the manifest belongs to these vectors: compares the mean latency, which needs almost no computation."""
    if len(rows := manifest.get("metrics_csv_rows", ())) != 2:
        return False
    recent = entries["metrics.in.t"] >= entries["metrics.in.record_time"] - WINDOW_S
    return format_number(float(entries["metrics.in.loop_seconds"][recent].mean() * 1000)) == split(rows[1])[3]
