"""AlphaPose: crops, heatmap decoding, flip test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import numpy as np

from parity.rows import Entries, Row, compare
from remi_stream.networks.network import PORTRAIT_INPUT
from remi_stream.pose.crop import (
    ALPHAPOSE_HEIGHT,
    ALPHAPOSE_WIDTH,
    alphapose_affine,
    alphapose_crops,
    boxes_from_crops,
    warp_crops,
)
from remi_stream.pose.heatmaps import HeatmapNorm, decode_argmax, decode_soft_argmax, heatmap_to_image, unflip_heatmaps
from remi_stream.skeletons import JOINT_NAMES, left_right_pairs

GROUP = "alpha"
PX, SHARE = 2e-4, 2e-6
GREYS = 4.0
MEAN_GREYS = 0.05
"""Grey levels by which versions of OpenCV differ in a warp: single pixels, and the mean."""


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """Check each step from its own golden inputs."""
    yield from crop_rows(entries)
    box = entries["alpha.in.decode_box"]
    maps = entries["alpha.in.hm17"]
    yield from decoded_rows("alpha.out.simple", *decode_argmax(maps), maps, box, entries)
    maps = entries["alpha.in.hm26_logits"]
    for norm in get_args(HeatmapNorm):
        yield from decoded_rows(f"alpha.out.regress.{norm}", *decode_soft_argmax(maps, norm), maps, box, entries)
    yield from flip_rows(entries)


def crop_rows(entries: Entries) -> Iterator[Row]:
    """Check the preprocessing from boxes to input tensors."""
    crops = alphapose_crops(entries["alpha.in.boxes_xyxy"])
    yield compare("alpha.out.center_scale", crops, entries["alpha.out.center_scale"], PX)
    yield compare("alpha.out.crop_box", boxes_from_crops(crops), entries["alpha.out.crop_box"], PX)
    affines = [alphapose_affine(crop) for crop in crops]
    yield compare("alpha.out.affine", affines, entries["alpha.out.affine"], PX)
    bgr = np.ascontiguousarray(entries["image_rgb"][..., ::-1])
    images = warp_crops([bgr] * len(crops), np.stack(affines), (ALPHAPOSE_WIDTH, ALPHAPOSE_HEIGHT))
    expected = entries["alpha.out.crop_rgb_u8"]
    yield compare("alpha.out.crop_rgb_u8", images, expected, GREYS)
    error = np.abs(images.astype(float) - expected)
    yield Row("alpha.out.crop_rgb_u8 [mean]", float(error.mean()), MEAN_GREYS, "absolute")
    tensor = (images / np.float32(255) - np.array(PORTRAIT_INPUT.mean, np.float32)) / np.array(PORTRAIT_INPUT.std, np.float32)
    sub8 = tensor.transpose(0, 3, 1, 2)[:, :, ::8, ::8]
    yield compare("alpha.out.tensor_sub8", sub8, entries["alpha.out.tensor_sub8"], GREYS / 255)


def decoded_rows(
    name: str, points: np.ndarray, scores: np.ndarray, maps: np.ndarray, box: np.ndarray, entries: Entries
) -> Iterator[Row]:
    """Check key points in the image, and scores."""
    coordinates = heatmap_to_image(points, box, (maps.shape[-1], maps.shape[-2]))
    yield compare(f"{name}.coords", coordinates, entries[f"{name}.coords"], PX)
    yield compare(f"{name}.scores", scores[:, None], entries[f"{name}.scores"], SHARE)


def flip_rows(entries: Entries) -> Iterator[Row]:
    """Check the heatmaps of the mirrored image, flipped back."""
    pairs = left_right_pairs(JOINT_NAMES["coco17"])
    for name, shift in (("flip_heatmap_noshift", False), ("flip_heatmap_shift_intended", True)):
        maps = unflip_heatmaps(entries["alpha.in.hm17"], pairs, shift)[:, ::2, ::2]
        yield compare(f"alpha.out.{name}", maps, entries[f"alpha.out.{name}"], 0.0)
