"""The recipe for weights that mean nothing: numbers that depend on a tensor's name, its shape and a seed only.

Weights have mean zero over all that feeds one output, so that a deep network does not map every input to the same output.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np

Shapes = Mapping[str, tuple[int, ...]]

CONSTANTS = ("mask", "temperature")
"""Not generated: a network is built with them."""
IDENTITY = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
CAMERA = (0.9, 0.0, 0.0)


def make_state(shapes: Shapes, seed: int, gain: float) -> dict[str, np.ndarray]:
    """Every tensor of a network except its constants."""
    return {key: make_tensor(key, shape, seed, gain) for key, shape in shapes.items() if leaf_of(key) not in CONSTANTS}


def make_tensor(key: str, shape: tuple[int, ...], seed: int, gain: float) -> np.ndarray:
    """One tensor, float32 (a count of batches is int64). gain: of convolutions."""
    leaf = leaf_of(key)
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    noise = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode()) + seed)).standard_normal(shape)
    if leaf == "running_var":
        made = 1 + 0.1 * np.abs(noise)
    elif leaf in ("running_mean", "bias", "init_shape"):
        made = 0.1 * noise
    elif leaf == "init_pose":
        made = np.resize(IDENTITY, shape) + 0.1 * noise
    elif leaf == "init_cam":
        made = np.resize(CAMERA, shape) + 0.05 * noise
    elif len(shape) <= 1:
        made = 1 + 0.1 * noise
    else:
        made = spread(noise, gain if len(shape) in (3, 4) else 1.0)
    return made.astype(np.float32)


def spread(noise: np.ndarray, gain: float) -> np.ndarray:
    """Weights (outputs, ...): mean zero over what feeds an output, and so large that unit inputs give about unit outputs."""
    feeds = (2, 5) if noise.ndim == 6 else tuple(range(1, noise.ndim))
    count = np.prod([noise.shape[axis] for axis in feeds])
    return (noise - noise.mean(feeds, keepdims=True)) * (gain / np.sqrt(count))


def leaf_of(key: str) -> str:
    """The last part of a name."""
    return key.rpartition(".")[2]
