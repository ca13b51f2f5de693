"""Smoothing of a whole take, without lag: tracks are linked, then smoothed with the later frames known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from remi_stream.errors import UsageError, unknown_name_error
from remi_stream.filters.smoothers import BodyMotion, OneEuroParameters, OneEuroSmoother, motion_from_person, person_with_motion
from remi_stream.filters.smoothnet import (
    RunSmoothNet,
    load_network,
    quaternions_from_rot6d,
    rot6d_from_quaternions,
    smooth_sequence,
    smoothnet_weights,
)
from remi_stream.messages import Bodies
from remi_stream.offline.refit import refit_run
from remi_stream.recordings.take import Take
from remi_stream.tracking.track_linking import (
    INTERPOLATED_KEY,
    LinkedTrack,
    TrackPoint,
    can_interpolate,
    interpolate_motion,
    link_tracks,
)

SmoothingMethod = Literal["one_euro", "smoothnet", "none"]
SMOOTHING_METHODS: tuple[SmoothingMethod, ...] = ("one_euro", "smoothnet", "none")
"""All smoothing methods."""
# on the sample clip: acceleration error 12.9 to 3.5 mm/frame^2, position errors unchanged (docs/reference/benchmarks.md, Videos)
OFFLINE_TUNING = OneEuroParameters(min_cutoff=0.5, beta_turn=1.4, beta_move=1.6, d_cutoff=2.0, shape_cutoff=0.3, lead=0.0)
"""One-Euro parameters: stronger than live and without extrapolation (lead), since two passes cancel the lag."""
CHUNK_FRAMES = 2048
"""Frames per call of the network, to bound the memory; the results do not depend on it."""


class TakeSmoothing(NamedTuple):
    """Settings of smoothing."""

    method: SmoothingMethod = "one_euro"
    """none: tracks are linked only."""
    window: int = 32
    """SmoothNet's window, frames."""
    weights: Path | None = None
    """SmoothNet's checkpoint or ONNX file; None: the imported one."""
    one_shape: bool = True
    """Whether each track gets its median betas in all frames."""


def smooth_take(take: Take, smoothing: TakeSmoothing | None = None) -> Take:
    """Link the tracks of a take and smooth them; holds the whole take in memory. Raises UsageError."""
    smoothing = smoothing or TakeSmoothing()
    name, smoother = make_smoother(smoothing)
    frames = list(take.frames)
    people: list[dict[int, TrackPoint]] = [{} for _ in frames]
    for track in link_tracks(frames):
        track = with_median_betas(track) if smoothing.one_shape else track
        smoothed = smooth_track(track, smoother)
        if smoothing.method != "none":
            smoothed = refit_track(smoothed, frames)
        for point in smoothed:
            people[point.frame][point.person.track_id] = point
    return replace(take, frames=[with_people(bodies, points, name) for bodies, points in zip(frames, people)])


def with_people(bodies: Bodies, points: dict[int, TrackPoint], name: str) -> Bodies:
    """The frame with these people, ordered by track id; name: of the smoother, "" if none."""
    smoothed_people = [points[track_id].person for track_id in sorted(points)]
    return msgspec.structs.replace(bodies, people=smoothed_people, filter=name or bodies.filter)


MotionSmoother = Callable[[list[BodyMotion], np.ndarray], list[BodyMotion]]
"""Smooths the motion of a person: motions of consecutive frames and their times (F,), s -> motions."""


def make_smoother(smoothing: TakeSmoothing) -> tuple[str, MotionSmoother]:
    """Name for `Bodies.filter`, and smoother. Raises UsageError; RemiError if SmoothNet's weights are missing."""
    if smoothing.method == "one_euro":
        return "one_euro, both ways", zero_lag_one_euro
    if smoothing.method == "smoothnet":
        run, window = load_smoothnet(smoothing.window, smoothing.weights), smoothing.window
        return f"smoothnet, {window} frames", lambda motions, times: smooth_with_smoothnet(motions, run, window)
    if smoothing.method == "none":
        return "", lambda motions, times: motions
    raise unknown_name_error("smoothing method", smoothing.method, SMOOTHING_METHODS)


def with_median_betas(track: LinkedTrack) -> LinkedTrack:
    """The track with constant betas: the element-wise median over its frames, without interpolated ones."""
    shapes = [point.person.smpl.betas for point in track if point.person.smpl and INTERPOLATED_KEY not in point.person.native]
    shapes = [betas for betas in shapes if np.isfinite(betas).all()]
    if not shapes:
        return track
    betas = np.median(shapes, axis=0).astype(np.float32)
    people = [
        person if person.smpl is None else msgspec.structs.replace(person, smpl=msgspec.structs.replace(person.smpl, betas=betas))
        for person in (point.person for point in track)
    ]
    return [point._replace(person=person) for point, person in zip(track, people)]


def smooth_track(track: LinkedTrack, smoother: MotionSmoother) -> LinkedTrack:
    """Smooth each run of consecutive frames; people with NaN before or after smoothing stay unchanged."""
    result = []
    for run in split_runs(track):
        motions = [motion_from_person(point.person) for point in run]
        times = np.array([point.at for point in run])
        # one motion cannot be smoothed; NaN would spread through the filter to all later frames
        smooth_motions = smoother(motions, times) if len(run) > 1 and motions[0].is_finite() else motions
        result += [
            point._replace(person=person_with_motion(point.person, motion)) if motion.is_plausible() else point
            for point, motion in zip(run, smooth_motions)
        ]
    return result


def refit_track(track: LinkedTrack, frames: list[Bodies]) -> LinkedTrack:
    """Fit the default engine's bodies to their key points again, each run with the intrinsics of its frames."""
    runs = [
        list(points) for run in split_runs(track) for _, points in groupby(run, key=lambda point: frames[point.frame].intrinsics)
    ]
    return [point for run in runs for point in refit_run(run, frames[run[0].frame].intrinsics)]


def split_runs(track: LinkedTrack) -> list[LinkedTrack]:
    """Split a track into runs of consecutive frames with equal array shapes; people with NaN are runs of their own."""
    breaks = [0] + [
        int(b.frame != a.frame + 1 or b.at <= a.at or not can_interpolate(a.person, b.person)) for a, b in pairwise(track)
    ]
    pairs = zip(np.cumsum(breaks).tolist(), track)
    return [[point for _, point in run] for _, run in groupby(pairs, key=lambda pair: pair[0])]


def zero_lag_one_euro(motions: list[BodyMotion], times: np.ndarray) -> list[BodyMotion]:
    """Zero-lag One-Euro filter: forward-backward from either end, averaged."""
    steps = np.diff(times)
    # a pass forward and back has no lag, but treats the two ends differently: so also from the other end
    forward = forward_backward(motions, steps)
    backward = forward_backward(motions[::-1], steps[::-1])[::-1]
    return [interpolate_motion(a, b, 0.5) for a, b in zip(forward, backward)]


def forward_backward(motions: list[BodyMotion], steps_s: np.ndarray) -> list[BodyMotion]:
    """Filter forward, then the result backward; steps_s: (F - 1,) between the frames."""
    return one_euro_pass(one_euro_pass(motions, steps_s)[::-1], steps_s[::-1])[::-1]


def one_euro_pass(motions: list[BodyMotion], steps_s: np.ndarray) -> list[BodyMotion]:
    """One forward pass of the One-Euro filter."""
    smoother = OneEuroSmoother(motions[0], OFFLINE_TUNING)
    return [motions[0], *(smoother.step(motion, float(dt)) for motion, dt in zip(motions[1:], steps_s))]


def smooth_with_smoothnet(motions: list[BodyMotion], run: RunSmoothNet, window: int) -> list[BodyMotion]:
    """Smooth with SmoothNet: each frame is the mean of all windows that contain it, with positions centred per window."""
    # a person without an SMPL pose has positions only
    rotations = np.array(
        [rot6d_from_quaternions(motion.rotations) if len(motion.rotations) else np.zeros(0) for motion in motions]
    )
    positions = np.array([motion.positions.reshape(-1) for motion in motions])
    smooth_rotations = smooth_in_chunks(run, rotations, window) if rotations.shape[1] else rotations
    smooth_positions = smooth_in_chunks(mean_centred(run), positions, window)
    return [
        BodyMotion(
            quaternions_from_rot6d(rot6d) if len(rot6d) else motion.rotations,
            position.reshape(motion.positions.shape),
            motion.betas,
        )
        if np.isfinite(rot6d).all()
        else motion
        for motion, rot6d, position in zip(motions, smooth_rotations.astype(np.float64), smooth_positions)
    ]


def mean_centred(run: RunSmoothNet) -> RunSmoothNet:
    """Run the network on mean-centred windows, as it expects positions; exact to the mean's last bit in float32."""

    def centred(windows: np.ndarray) -> np.ndarray:
        means = windows.mean(-1, keepdims=True)
        return run(windows - means) + means

    return centred


def smooth_in_chunks(run: RunSmoothNet, frames: np.ndarray, window: int) -> np.ndarray:
    """Smooth frames (F, C) of any length in chunks, as `smooth_sequence`; fewer than a window are padded by repetition."""
    short = max(0, window - len(frames))
    padded = np.pad(frames, ((short // 2, short - short // 2), (0, 0)), mode="edge")
    chunks = []
    for start in range(0, len(padded), CHUNK_FRAMES):
        # chunks overlap by window - 1 frames on either side, so that the result does not depend on the chunk size
        first, end = max(0, start - window + 1), min(len(padded), start + CHUNK_FRAMES + window - 1)
        first = max(0, min(first, end - window))
        chunks.append(smooth_sequence(run, padded[first:end], window)[start - first : start - first + CHUNK_FRAMES])
    return np.concatenate(chunks)[short // 2 :][: len(frames)]


def load_smoothnet(window: int, weights: Path | None) -> RunSmoothNet:
    """Load SmoothNet for a window, from the model store or a file. Raises UsageError."""
    [(model_file, runtime_name)] = smoothnet_weights(window)
    if weights is None:
        return load_network(window)
    if not weights.is_file():
        raise UsageError(f"SmoothNet's weights: no such file {weights}.")
    if weights.suffix == ".onnx":
        from remi_stream.inference.load import load_runtime

        runtime = load_runtime(runtime_name, weights)
    else:
        from remi_stream.networks.network import require_torch

        require_torch(f"Running {model_file.name} in PyTorch")
        from remi_stream.inference.torch import TorchRuntime

        runtime = TorchRuntime(model_file.network, weights, device="cpu")
    return lambda windows: runtime.run({"x": windows})["y"]
