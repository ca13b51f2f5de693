"""Crops cut on the device that the network runs on: full pictures go there once, and the CPU touches no pixel of a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

FRACTION_BITS = 5
"""OpenCV looks between pixels in steps of 1/32."""
STEPS = 1 << FRACTION_BITS
PLACE_BITS = 10
"""It adds up places in steps of 1/1024 px."""


class Pictures(NamedTuple):
    """Full pictures of any sizes, in one piece of memory of a device.

    pixels: (P + 1, 3) uint8 BGR, row by row, picture by picture; the last one is black. places: (F, 3) int64, of each picture
    its first pixel, width and height.
    """

    pixels: Tensor
    places: Tensor


class Cutter:
    """Cuts people out of pictures of several cameras on a device ("cpu", "cuda"), with the same bytes as pose/square.py.

    The bound is 0 grey levels: it computes in whole numbers what OpenCV's warpAffine does (bilinear, black outside), and agrees
    with versions 4.10 to 4.14. Only a place that is a million px away from the picture may differ.
    """

    def __init__(self, device: str | torch.device) -> None:
        self._device = torch.device(device)
        self._staging = self._pixels = torch.zeros((0, 3), dtype=torch.uint8)
        self._copied = torch.cuda.Event() if self._device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def cut(self, images: Sequence[np.ndarray], affines: np.ndarray, size: tuple[int, int]) -> Tensor:
        """What a served network reads, (B, height, width, 3) uint8 RGB on the device; it is the caller's.

        images: of each person the full picture, (H, W, 3) uint8 BGR; one that several share goes over once. affines: (B, 2, 3),
        picture px to crop px. size: (width, height) px of the crops.
        """
        distinct = {id(image): image for image in images}
        order = {key: index for index, key in enumerate(distinct)}
        whose = self._sent(np.array([order[id(image)] for image in images], np.int64))
        pictures = self.upload(list(distinct.values()))
        return crops(pictures, whose, self._sent(inverse(affines)), size)

    def upload(self, images: Sequence[np.ndarray]) -> Pictures:
        """Bring pictures (H, W, 3) uint8 BGR to the device; they last until the next call."""
        counts = [image.shape[0] * image.shape[1] for image in images]
        firsts = [sum(counts[:index]) for index in range(len(counts))]
        total = sum(counts)
        self._make_room(total + 1)
        if self._copied:
            self._copied.synchronize()
        staging = self._staging.numpy()
        for image, first, count in zip(images, firsts, counts):
            staging[first : first + count].reshape(image.shape)[:] = image
        staging[total] = 0
        self._copy(total + 1)
        places = [(first, image.shape[1], image.shape[0]) for first, image in zip(firsts, images)]
        return Pictures(self._pixels[: total + 1], self._sent(np.array(places, np.int64).reshape(-1, 3)))

    def _make_room(self, count: int) -> None:
        if len(self._staging) >= count:
            return
        self._staging = torch.empty((count, 3), dtype=torch.uint8, pin_memory=self._copied is not None)
        self._pixels = self._staging if self._device.type == "cpu" else torch.empty_like(self._staging, device=self._device)

    def _copy(self, count: int) -> None:
        if self._pixels is not self._staging:
            self._pixels[:count].copy_(self._staging[:count], non_blocking=self._copied is not None)
        if self._copied:
            self._copied.record()

    def _sent(self, numbers: np.ndarray) -> Tensor:
        return torch.from_numpy(numbers).to(self._device)


def crops(pictures: Pictures, whose: Tensor, inverses: Tensor, size: tuple[int, int]) -> Tensor:
    """Crops (B, height, width, 3) uint8 RGB, everything on the pictures' device.

    whose: (B,) int64, the picture of each. inverses: (B, 2, 3) float64, crop px to picture px. size: (width, height) px.
    """
    places = sampled(inverses, size)
    whole, part = places >> FRACTION_BITS, places & (STEPS - 1)
    first, width, height = pictures.places[whose].T[:, :, None, None, None]
    neighbours = torch.arange(4, device=places.device)
    right, down = neighbours & 1, neighbours >> 1
    x, y = whole[:, 0, ..., None] + right, whole[:, 1, ..., None] + down
    there = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    pixels = pictures.pixels[torch.where(there, first + y * width + x, len(pictures.pixels) - 1)]
    weights = _share(part[:, 0, ..., None], right) * _share(part[:, 1, ..., None], down)
    sums = (pixels * weights.int()[..., None]).sum(-2, dtype=torch.int32)
    half = STEPS * STEPS // 2
    return ((sums + half) >> (2 * FRACTION_BITS)).to(torch.uint8).flip(-1)


def sampled(inverses: Tensor, size: tuple[int, int]) -> Tensor:
    """Where each px of the crops is in the picture, (B, 2, height, width) int64, x and y in 1/32 px, rounded as OpenCV does.

    What a row and what a column adds is rounded apart, to 1/1024 px.
    """
    width, height = size
    across, along = (torch.arange(count, dtype=torch.float64, device=inverses.device) for count in (width, height))
    columns = torch.round(inverses[:, :, 0, None] * across * (1 << PLACE_BITS)).long()
    rows = torch.round((inverses[:, :, 1, None] * along + inverses[:, :, 2, None]) * (1 << PLACE_BITS)).long()
    half = 1 << (PLACE_BITS - FRACTION_BITS - 1)
    return (rows[..., :, None] + half + columns[..., None, :]) >> (PLACE_BITS - FRACTION_BITS)


def inverse(affines: np.ndarray) -> np.ndarray:
    """Crop px to picture px, (B, 2, 3) float64, of affines (B, 2, 3), in OpenCV's order of operations; 0 where there is none."""
    (a, b, x), (c, d, y) = np.asarray(affines, np.float64).transpose(1, 2, 0)
    determinant = a * d - b * c
    scale = np.divide(1.0, determinant, out=np.zeros_like(determinant), where=determinant != 0)
    a, b, c, d = d * scale, -b * scale, -c * scale, a * scale
    return np.stack([np.stack([a, b, -a * x - b * y], -1), np.stack([c, d, -c * x - d * y], -1)], -2)


def _share(part: Tensor, further: Tensor) -> Tensor:
    """How much a neighbour counts along one axis, in 1/32: the nearer, the more."""
    return torch.where(further > 0, part, STEPS - part)
