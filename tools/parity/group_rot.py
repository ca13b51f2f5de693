"""Rotations: 6D to matrices, matrices to axis-angle, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from parity.rows import Entries, Row, compare
from remi_stream.geometry import axis_angle_from_matrices, matrices_from_axis_angle, rotation_matrices_from_6d

GROUP = "rot"
TOLERANCE = 2e-5


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """Check the conversions as a chain, each on the result before."""
    matrices = rotation_matrices_from_6d(entries["rot.in.rot6d"])
    yield compare("rot.out.rotmat", matrices, entries["rot.out.rotmat"], TOLERANCE)
    vectors = axis_angle_from_matrices(matrices).reshape(entries["rot.out.axis_angle"].shape)
    yield compare("rot.out.axis_angle", vectors, entries["rot.out.axis_angle"], TOLERANCE)
    yield compare(
        "rot.out.rodrigues", matrices_from_axis_angle(entries["rot.in.axis_angle"]), entries["rot.out.rodrigues"], TOLERANCE
    )
