"""Filter registry: the filters, their options and defaults; REMI's presets as the closest of our filters.

A filter is resolved by name without importing it, then opened.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple, Protocol

import msgspec

from remi_stream.errors import UsageError, unknown_name_error
from remi_stream.messages import Person
from remi_stream.models.manifest import ModelFile
from remi_stream.plugins import import_from_string

# REMI's filter presets, under REMI's names; `options_from_preset` converts them to the options of our filters.


STREAMS = ("poses_body", "poses_root", "betas", "trans")
"""The vectors of a packet that are filtered: (69,) rad, (3,) rad, (10,), (3,)."""


class FilterPreset(NamedTuple):
    """A filter preset of REMI's."""

    kind: str
    """Kind of filter."""
    streams: Mapping[str, Mapping[str, float]] = {}
    """Parameters by stream; streams without any are not filtered."""


def one_euro_preset(**parameters: tuple[float, float, float]) -> FilterPreset:
    """Make a One-Euro preset from (min_cutoff Hz, beta, d_cutoff Hz) of each stream."""
    return FilterPreset(
        "one_euro", {name: dict(zip(("min_cutoff", "beta", "d_cutoff"), each)) for name, each in parameters.items()}
    )


def uniform_preset(kind: str, **parameters: float) -> FilterPreset:
    """Make a preset with the same parameters for all four streams."""
    return FilterPreset(kind, dict.fromkeys(STREAMS, parameters))


PRESETS = {
    "No Filter Active": FilterPreset("none"),
    "OneEuro Moderate": one_euro_preset(
        poses_body=(1.0, 0.5, 1.0), poses_root=(1.0, 0.5, 1.0), betas=(0.5, 0.2, 1.0), trans=(1.0, 0.7, 1.0)
    ),
    "OneEuro Smooth": one_euro_preset(
        poses_body=(0.3, 0.05, 0.8), poses_root=(0.3, 0.05, 0.8), betas=(0.1, 0.01, 0.5), trans=(0.4, 0.1, 0.9)
    ),
    "Single Exp (Alpha 0.3 Smooth)": uniform_preset("single_exp", alpha=0.3),
    "Single Exp (Alpha 0.7 Responsive)": uniform_preset("single_exp", alpha=0.7),
    "Double Exp (A0.3 B0.1 Smooth)": uniform_preset("double_exp", alpha=0.3, beta_trend=0.1),
    "Double Exp (A0.7 B0.3 Responsive)": uniform_preset("double_exp", alpha=0.7, beta_trend=0.3),
    "Moving Avg (Win 3 Responsive)": uniform_preset("moving_avg", window_size=3),
    "Moving Avg (Win 5 Moderate)": uniform_preset("moving_avg", window_size=5),
    "Moving Avg (Win 10 Smooth)": uniform_preset("moving_avg", window_size=10),
}
"""REMI's presets with its own numbers."""

REMI_FPS = 30.0
"""Assumed packet rate, 1/s: REMI's parameters count packets, ours are times."""


class FilterEntry(NamedTuple):
    """A filter of the registry. Paths are "module:function" strings, so that listing the filters imports none of them."""

    factory: str
    """Path of the function, or the class, that makes the filter from its options."""
    summary: str
    """One line for lists and help."""
    options: Mapping[str, float] = {}
    """Defaults of the options."""
    weights: str = ""
    """Path of the function that lists the weights it needs, from its options; empty: none."""


FILTERS = {
    "none": FilterEntry("remi_stream.filters.smoothers:IdentityFilter", "no smoothing"),
    "one_euro": FilterEntry(
        "remi_stream.filters.smoothers:make_one_euro_filter",
        "low pass whose cutoff grows with the speed of each joint",
        # tests/filters/test_one_euro_tuning.py holds what these reach on the sample clip
        {"min_cutoff": 0.5, "beta_turn": 3.5, "beta_move": 4.0, "d_cutoff": 2.0, "shape_cutoff": 0.3, "lead": 0.6},
    ),
    "single_exp": FilterEntry(
        "remi_stream.filters.smoothers:make_single_exponential_filter", "exponential smoothing", {"time_s": 0.05}
    ),
    "double_exp": FilterEntry(
        "remi_stream.filters.smoothers:make_double_exponential_filter",
        "exponential smoothing with a linear trend (Holt)",
        {"time_s": 0.05, "trend_time_s": 0.1},
    ),
    "moving_avg": FilterEntry(
        "remi_stream.filters.smoothers:make_moving_average_filter", "mean of the last frames", {"window_s": 0.15}
    ),
    "smoothnet": FilterEntry(
        "remi_stream.filters.smoothnet:make_smoothnet_filter",
        "SmoothNet network, with weights that you import",
        {"window": 32},
        "remi_stream.filters.smoothnet:smoothnet_weights",
    ),
}
"""The filters by name."""
OPTION_HELP = {
    "min_cutoff": "Hz: cutoff at rest; lower is smoother.",
    "beta_turn": "Hz per rad/s: growth of the cutoff with a joint's angular speed.",
    "beta_move": "Hz per m/s: growth of the cutoff with a position's speed.",
    "d_cutoff": "Hz: cutoff of the speed estimate.",
    "shape_cutoff": "Hz: cutoff of the betas, independent of speed.",
    "lead": "Share of the speed that predicts the next value; 0: the published filter.",
    "time_s": "Time constant, s: 63 % of a step has passed through.",
    "trend_time_s": "Time constant of the trend, s.",
    "window_s": "Length of the window, s.",
    "window": "Length of the window, frames: 8, 16, 32 or 64.",
}
"""Help text of each option."""


class FilterSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A selected filter with all its options."""

    name: str
    """Name that users see: a filter of ours or a preset of REMI's."""
    kind: str
    """Key of FILTERS."""
    options: dict[str, float] = {}
    """All options, with defaults filled in."""

    @property
    def label(self) -> str:
        """The filter's name in `Bodies.filter`."""
        return self.kind if self.kind == "none" else self.name


def resolve_filter(name: str, options: Mapping[str, float] | None = None) -> FilterSpec:
    """Resolve the name of a filter or REMI preset and its options, without importing the filter.

    Case, spaces and punctuation in the name are ignored. Raises UsageError.
    """
    known = {normalise_name(each): each for each in (*FILTERS, *PRESETS)}
    if normalise_name(name) not in known:
        raise unknown_name_error("filter", name, known.values())
    resolved = known[normalise_name(name)]
    if resolved not in PRESETS:
        return FilterSpec(resolved, resolved, {**FILTERS[resolved].options, **validate_options(resolved, options or {})})
    preset = PRESETS[resolved]
    if options:
        raise UsageError(f"'{resolved}' is a preset of REMI's and has no options; give them to filter '{preset.kind}'.")
    return FilterSpec(resolved, preset.kind, options_from_preset(preset))


def resolve_stored_filter(stored: FilterSpec) -> FilterSpec:
    """Resolve a stored filter again, with today's presets and defaults. Raises UsageError."""
    return resolve_filter(stored.name, {} if stored.name in PRESETS else stored.options)


def normalise_name(name: str) -> str:
    """Normalise a name for comparison: lower case, only letters, digits and points."""
    return "".join(letter for letter in name.lower() if letter.isalnum() or letter == ".")


def validate_options(name: str, options: Mapping[str, float]) -> dict[str, float]:
    """Validate the options of a filter of ours; hyphens become underscores. Raises UsageError."""
    valid = {}
    for option, value in options.items():
        key = option.replace("-", "_")
        if key not in FILTERS[name].options:
            raise unknown_name_error(f"option of filter '{name}':", option, FILTERS[name].options)
        if not (isinstance(value, int | float) and 0 <= value < float("inf")):
            raise UsageError(f"Filter '{name}': {option} must be a number, 0 or more, got {value!r}.")
        valid[key] = value
    return valid


def options_from_preset(preset: FilterPreset) -> dict[str, float]:
    """Convert a REMI preset to the options of our filter of the same kind (differences: docs/use/filters.md)."""
    if preset.kind == "none":
        return {}
    body = preset.streams["poses_body"]
    if preset.kind == "one_euro":
        beta_move, shape_cutoff = preset.streams["trans"]["beta"], preset.streams["betas"]["min_cutoff"]
        return {
            "min_cutoff": body["min_cutoff"],
            "beta_turn": body["beta"],
            "beta_move": beta_move,
            "d_cutoff": body["d_cutoff"],
            "shape_cutoff": shape_cutoff,
            "lead": 0.0,
        }
    if preset.kind == "moving_avg":
        # half a packet less, so that exactly window_size packets are in the window despite jitter.
        return {"window_s": round((body["window_size"] - 0.5) / REMI_FPS, 4)}
    times = {"time_s": time_constant_s(body["alpha"])}
    return {**times, "trend_time_s": time_constant_s(body["beta_trend"])} if preset.kind == "double_exp" else times


def time_constant_s(alpha: float) -> float:
    """Convert a smoothing factor per packet at REMI_FPS to a time constant, s: solves alpha = 1 - exp(-1 / (REMI_FPS T))."""
    return round(-1 / REMI_FPS / math.log(1 - alpha), 4)


class Filter(Protocol):
    """A temporal filter of the people of one camera, with separate state per track."""

    name: str
    lag_s: float | None
    """Upper bound of the lag of uniform motion, s; None if it depends on the motion."""

    def filter(self, person: Person, captured_at: float) -> Person:
        """Smooth joints_m and smpl of a person with the history of its track. captured_at: capture time of the frame, s.

        Box, key points and scores are unchanged. The frame interval may vary. The state of a track is reset after a gap or
        when its time goes back; a frame with the same time as the last one returns the last result.
        """
        ...

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended; unknown tracks are ignored."""
        ...


def open_filter_spec(spec: FilterSpec) -> Filter:
    """Load a resolved filter."""
    opened: Filter = import_from_string(FILTERS[spec.kind].factory)(**spec.options)
    return opened


def filter_weights(spec: FilterSpec) -> list[tuple[ModelFile, str]]:
    """List the weights that a filter needs, each with the runtime that runs them."""
    files = FILTERS[spec.kind].weights
    return list(import_from_string(files)(**spec.options)) if files else []


def require_filter_weights(spec: FilterSpec) -> None:
    """Raise RemiError unless a filter's weights are in the model store, converted if its runtime needs ONNX."""
    from remi_stream.inference.onnx_cache import cached_onnx
    from remi_stream.models.store import ensure_model_file

    for file, runtime in filter_weights(spec):
        _ = ensure_model_file(file) if runtime in ("torch", "tensorrt") else cached_onnx(file)
