"""Cameras of the mesh regressors: weak perspective of the crop, of the full image, translation in metres."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.rows import Entries, Row, compare
from remi_stream.geometry import default_intrinsics, project
from remi_stream.pose.crop import crop_camera_transl, full_image_weak_camera, square_to_image, transl_from_weak_camera

GROUP = "cam"
RELATIVE = 1e-4
"""Relative tolerance of results of a division by a small number."""


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """Check with boxes and image of the group poco; the projection uses the translation computed here."""
    height, width = entries["image_rgb"].shape[:2]
    cameras, boxes = entries["cam.in.pred_cam"], entries["poco.in.bbox_cxcywh"]
    centres, sides = boxes[:, :2], boxes[:, 2]
    intrinsics = default_intrinsics(width, height)
    full_image = full_image_weak_camera(cameras, centres, sides, (width, height))
    yield compare("cam.out.orig_cam", full_image, entries["cam.out.orig_cam"], 1e-6, 1e-6)
    yield compare("cam.out.weak_to_persp_t", crop_camera_transl(cameras), entries["cam.out.weak_to_persp_t"], 1e-5, RELATIVE)
    translations = transl_from_weak_camera(cameras, centres, sides, intrinsics)
    yield compare("cam.out.fullimg_t", translations, entries["cam.out.fullimg_t"], 1e-5, RELATIVE)
    pixels = square_to_image(entries["cam.in.joints2d_norm"], centres, sides)
    yield compare("cam.out.joints2d_px", pixels, entries["cam.out.joints2d_px"], 1e-3, 1e-6)
    points = np.asarray(entries["cam.in.points3d"], np.float64) + translations[:, None]
    yield compare("cam.out.points2d_fullimg", project(points, intrinsics), entries["cam.out.points2d_fullimg"], 1e-3, RELATIVE)
