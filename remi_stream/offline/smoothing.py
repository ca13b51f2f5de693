"""Smoothing of a whole take: what comes later is known, so nothing comes out late."""

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
TUNING = Tuning(min_cutoff=0.5, beta_turn=1.4, beta_move=1.6, d_cutoff=2.0, shape_cutoff=0.3, lead=0.0)
"""Of the live filter, but nothing is carried on, for nothing is late here; and so it may smooth more of what moves."""
PIECE = 2048
"""Frames that go into the network at once."""


class Smoothing(NamedTuple):
    """How a take is smoothed. none: its tracks are mended, and that is all.

    window: frames, of SmoothNet. weights: its checkpoint or ONNX; without, what was imported. one_shape: everybody has the median
    of their track's betas in all frames.
    """

    method: Method = "one_euro"
    window: int = 32
    weights: Path | None = None
    one_shape: bool = True


def smooth(take: Take, smoothing: Smoothing | None = None) -> Take:
    """The take with mended tracks (see mending.py) and smoothed people; all of it is kept in memory. Raises UsageError."""
    smoothing = smoothing or Smoothing()
    name, smoother = smoother_of(smoothing)
    frames = list(take.frames)
    people: list[dict[int, Sight]] = [{} for _ in frames]
    for track in mended(frames):
        steady = shaped(track) if smoothing.one_shape else track
        for sight in smoothed(steady, smoother):
            people[sight.frame][sight.person.track_id] = sight
    return replace(take, frames=[with_people(bodies, sights, name) for bodies, sights in zip(frames, people)])


def with_people(bodies: Bodies, sights: dict[int, Sight], name: str) -> Bodies:
    """The frame with these people, by their ids; name: of what smoothed them, if something did."""
    everybody = [sights[track_id].person for track_id in sorted(sights)]
    return msgspec.structs.replace(bodies, people=everybody, filter=name or bodies.filter)


Smoother = Callable[[list[Motion], np.ndarray], list[Motion]]
"""Smooths the motions of one person in consecutive frames, which were captured at these times, s."""


def smoother_of(smoothing: Smoothing) -> tuple[str, Smoother]:
    """The name for the messages, and what smooths. Raises UsageError; RemiError if SmoothNet's weights are not here."""
    if smoothing.method == "one_euro":
        return "one_euro, both ways", both_ways
    if smoothing.method == "smoothnet":
        run, window = network_of(smoothing.window, smoothing.weights), smoothing.window
        return f"smoothnet, {window} frames", lambda motions, times: by_windows(motions, run, window)
    if smoothing.method == "none":
        return "", lambda motions, times: motions
    raise unknown("way of smoothing", smoothing.method, METHODS)


def shaped(track: Track) -> Track:
    """The track with one shape: the median of the betas that were seen, number by number."""
    seen = [sight.person.smpl.betas for sight in track if sight.person.smpl and INTERPOLATED not in sight.person.native]
    seen = [betas for betas in seen if np.isfinite(betas).all()]
    if not seen:
        return track
    betas = np.median(seen, axis=0).astype(np.float32)
    made = [
        person if person.smpl is None else msgspec.structs.replace(person, smpl=msgspec.structs.replace(person.smpl, betas=betas))
        for person in (sight.person for sight in track)
    ]
    return [sight._replace(person=person) for sight, person in zip(track, made)]


def smoothed(track: Track, smoother: Smoother) -> Track:
    """The track, each unbroken run of frames by itself; what is no number, or would become none, stays as it was."""
    found = []
    for run in runs_of(track):
        motions = [motion_of(sight.person) for sight in run]
        times = np.array([sight.at for sight in run])
        better = smoother(motions, times) if len(run) > 1 and motions[0].finite() else motions
        found += [
            sight._replace(person=moved(sight.person, motion)) if motion.believable() else sight
            for sight, motion in zip(run, better)
        ]
    return found


def runs_of(track: Track) -> list[Track]:
    """Where a track has somebody in every frame, and always with as many numbers; who is no number is alone."""
    breaks = [0] + [int(b.frame != a.frame + 1 or b.at <= a.at or not alike(a.person, b.person)) for a, b in pairwise(track)]
    pairs = zip(np.cumsum(breaks).tolist(), track)
    return [[sight for _, sight in run] for _, run in groupby(pairs, key=lambda pair: pair[0])]


def both_ways(motions: list[Motion], times: np.ndarray) -> list[Motion]:
    """The one-euro filter there and back, begun at either end, and the middle of the two: neither early nor late."""
    steps = np.diff(times)
    onward = there_and_back(motions, steps)
    backward = there_and_back(motions[::-1], steps[::-1])[::-1]
    return [mixed(a, b, 0.5) for a, b in zip(onward, backward)]


def there_and_back(motions: list[Motion], steps_s: np.ndarray) -> list[Motion]:
    """Filtered to the end, and what came out of that again to the beginning; steps_s: (F - 1,) between the frames."""
    return one_way(one_way(motions, steps_s)[::-1], steps_s[::-1])[::-1]


def one_way(motions: list[Motion], steps_s: np.ndarray) -> list[Motion]:
    """The filter's results, frame by frame."""
    smoother = OneEuro(motions[0], TUNING)
    return [motions[0], *(smoother.step(motion, float(dt)) for motion, dt in zip(motions[1:], steps_s))]


def by_windows(motions: list[Motion], run: Run, window: int) -> list[Motion]:
    """SmoothNet's results: each frame is the mean of all windows that hold it; places about their mean in the window."""
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
    """The network on windows about their mean, where it is at home; exact to the mean's last bit in float32."""

    def centred(windows: np.ndarray) -> np.ndarray:
        middles = windows.mean(-1, keepdims=True)
        return run(windows - middles) + middles

    return centred


def in_pieces(run: Run, frames: np.ndarray, window: int) -> np.ndarray:
    """Smoothed frames (F, C): as `smooth_sequence`, of any length. Too few stand still before and after themselves."""
    short = max(0, window - len(frames))
    padded = np.pad(frames, ((short // 2, short - short // 2), (0, 0)), mode="edge")
    found = []
    for start in range(0, len(padded), PIECE):
        first, end = max(0, start - window + 1), min(len(padded), start + PIECE + window - 1)
        first = max(0, min(first, end - window))
        found.append(smooth_sequence(run, padded[first:end], window)[start - first : start - first + PIECE])
    return np.concatenate(found)[short // 2 :][: len(frames)]


def network_of(window: int, weights: Path | None) -> Run:
    """SmoothNet for this window: what was imported, or a file. Raises UsageError."""
    [(known, kind)] = files(window)
    if weights is None:
        return load_network(window)
    if not weights.is_file():
        raise UsageError(f"SmoothNet's weights: there is no file {weights}.")
    if weights.suffix == ".onnx":
        from remi_stream.runtimes.runtime import load_runtime

        runtime = load_runtime(kind, weights)
    else:
        from remi_stream.runtimes.runtime import require_torch

        require_torch(known)
        from remi_stream.runtimes.torch import Torch

        runtime = Torch(known.network, weights, device="cpu")
    return lambda windows: runtime.run({"x": windows})["y"]
