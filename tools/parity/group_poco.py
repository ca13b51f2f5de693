"""Crops of POCO and PARE, and their position in the image."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from parity.rows import Entries, Row, compare
from remi_stream.geometry import default_intrinsics
from remi_stream.networks.network import find_network
from remi_stream.networks.served import ServedNetwork
from remi_stream.pose.crop import SquareCrop, cliff_bbox_info, crop_affine, square_crop_affine, warp_crop, warp_crops

GROUP = "poco"
SIZE = (224, 224)
LEVELS, MEAN_LEVEL = 4, 0.05
"""Grey levels by which versions of OpenCV differ: single pixels, and the mean."""
EXACT_PX = 1e-9


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """Check crops of the golden image, and normalisation on the golden crops, so that a grey level counts only once."""
    image, boxes = entries["image_rgb"], entries["poco.in.bbox_cxcywh"]
    affines = np.stack([crop_affine((x, y), (w, h), SIZE) for x, y, w, h in boxes])
    crops = np.stack([warp_crop(image, affine, SIZE) for affine in affines])
    yield compare("poco.out.affine", affines, entries["poco.out.affine"], EXACT_PX)
    yield from crop_rows("poco.out.crop_rgb_u8", crops, entries)
    exact = normalise(entries["poco.out.crop_rgb_u8"])[:, :, ::8, ::8]
    yield compare("poco.out.norm_sub8", exact, entries["poco.out.norm_sub8"], 2e-6, 1e-6)
    yield from product_rows(image, boxes, entries)
    yield from other_sizes(image, boxes, entries)


def product_rows(image: np.ndarray, boxes: np.ndarray, entries: Entries) -> Iterator[Row]:
    """Check the same with the functions that engines call, on a BGR image, as cameras deliver it."""
    height, width = image.shape[:2]
    intrinsics = default_intrinsics(width, height)
    squares = [SquareCrop(x, y, max(w, h)) for x, y, w, h in boxes]
    affines = np.stack([square_crop_affine(square, SIZE[0]) for square in squares])
    crops = warp_crops([image[..., ::-1].copy()] * len(squares), affines, SIZE)
    yield from crop_rows("poco.out.crop_rgb_u8", crops, entries, "from BGR, ")
    infos = np.stack([cliff_bbox_info(square, intrinsics) for square in squares])
    yield compare("poco.out.bbox_info", infos, entries["poco.out.bbox_info"], 2e-6, 1e-6)
    yield compare("poco.out.scale", [square.side / 200 for square in squares], entries["poco.out.scale"], EXACT_PX)
    yield compare("poco.out.focal_length", intrinsics[0], entries["poco.out.focal_length"], EXACT_PX)


def other_sizes(image: np.ndarray, boxes: np.ndarray, entries: Entries) -> Iterator[Row]:
    """Check an enlarged box with a larger crop, and a box that is not square."""
    x, y, w, h = boxes[3]
    larger = entries["poco.out.crop13_rgb_u8"]
    size = larger.shape[1::-1]
    crop = warp_crop(image, crop_affine((x, y), (w * 1.3, h * 1.3), size), size)
    yield from crop_rows("poco.out.crop13_rgb_u8", crop, entries)
    x, y, w, h = entries["poco.in.nonsquare_bbox"]
    affine = crop_affine((x, y), (w, h), SIZE)
    yield compare("poco.out.nonsquare_affine", affine, entries["poco.out.nonsquare_affine"], EXACT_PX)
    yield from crop_rows("poco.out.nonsquare_crop_sub4", warp_crop(image, affine, SIZE)[::4, ::4], entries)


def crop_rows(name: str, crops: np.ndarray, entries: Entries, how: str = "") -> Iterator[Row]:
    """Compare every pixel, and the mean."""
    expected = entries[name]
    yield compare(f"{name} [{how}pixel]" if how else name, crops, expected, LEVELS)
    same_shape = crops.shape == expected.shape
    mean = float(np.abs(crops.astype(float) - expected).mean()) if same_shape else math.inf
    yield Row(f"{name} [{how}mean]", mean, MEAN_LEVEL, "grey levels")


def normalise(crops: np.ndarray) -> np.ndarray:
    """Normalise crops (N, H, W, 3) uint8 RGB as the exported graph does: (N, 3, H, W) float32."""
    preprocessing = ServedNetwork(find_network("poco_pare"), nn.Identity())
    tensor: np.ndarray = preprocessing(torch.from_numpy(crops)).numpy()
    return tensor
