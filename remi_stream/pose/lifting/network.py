"""The learned lifter in NumPy: a small causal network that corrects the closed-form rotations of each frame.

Trained by tools/train_lifter, see docs/reference/lifter.md. Encoder, GRU (Cho et al., 2014), and heads for the correction of the
24 rotations in 6D, the spread of each, contact of the feet, and shape.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from functools import cache
from typing import NamedTuple

import numpy as np

from remi_stream.errors import RemiError
from remi_stream.geometry import rotation_matrices_from_6d, sigmoid
from remi_stream.paths import data_file
from remi_stream.pose.lifting.features import (
    FEATURE_COUNT,
    JOINTS,
    PARTS,
    ROTATIONS_START,
    LifterInput,
    lifter_axes,
    lifter_features,
)

WEIGHTS_FILE = "lifter.npz"
MAX_FEATURE = 8.0
"""Features are limited to this many standard deviations."""
MIN_LOG_SPREAD, MAX_LOG_SPREAD = -5.0, 2.0
NORM_EPSILON = 1e-5
"""Of the layer normalisation (Ba et al., 2016)."""


class LiftedBody(NamedTuple):
    """The lifter's answer for one frame."""

    rotations: np.ndarray
    """(24, 3, 3) float64, each relative to its parent, the first in camera axes."""
    spread_rad: np.ndarray
    """(24,) rad: expected error of each."""
    contact: np.ndarray
    """(4,) in [0, 1]: left and right ankle, left and right foot stand on the floor."""
    betas: np.ndarray
    """(10,): shape of the default body."""
    memory: np.ndarray
    """(H,) float32: state for the next frame."""


class LearnedLifter:
    """The network and its weights, immutable."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        """Take weights by name, float16 or float32; names as in tools/train_lifter/model.py."""
        self._weights = {name: np.ascontiguousarray(array, np.float32) for name, array in weights.items()}
        self.memory_size = self._weights["gru.weight_hh_l0"].shape[1]

    def lift(self, frame: LifterInput, memory: np.ndarray | None) -> LiftedBody:
        """Correct a frame's rotations; memory: `LiftedBody.memory` of the last frame, None for a new track."""
        axes = lifter_axes(frame)
        features = lifter_features(frame, axes)
        answer = self.run(features, np.zeros(self.memory_size, np.float32) if memory is None else memory)
        rotations = answer.rotations.astype(float)
        rotations[0] = axes @ rotations[0]
        return answer._replace(rotations=rotations)

    def run(self, features: np.ndarray, memory: np.ndarray) -> LiftedBody:
        """Run the network on features (FEATURE_COUNT,) float32; the first rotation is in the lifter's axes."""
        w = self._weights
        inputs = np.clip((features - w["mean"]) / w["std"], -MAX_FEATURE, MAX_FEATURE)
        hidden = self._linear("encoder.0", inputs)
        hidden = (hidden - hidden.mean()) / np.sqrt(hidden.var() + np.float32(NORM_EPSILON))
        hidden = gelu(hidden * w["encoder.1.weight"] + w["encoder.1.bias"])
        encoded = gelu(self._linear("encoder.4", hidden))
        memory = self._recur(encoded, memory)
        both = np.concatenate([encoded, memory])
        mixed = gelu(self._linear("mixer.0", both))
        six = features[ROTATIONS_START : ROTATIONS_START + PARTS["rotations"]] + self._linear("correction", mixed)
        log_spread = self._linear("spread.2", gelu(self._linear("spread.0", both)))
        side = gelu(self._linear("side.0", both))
        return LiftedBody(
            rotations=rotation_matrices_from_6d(six.reshape(JOINTS, 6)),
            spread_rad=np.exp(np.clip(log_spread, MIN_LOG_SPREAD, MAX_LOG_SPREAD)),
            contact=sigmoid(self._linear("contact", side)),
            betas=self._linear("betas", side),
            memory=memory,
        )

    def _linear(self, name: str, inputs: np.ndarray) -> np.ndarray:
        result: np.ndarray = self._weights[f"{name}.weight"] @ inputs + self._weights[f"{name}.bias"]
        return result

    def _recur(self, inputs: np.ndarray, memory: np.ndarray) -> np.ndarray:
        """One step of the GRU; gates in PyTorch's order: reset, update, new."""
        w, size = self._weights, self.memory_size
        now = w["gru.weight_ih_l0"] @ inputs + w["gru.bias_ih_l0"]
        before = w["gru.weight_hh_l0"] @ memory + w["gru.bias_hh_l0"]
        reset, update = np.split(sigmoid(now[: 2 * size] + before[: 2 * size]), 2)
        candidate = np.tanh(now[2 * size :] + reset * before[2 * size :])
        result: np.ndarray = (1 - update) * candidate + update * memory
        return result


def gelu(values: np.ndarray) -> np.ndarray:
    """Gaussian error linear unit in its tanh form (Hendrycks and Gimpel, 2016)."""
    inner = np.float32(math.sqrt(2 / math.pi)) * (
        values + np.float32(0.044715) * values * values * values
    )  # ** is ten times slower
    result: np.ndarray = np.float32(0.5) * values * (1 + np.tanh(inner))
    return result


@cache
def load_lifter() -> LearnedLifter:
    """Load the lifter that the package ships, and run it once. Raises RemiError if the file is missing or damaged."""
    path = data_file(WEIGHTS_FILE)
    try:
        with np.load(path) as stored:
            lifter = LearnedLifter({name: stored[name] for name in stored.files})
        tried = lifter.run(np.zeros(FEATURE_COUNT, np.float32), np.zeros(lifter.memory_size, np.float32))
        if not all(np.isfinite(array).all() for array in tried):
            raise ValueError("its weights are not finite")
    except (OSError, LookupError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RemiError(f"{path} is missing or damaged ({type(error).__name__}: {error}). Install remi-stream again") from None
    return lifter
