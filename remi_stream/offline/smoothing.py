"""Smoothing of a whole take, without lag: later frames are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from remi_stream.errors import UsageError, unknown
from remi_stream.filters.motion import Motion, motion_of, moved
from remi_stream.filters.one_euro import OneEuro, Tuning
from remi_stream.filters.smoothnet import Run, files, load_network, six, smooth_sequence, turns_of
from remi_stream.formats.take import Take
from remi_stream.messages import Bodies
from remi_stream.offline.mending import INTERPOLATED, Sight, Track, alike, mended, mixed

Method = Literal["one_euro", "smoothnet", "none"]
METHODS: tuple[Method, ...] = ("one_euro", "smoothnet", "none")
"""Smoothing methods."""
TUNING = Tuning(min_cutoff=0.5, beta_turn=1.4, beta_move=1.6, d_cutoff=2.0, shape_cutoff=0.3, lead=0.0)
"""One-Euro parameters: stronger than live and without extrapolation (lead), since two passes cancel the lag."""
PIECE = 2048
"""Frames per call of the network, to bound the memory."""


class Smoothing(NamedTuple):
    """Settings of smoothing."""

    method: Method = "one_euro"
    """none: tracks are linked only."""
    window: int = 32
    """SmoothNet's window, frames."""
    weights: Path | None = None
    """SmoothNet's checkpoint or ONNX file; None: the imported one."""
    one_shape: bool = True
    """Whether each track gets its median betas in all frames."""


def smooth(take: Take, smoothing: Smoothing | None = None) -> Take:
    """Link the tracks of a take and smooth them; holds the whole take in memory. Raises UsageError."""
    smoothing = smoothing or Smoothing()
    name, smoother = smoother_of(smoothing)
    frames = list(take.frames)
    people: list[dict[int, Sight]] = [{} for _ in frames]
    for track in mended(frames):
        track = shaped(track) if smoothing.one_shape else track
        for sight in smoothed(track, smoother):
            people[sight.frame][sight.person.track_id] = sight
    return replace(take, frames=[with_people(bodies, sights, name) for bodies, sights in zip(frames, people)])


def with_people(bodies: Bodies, sights: dict[int, Sight], name: str) -> Bodies:
    """The frame with these people, ordered by track id; name: of the smoother, "" if none."""
    smoothed_people = [sights[track_id].person for track_id in sorted(sights)]
    return msgspec.structs.replace(bodies, people=smoothed_people, filter=name or bodies.filter)


Smoother = Callable[[list[Motion], np.ndarray], list[Motion]]
"""Smooths the motion of a person: motions of consecutive frames and their times (F,), s -> motions."""


def smoother_of(smoothing: Smoothing) -> tuple[str, Smoother]:
    """Name for `Bodies.filter`, and smoother. Raises UsageError; RemiError if SmoothNet's weights are missing."""
    if smoothing.method == "one_euro":
        return "one_euro, both ways", both_ways
    if smoothing.method == "smoothnet":
        run, window = network_of(smoothing.window, smoothing.weights), smoothing.window
        return f"smoothnet, {window} frames", lambda motions, times: by_windows(motions, run, window)
    if smoothing.method == "none":
        return "", lambda motions, times: motions
    raise unknown("smoothing method", smoothing.method, METHODS)


def shaped(track: Track) -> Track:
    """The track with constant betas: the element-wise median over its frames, without interpolated ones."""
    shapes = [sight.person.smpl.betas for sight in track if sight.person.smpl and INTERPOLATED not in sight.person.native]
    shapes = [betas for betas in shapes if np.isfinite(betas).all()]
    if not shapes:
        return track
    betas = np.median(shapes, axis=0).astype(np.float32)
    people = [
        person if person.smpl is None else msgspec.structs.replace(person, smpl=msgspec.structs.replace(person.smpl, betas=betas))
        for person in (sight.person for sight in track)
    ]
    return [sight._replace(person=person) for sight, person in zip(track, people)]


def smoothed(track: Track, smoother: Smoother) -> Track:
    """Smooth each run of consecutive frames; people with NaN before or after smoothing stay unchanged."""
    result = []
    for run in runs_of(track):
        motions = [motion_of(sight.person) for sight in run]
        times = np.array([sight.at for sight in run])
        smooth_motions = smoother(motions, times) if len(run) > 1 and motions[0].finite() else motions
        result += [
            sight._replace(person=moved(sight.person, motion)) if motion.believable() else sight
            for sight, motion in zip(run, smooth_motions)
        ]
    return result


def runs_of(track: Track) -> list[Track]:
    """Split a track into runs of consecutive frames with equal array shapes; people with NaN are runs of their own."""
    breaks = [0] + [int(b.frame != a.frame + 1 or b.at <= a.at or not alike(a.person, b.person)) for a, b in pairwise(track)]
    pairs = zip(np.cumsum(breaks).tolist(), track)
    return [[sight for _, sight in run] for _, run in groupby(pairs, key=lambda pair: pair[0])]


def both_ways(motions: list[Motion], times: np.ndarray) -> list[Motion]:
    """Zero-lag One-Euro filter: forward-backward from either end, averaged."""
    steps = np.diff(times)
    forward = there_and_back(motions, steps)
    backward = there_and_back(motions[::-1], steps[::-1])[::-1]
    return [mixed(a, b, 0.5) for a, b in zip(forward, backward)]


def there_and_back(motions: list[Motion], steps_s: np.ndarray) -> list[Motion]:
    """Filter forward, then the result backward; steps_s: (F - 1,) between the frames."""
    return one_way(one_way(motions, steps_s)[::-1], steps_s[::-1])[::-1]


def one_way(motions: list[Motion], steps_s: np.ndarray) -> list[Motion]:
    """One forward pass of the One-Euro filter."""
    smoother = OneEuro(motions[0], TUNING)
    return [motions[0], *(smoother.step(motion, float(dt)) for motion, dt in zip(motions[1:], steps_s))]


def by_windows(motions: list[Motion], run: Run, window: int) -> list[Motion]:
    """Smooth with SmoothNet: each frame is the mean of all windows that contain it; places are centred in each window."""
    turns = np.array([six(motion.turns) if len(motion.turns) else np.zeros(0) for motion in motions])
    places = np.array([motion.places.reshape(-1) for motion in motions])
    turned = in_pieces(run, turns, window) if turns.shape[1] else turns
    placed = in_pieces(about_the_mean(run), places, window)
    return [
        Motion(turns_of(six_numbers) if len(six_numbers) else motion.turns, place.reshape(motion.places.shape), motion.shape)
        if np.isfinite(six_numbers).all()
        else motion
        for motion, six_numbers, place in zip(motions, turned.astype(np.float64), placed)
    ]


def about_the_mean(run: Run) -> Run:
    """Run the network on mean-centred windows, where it works best; exact to the mean's last bit in float32."""

    def centred(windows: np.ndarray) -> np.ndarray:
        means = windows.mean(-1, keepdims=True)
        return run(windows - means) + means

    return centred


def in_pieces(run: Run, frames: np.ndarray, window: int) -> np.ndarray:
    """Smooth frames (F, C) of any length in chunks, as `smooth_sequence`; fewer than a window are padded by repetition."""
    short = max(0, window - len(frames))
    padded = np.pad(frames, ((short // 2, short - short // 2), (0, 0)), mode="edge")
    chunks = []
    for start in range(0, len(padded), PIECE):
        # chunks overlap by window - 1 frames on either side, so that the result does not depend on the chunk size
        first, end = max(0, start - window + 1), min(len(padded), start + PIECE + window - 1)
        first = max(0, min(first, end - window))
        chunks.append(smooth_sequence(run, padded[first:end], window)[start - first : start - first + PIECE])
    return np.concatenate(chunks)[short // 2 :][: len(frames)]


def network_of(window: int, weights: Path | None) -> Run:
    """Load SmoothNet for a window, from the model store or a file. Raises UsageError."""
    [(model_file, runtime_name)] = files(window)
    if weights is None:
        return load_network(window)
    if not weights.is_file():
        raise UsageError(f"SmoothNet's weights: no such file {weights}.")
    if weights.suffix == ".onnx":
        from remi_stream.runtimes.runtime import load_runtime

        runtime = load_runtime(runtime_name, weights)
    else:
        from remi_stream.runtimes.runtime import require_torch

        require_torch(model_file)
        from remi_stream.runtimes.torch import Torch

        runtime = Torch(model_file.network, weights, device="cpu")
    return lambda windows: runtime.run({"x": windows})["y"]
