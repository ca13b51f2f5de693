"""SmoothNet as a filter: live on the last frames of each track, or on a whole sequence.

Zeng et al., "SmoothNet: A Plug-and-Play Network for Refining Human Poses in Videos" (2022). The network sees one number over a
window of frames and knows nothing of what it is, so rotations are given as six numbers (two columns of the matrix), which have no
jumps, and are made rotations again afterwards. It was trained on frames at an even pace, and takes these to be.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import cache, partial

import numpy as np

from remi_stream.errors import UsageError
from remi_stream.filters import quaternion
from remi_stream.filters.motion import Motion
from remi_stream.filters.tracks import TrackFilter
from remi_stream.geometry import quaternions, rotation_matrices
from remi_stream.models.manifest import ModelFile, find_manifest
from remi_stream.pose.rot6d import matrices_from_rot6d
from remi_stream.runtimes.runtime import load_weights

Run = Callable[[np.ndarray], np.ndarray]
"""The network: windows (N, 1, window) float32 to the same, smoothed."""
FILE = "smoothnet_w"
"""The names of its files begin so; the window follows."""


class SmoothNet:
    """A Smoother: the newest frame of the window that ends with it.

    Before a track's first frame it is taken to have stood still: so there is a whole window from the start. Places are
    smoothed about their mean over the window, which is where the network is at home; the shape is its mean.
    """

    def __init__(self, first: Motion, run: Run, window: int) -> None:
        self._run = run
        self._turns = deque([six(first.turns)] * window, window)
        self._places = deque([first.places] * window, window)
        self._shapes = deque([first.shape] * window, window)

    def step(self, motion: Motion, dt: float) -> Motion:
        """The smoothed motion."""
        self._turns.append(six(motion.turns))
        self._places.append(motion.places)
        self._shapes.append(motion.shape)
        turns, places = np.stack(self._turns), np.stack(self._places)
        middle = places.mean(0)
        sequence = np.concatenate([turns, (places - middle).reshape(len(places), -1)], 1)
        newest = self._run(windows_of(sequence, len(sequence))).reshape(sequence.shape[::-1])[:, -1].astype(np.float64)
        smooth, moved = newest[: turns.shape[1]], newest[turns.shape[1] :]
        return Motion(turns_of(smooth), moved.reshape(middle.shape) + middle, np.mean(self._shapes, 0))


def smooth_sequence(run: Run, frames: np.ndarray, window: int) -> np.ndarray:
    """Smoothed frames (F, C) float32: every window is smoothed, and a frame is the mean of all its windows.

    There must be a window of them at least.
    """
    if len(frames) < window:
        raise ValueError(f"{len(frames)} frames are no window of {window}")
    count = len(frames) - window + 1
    smoothed = run(windows_of(frames, window)).reshape(count, frames.shape[1], window)
    sums, counts = np.zeros(frames.shape), np.zeros((len(frames), 1))
    for k in range(window):
        sums[k : k + count] += smoothed[:, :, k]
        counts[k : k + count] += 1
    return (sums / counts).astype(np.float32)


def windows_of(frames: np.ndarray, window: int) -> np.ndarray:
    """Every window of frames (F, C), by its first frame and then by channel: ((F - window + 1) C, 1, window) float32."""
    windows = np.lib.stride_tricks.sliding_window_view(frames, window, axis=0)
    return np.ascontiguousarray(windows.reshape(-1, 1, window), np.float32)


def six(turns: np.ndarray) -> np.ndarray:
    """Quaternions (N, 4) as numbers without jumps (6 N,)."""
    return rotation_matrices(quaternion.to_vectors(turns))[:, :, :2].reshape(-1)


def turns_of(numbers: np.ndarray) -> np.ndarray:
    """The quaternions (N, 4) that are nearest to numbers (6 N,), the first column first."""
    return quaternions(matrices_from_rot6d(numbers.reshape(-1, 6)))


def files(window: float) -> list[tuple[ModelFile, str]]:
    """The checkpoint of the network of this window, frames, and what its manifest runs it in. Raises UsageError."""
    manifest = find_manifest("smoothnet", "filter")
    known = {file.name.removeprefix(FILE): file for file in manifest.weights}
    if f"{window:g}" not in known:
        raise UsageError(f"SmoothNet has no window of {window:g} frames (it has: {', '.join(known)}).")
    return [(known[f"{window:g}"], manifest.runtime)]


@cache
def load_network(window: float) -> Run:
    """Load the network of this window, once for all the cameras of a process."""
    [(file, kind)] = files(window)
    runtime = load_weights(file, kind, **find_manifest("smoothnet", "filter").runtimes[kind])
    return lambda x: runtime.run({"x": x})["y"]


def open_filter(window: float) -> TrackFilter:
    """Make it, with the network of this window, frames."""
    return TrackFilter("smoothnet", partial(SmoothNet, run=load_network(window), window=int(window)), None)
