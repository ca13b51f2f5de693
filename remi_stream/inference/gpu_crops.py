"""Crops on the GPU: full images are uploaded once and crops are sampled there, bit-identical to OpenCV's warpAffine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

FRACTION_BITS = 5
"""OpenCV interpolates between pixels in steps of 1/32 px."""
SUBPIXEL_STEPS = 1 << FRACTION_BITS
POSITION_BITS = 10
"""OpenCV computes sampling positions in steps of 1/1024 px."""


class ImageBuffer(NamedTuple):
    """Full images of any sizes in one buffer on a device."""

    pixels: Tensor
    """(P + 1, 3) uint8 BGR, image after image, row by row; the last pixel is black and stands for everything outside."""
    extents: Tensor
    """(F, 3) int64: first pixel, width and height of each image."""


class Cropper:
    """Samples crops from images of several cameras on a device ("cpu", "cuda"), bit-identical to those on the CPU.

    It repeats the integer arithmetic of OpenCV's warpAffine (bilinear, black border) and matches versions 4.10 to 4.14
    exactly; only positions a million px outside the image may differ.
    """

    def __init__(self, device: str | torch.device) -> None:
        self._device = torch.device(device)
        self._staging = self._pixels = torch.zeros((0, 3), dtype=torch.uint8)
        self._copied = torch.cuda.Event() if self._device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def crop(self, images: Sequence[np.ndarray], affines: np.ndarray, size: tuple[int, int]) -> Tensor:
        """Return crops (B, height, width, 3) uint8 RGB on the device; the caller owns them.

        images: each person's full image, (H, W, 3) uint8 BGR; a shared one is uploaded once. affines: (B, 2, 3), image px to
        crop px. size: (width, height) px of the crops.
        """
        distinct = {id(image): image for image in images}
        order = {key: index for index, key in enumerate(distinct)}
        image_indices = self._to_device(np.array([order[id(image)] for image in images], np.int64))
        buffer = self.upload(list(distinct.values()))
        return gather_crops(buffer, image_indices, self._to_device(inverse_affines(affines)), size)

    def upload(self, images: Sequence[np.ndarray]) -> ImageBuffer:
        """Upload images (H, W, 3) uint8 BGR to the device; they are valid until the next call."""
        counts = [image.shape[0] * image.shape[1] for image in images]
        firsts = [sum(counts[:index]) for index in range(len(counts))]
        total = sum(counts)
        self._reserve(total + 1)
        if self._copied:
            self._copied.synchronize()  # the previous copy may still read the staging buffer
        staging = self._staging.numpy()
        for image, first, count in zip(images, firsts, counts):
            staging[first : first + count].reshape(image.shape)[:] = image
        staging[total] = 0
        self._copy(total + 1)
        extents = [(first, image.shape[1], image.shape[0]) for first, image in zip(firsts, images)]
        return ImageBuffer(self._pixels[: total + 1], self._to_device(np.array(extents, np.int64).reshape(-1, 3)))

    def _reserve(self, count: int) -> None:
        if len(self._staging) >= count:
            return
        self._staging = torch.empty((count, 3), dtype=torch.uint8, pin_memory=self._copied is not None)
        self._pixels = self._staging if self._device.type == "cpu" else torch.empty_like(self._staging, device=self._device)

    def _copy(self, count: int) -> None:
        if self._pixels is not self._staging:
            self._pixels[:count].copy_(self._staging[:count], non_blocking=self._copied is not None)
        if self._copied:
            self._copied.record()

    def _to_device(self, numbers: np.ndarray) -> Tensor:
        return torch.from_numpy(numbers).to(self._device)


def gather_crops(images: ImageBuffer, image_indices: Tensor, inverses: Tensor, size: tuple[int, int]) -> Tensor:
    """Sample crops (B, height, width, 3) uint8 RGB with bilinear interpolation on the images' device.

    image_indices: (B,) int64, each crop's image. inverses: (B, 2, 3) float64, crop px to image px. size: (width, height) px.
    """
    positions = sampling_positions(inverses, size)
    whole, fraction = positions >> FRACTION_BITS, positions & (SUBPIXEL_STEPS - 1)
    first, width, height = images.extents[image_indices].T[:, :, None, None, None]
    neighbours = torch.arange(4, device=positions.device)
    right, down = neighbours & 1, neighbours >> 1
    x, y = whole[:, 0, ..., None] + right, whole[:, 1, ..., None] + down
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    pixels = images.pixels[torch.where(inside, first + y * width + x, len(images.pixels) - 1)]
    weights = _weight(fraction[:, 0, ..., None], right) * _weight(fraction[:, 1, ..., None], down)
    sums = (pixels * weights.int()[..., None]).sum(-2, dtype=torch.int32)
    half = SUBPIXEL_STEPS * SUBPIXEL_STEPS // 2
    return ((sums + half) >> (2 * FRACTION_BITS)).to(torch.uint8).flip(-1)


def sampling_positions(inverses: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the image position of each crop pixel, (B, 2, height, width) int64, x and y in 1/32 px, rounded as OpenCV does.

    Row and column terms are rounded separately, to 1/1024 px.
    """
    width, height = size
    across, along = (torch.arange(count, dtype=torch.float64, device=inverses.device) for count in (width, height))
    columns = torch.round(inverses[:, :, 0, None] * across * (1 << POSITION_BITS)).long()
    rows = torch.round((inverses[:, :, 1, None] * along + inverses[:, :, 2, None]) * (1 << POSITION_BITS)).long()
    half = 1 << (POSITION_BITS - FRACTION_BITS - 1)
    return (rows[..., :, None] + half + columns[..., None, :]) >> (POSITION_BITS - FRACTION_BITS)


def inverse_affines(affines: np.ndarray) -> np.ndarray:
    """Invert affines (B, 2, 3), float64, in OpenCV's order of operations; a singular one becomes zeros."""
    (a, b, x), (c, d, y) = np.asarray(affines, np.float64).transpose(1, 2, 0)
    determinant = a * d - b * c
    scale = np.divide(1.0, determinant, out=np.zeros_like(determinant), where=determinant != 0)
    a, b, c, d = d * scale, -b * scale, -c * scale, a * scale
    return np.stack([np.stack([a, b, -a * x - b * y], -1), np.stack([c, d, -c * x - d * y], -1)], -2)


def _weight(fraction: Tensor, offset: Tensor) -> Tensor:
    """Bilinear weight of a neighbour along one axis, in 1/32."""
    return torch.where(offset > 0, fraction, SUBPIXEL_STEPS - fraction)
