"""POCO's uncertainty: per joint, accumulated along the kinematic chain, and per person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from parity.rows import Entries, Row, compare
from remi_stream.pose.smpl_regressor import (
    MAX_PELVIS_VARIANCE,
    accumulate_variance,
    confidence_from_variance,
    mask_unreliable,
    person_variance,
)

GROUP = "uncert"
TOLERANCE = 2e-5


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """Check both networks, plain and accumulated."""
    own = entries["uncert.in.var_pose"]
    for variant in MAX_PELVIS_VARIANCE:
        for way, variance in (("plain", own), ("kin", accumulate_variance(own))):
            group = f"uncert.{variant.removeprefix('poco_')}.{way}.out"
            values = {
                "var": variance,
                "global": person_variance(variance, variant),
                "var_after_global": mask_unreliable(variance, variant),
                "conf": confidence_from_variance(variance),
            }
            yield from (compare(f"{group}.{name}", got, entries[f"{group}.{name}"], TOLERANCE) for name, got in values.items())
