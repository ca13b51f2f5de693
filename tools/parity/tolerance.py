"""Tolerances of network outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.rows import Row, compare

LEAST = 2e-5
"""Minimum absolute tolerance."""
SHARE = 1e-4
"""Relative to an array's largest value if the manifest suggests nothing, and to each result of an ill-conditioned division."""
JOINTS_SUMMED = 10
"""At most this many variances are summed, from the pelvis to a hand; also used for the mean of a person."""


def output_row(name: str, output: str, got: np.ndarray, expected: np.ndarray, accuracy: dict[str, Any]) -> Row:
    """Compare an output. accuracy: by output, the reference's own error from the manifest.

    A name without an entry uses the entry of its longest prefix (heatmap_sub4: heatmap).
    """
    known = max((key for key in accuracy if output.startswith(key)), key=len, default=None)
    if output.endswith("_cam_t"):
        return compare(name, got, expected, accuracy[known]["suggested_atol"] if known else LEAST, SHARE)
    if known:
        return compare(name, got, expected, accuracy[known]["suggested_atol"])
    if output.startswith("uncert_") and "var_pose" in accuracy and output != "uncert_feat":
        return compare(name, got, expected, JOINTS_SUMMED * accuracy["var_pose"]["suggested_atol"])
    if expected.dtype.kind in "iu":
        return compare(name, got, expected, 0)
    largest = float(np.abs(expected).max(initial=0))
    row = compare(name, got, expected, max(LEAST, SHARE * largest))
    return row._replace(rule=row.rule.replace("absolute", f"{SHARE:g} of the largest"))


def statistics_row(name: str, got: np.ndarray, expected: np.ndarray) -> Row:
    """Compare summary statistics, each relative to its scale; the row's error is in that unit."""
    scale = max(abs(float(expected[3])), abs(float(expected[4])), 1e-12)
    units = np.array([scale, scale, max(float(expected[2]), 1e-12), scale, scale])
    return compare(name, got / units, expected / units, SHARE)._replace(rule="share of the largest")
