"""REMI's packets: half turn of the root, translation in the viewer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.rows import Entries, Row, compare
from remi_stream.remi.wire import RemiPacket, make_packet

GROUP = "remi"
TOLERANCE = 2e-5


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """Check with the poses of the group rot and the cameras of cam; there may be more poses."""
    vectors, cameras = entries["rot.out.axis_angle"], entries["cam.in.pred_cam"]
    shape = np.zeros(10)
    poses = [make_packet(pose[:3], pose[3:], shape, cameras[0, 1:]) for pose in vectors]
    moved = [make_packet(vectors[0, :3], vectors[0, 3:], shape, camera[1:]) for camera in cameras]
    for name in ("poses_root", "poses_body"):
        yield compare(f"remi.out.{name}", rows(poses, name), entries[f"remi.out.{name}"], TOLERANCE)
    yield compare("remi.out.trans", rows(moved, "trans"), entries["remi.out.trans"], TOLERANCE)


def rows(packets: list[RemiPacket], name: str) -> np.ndarray:
    """Stack one field of several packets."""
    return np.concatenate([getattr(packet, name) for packet in packets])
