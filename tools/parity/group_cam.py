"""The mesh regressors' cameras: of the crop, of the full picture, in metres."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.rows import Entries, Row, compare
from remi_stream.geometry import default_intrinsics, project
from remi_stream.pose.weak_camera import crop_translation, picture_from_square, translation, whole_picture

GROUP = "cam"
RELATIVE = 1e-4
"""Where something is divided by a small number."""


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """The boxes and the picture are those of the group poco; the projection is run from its own translation."""
    height, width = entries["image_rgb"].shape[:2]
    cameras, boxes = entries["cam.in.pred_cam"], entries["poco.in.bbox_cxcywh"]
    middles, sides = boxes[:, :2], boxes[:, 2]
    intrinsics = default_intrinsics(width, height)
    found = whole_picture(cameras, middles, sides, (width, height))
    yield compare("cam.out.orig_cam", found, entries["cam.out.orig_cam"], 1e-6, 1e-6)
    yield compare("cam.out.weak_to_persp_t", crop_translation(cameras), entries["cam.out.weak_to_persp_t"], 1e-5, RELATIVE)
    places = translation(cameras, middles, sides, intrinsics)
    yield compare("cam.out.fullimg_t", places, entries["cam.out.fullimg_t"], 1e-5, RELATIVE)
    pixels = picture_from_square(entries["cam.in.joints2d_norm"], middles, sides)
    yield compare("cam.out.joints2d_px", pixels, entries["cam.out.joints2d_px"], 1e-3, 1e-6)
    points = np.asarray(entries["cam.in.points3d"], np.float64) + places[:, None]
    yield compare("cam.out.points2d_fullimg", project(points, intrinsics), entries["cam.out.points2d_fullimg"], 1e-3, RELATIVE)
