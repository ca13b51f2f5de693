"""SmoothNet filter: live on the last frames of each track, or on a whole sequence.

Zeng et al., "SmoothNet: A Plug-and-Play Network for Refining Human Poses in Videos" (2022). The network smooths each channel over
a window of frames, so rotations are passed in their 6D form, which is continuous, and orthonormalised afterwards. It was trained
at a constant frame rate and assumes one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import cache, partial

import numpy as np

from remi_stream import geometry
from remi_stream.errors import UsageError
from remi_stream.filters.smoothers import BodyMotion, TrackFilter
from remi_stream.geometry import matrices_from_axis_angle, quaternions_from_matrices, rotation_matrices_from_6d
from remi_stream.inference.load import load_model
from remi_stream.models.manifest import ModelFile, find_manifest

RunSmoothNet = Callable[[np.ndarray], np.ndarray]
"""The network: windows (N, 1, window) float32 to smoothed ones of the same shape."""
WEIGHTS_PREFIX = "smoothnet_w"
"""Prefix of the names of its weights; the window length follows."""


class SmoothNetSmoother:
    """A TrackSmoother: the last frame of the smoothed window that ends with the newest frame; betas are averaged.

    The window starts filled with the first frame. Positions are centred on their mean over the window, as the network expects.
    """

    def __init__(self, first: BodyMotion, run: RunSmoothNet, window: int) -> None:
        self._run = run
        self._rotations = deque([rot6d_from_quaternions(first.rotations)] * window, window)
        self._positions = deque([first.positions] * window, window)
        self._betas = deque([first.betas] * window, window)

    def step(self, motion: BodyMotion, dt: float) -> BodyMotion:
        """Smooth one motion; dt is not used."""
        self._rotations.append(rot6d_from_quaternions(motion.rotations))
        self._positions.append(motion.positions)
        self._betas.append(motion.betas)
        rotations, positions = np.stack(self._rotations), np.stack(self._positions)
        centre = positions.mean(0)
        # each channel is one item of the batch: a single call for the whole person
        sequence = np.concatenate([rotations, (positions - centre).reshape(len(positions), -1)], 1)
        newest = self._run(sliding_windows(sequence, len(sequence))).reshape(sequence.shape[::-1])[:, -1].astype(np.float64)
        rot6d, centred = newest[: rotations.shape[1]], newest[rotations.shape[1] :]
        return BodyMotion(quaternions_from_rot6d(rot6d), centred.reshape(centre.shape) + centre, np.mean(self._betas, 0))


def smooth_sequence(run: RunSmoothNet, frames: np.ndarray, window: int) -> np.ndarray:
    """Smooth frames (F, C), F >= window, to float32: each frame is the mean over all smoothed windows that contain it."""
    if len(frames) < window:
        raise ValueError(f"{len(frames)} frames are fewer than the window of {window}")
    count = len(frames) - window + 1
    smoothed = run(sliding_windows(frames, window)).reshape(count, frames.shape[1], window)
    sums, counts = np.zeros(frames.shape), np.zeros((len(frames), 1))
    for k in range(window):
        sums[k : k + count] += smoothed[:, :, k]
        counts[k : k + count] += 1
    return (sums / counts).astype(np.float32)


def sliding_windows(frames: np.ndarray, window: int) -> np.ndarray:
    """Return all windows of frames (F, C), ordered by first frame, then channel: ((F - window + 1) C, 1, window) float32."""
    windows = np.lib.stride_tricks.sliding_window_view(frames, window, axis=0)
    return np.ascontiguousarray(windows.reshape(-1, 1, window), np.float32)


def rot6d_from_quaternions(rotations: np.ndarray) -> np.ndarray:
    """Convert quaternions (N, 4) to 6D rotations (6 N,): the first two columns of each matrix, row by row."""
    return matrices_from_axis_angle(geometry.rotation_vectors_from_quaternions(rotations))[:, :, :2].reshape(-1)


def quaternions_from_rot6d(rot6d: np.ndarray) -> np.ndarray:
    """Convert 6D rotations (6 N,) to quaternions (N, 4) by Gram-Schmidt orthonormalisation."""
    return quaternions_from_matrices(rotation_matrices_from_6d(rot6d.reshape(-1, 6)))


def smoothnet_weights(window: float) -> list[tuple[ModelFile, str]]:
    """Return the checkpoint for a window length, frames, and the runtime of its manifest. Raises UsageError."""
    manifest = find_manifest("smoothnet", "filter")
    known = {file.name.removeprefix(WEIGHTS_PREFIX): file for file in manifest.weights}
    if f"{window:g}" not in known:
        raise UsageError(f"SmoothNet has no window of {window:g} frames (available: {', '.join(known)}).")
    return [(known[f"{window:g}"], manifest.runtime)]


@cache
def load_network(window: float) -> RunSmoothNet:
    """Load the network for a window length, frames, once per process (all cameras share it)."""
    [(file, kind)] = smoothnet_weights(window)
    runtime = load_model(file, kind, **find_manifest("smoothnet", "filter").runtimes[kind])
    return lambda x: runtime.run({"x": x})["y"]


def make_smoothnet_filter(window: float) -> TrackFilter:
    """Make a SmoothNet filter; window: length of the window, frames."""
    return TrackFilter("smoothnet", partial(SmoothNetSmoother, run=load_network(window), window=int(window)), None)
