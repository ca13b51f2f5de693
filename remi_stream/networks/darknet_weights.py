"""Darknet `.weights` files: numbers without names, in the order of the cfg."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from remi_stream.errors import RemiError
from remi_stream.networks.darknet import Darknet

HEADER_BYTES = 20
"""Five int32: major, minor, revision, then the images seen in training (low, high)."""


def read_darknet_weights(path: Path, network: Darknet) -> dict[str, Tensor]:
    """Read a network's state dict from its `.weights` file; the network may be on the meta device."""
    data = path.read_bytes()
    expected = HEADER_BYTES + 4 * count_weights(network)
    if len(data) != expected:
        raise RemiError(f"{path.name} has {len(data)} bytes, but this network's weights take {expected}.")
    return state_dict_from_numbers(np.frombuffer(data, "<f4", offset=HEADER_BYTES), network)


def state_dict_from_numbers(numbers: np.ndarray, network: Darknet) -> dict[str, Tensor]:
    """Build a state dict from numbers (N,) float32, without the header."""
    if len(numbers) != count_weights(network):
        raise RemiError(f"Got {len(numbers)} weights, but this network has {count_weights(network)}.")
    state, start = {}, 0
    for key, shape in weight_layout(network):
        end = start + shape.numel()
        state[key] = torch.from_numpy(numbers[start:end].astype(np.float32)).reshape(shape)
        start = end
    return state | {key: torch.zeros((), dtype=torch.int64) for key in network.state_dict() if key not in state}


def numbers_from_state_dict(state: dict[str, Tensor], network: Darknet) -> np.ndarray:
    """Return the numbers (N,) float32 of a state dict in `.weights` order, without the header."""
    return np.concatenate([state[key].float().cpu().numpy().ravel() for key, _ in weight_layout(network)])


def count_weights(network: Darknet) -> int:
    """Return how many numbers a network's `.weights` file has, without the header."""
    return sum(shape.numel() for _, shape in weight_layout(network))


def weight_layout(network: Darknet) -> Iterator[tuple[str, torch.Size]]:
    """Iterate over keys and shapes in file order: per convolution, bias, scale, mean, variance, weight; or bias, weight."""
    for index, layer in enumerate(network.module_list):
        names = {type(child): f"module_list.{index}.{name}" for name, child in layer.named_children()}
        if nn.Conv2d not in names:
            continue
        convolution, norm = names[nn.Conv2d], names.get(nn.BatchNorm2d)
        before = (
            [f"{norm}.{part}" for part in ("bias", "weight", "running_mean", "running_var")] if norm else [f"{convolution}.bias"]
        )
        for key in (*before, f"{convolution}.weight"):
            owner, _, leaf = key.rpartition(".")
            yield key, getattr(network.get_submodule(owner), leaf).shape
