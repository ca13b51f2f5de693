"""Recipe for pseudo-random weights that depend only on a tensor's name, its shape and a seed.

Weights have zero mean over the inputs of each output: otherwise a deep network maps every input to the same output.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np

Shapes = Mapping[str, tuple[int, ...]]

CONSTANTS = ("mask", "temperature")
"""Leaf names of constants that the network is built with; not generated."""
IDENTITY = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
CAMERA = (0.9, 0.0, 0.0)


def make_state(shapes: Shapes, seed: int, gain: float) -> dict[str, np.ndarray]:
    """Generate every tensor of a network except its constants."""
    return {key: make_tensor(key, shape, seed, gain) for key, shape in shapes.items() if leaf_of(key) not in CONSTANTS}


def make_tensor(key: str, shape: tuple[int, ...], seed: int, gain: float) -> np.ndarray:
    """Generate one tensor, float32 (num_batches_tracked: int64). gain: of convolutions."""
    leaf = leaf_of(key)
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    noise = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode()) + seed)).standard_normal(shape)
    if leaf == "running_var":
        values = 1 + 0.1 * np.abs(noise)
    elif leaf in ("running_mean", "bias", "init_shape"):
        values = 0.1 * noise
    elif leaf == "init_pose":
        values = np.resize(IDENTITY, shape) + 0.1 * noise
    elif leaf == "init_cam":
        values = np.resize(CAMERA, shape) + 0.05 * noise
    elif len(shape) <= 1:
        values = 1 + 0.1 * noise
    else:
        values = spread(noise, gain if len(shape) in (3, 4) else 1.0)
    return values.astype(np.float32)


def spread(noise: np.ndarray, gain: float) -> np.ndarray:
    """Scale weights (outputs, ...) to zero mean over the fan-in and unit variance of the outputs for unit inputs."""
    fan_in = (2, 5) if noise.ndim == 6 else tuple(range(1, noise.ndim))
    count = np.prod([noise.shape[axis] for axis in fan_in])
    return (noise - noise.mean(fan_in, keepdims=True)) * (gain / np.sqrt(count))


def leaf_of(key: str) -> str:
    """Last part of a dotted name."""
    return key.rpartition(".")[2]
