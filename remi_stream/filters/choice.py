"""Which filters there are, by name: ours with their options, and REMI's presets as those of ours that come nearest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from remi_stream.errors import UsageError, unknown
from remi_stream.filters.presets import PRESETS, Preset

REMI_FPS = 30.0
"""REMI's parameters count packets; so many a second are taken to come."""


class Known(NamedTuple):
    """Where a filter is made, and its options with their defaults. files: what tells which files of weights it needs."""

    make: str
    what: str
    options: Mapping[str, float] = {}
    files: str = ""


FILTERS = {
    "none": Known("remi_stream.filters.none:open_filter", "people come out as they came in"),
    "one_euro": Known(
        "remi_stream.filters.one_euro:open_filter",
        "smooths what rests, follows what moves",
        {"min_cutoff": 0.5, "beta_turn": 3.5, "beta_move": 4.0, "d_cutoff": 2.0, "shape_cutoff": 0.3, "lead": 0.6},
    ),
    "single_exp": Known(
        "remi_stream.filters.single_exp:open_filter", "each frame goes a share of the way to what is seen", {"time_s": 0.05}
    ),
    "double_exp": Known(
        "remi_stream.filters.double_exp:open_filter",
        "the same, carried on by a trend",
        {"time_s": 0.05, "trend_time_s": 0.1},
    ),
    "moving_avg": Known("remi_stream.filters.moving_avg:open_filter", "the mean of the last moments", {"window_s": 0.15}),
    "smoothnet": Known(
        "remi_stream.filters.smoothnet:open_filter",
        "the network SmoothNet, on weights that you import",
        {"window": 32},
        "remi_stream.filters.smoothnet:files",
    ),
}
OPTIONS = {
    "min_cutoff": "Hz: of what rests; less is smoother.",
    "beta_turn": "Hz per rad/s: how the cutoff grows as a joint turns.",
    "beta_move": "Hz per m/s: how the cutoff grows as a place moves.",
    "d_cutoff": "Hz: of the speed.",
    "shape_cutoff": "Hz: of the betas, whatever the speed.",
    "lead": "Share of the speed that carries the last result on; 0: as it was published.",
    "time_s": "Seconds until 63 % of a step has come through.",
    "trend_time_s": "The same for the trend.",
    "window_s": "Seconds that count.",
    "window": "Frames: 8, 16, 32 or 64.",
}
"""What the options mean."""


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What smooths people. name: as it is known to people, ours or a preset's; kind: of FILTERS; options: all of them."""

    name: str
    kind: str
    options: dict[str, float] = {}

    @property
    def label(self) -> str:
        """What bodies say that smoothed them."""
        return self.kind if self.kind == "none" else self.name


def choose(name: str, options: Mapping[str, float] | None = None) -> Choice:
    """The filter of this name, of ours or a preset of REMI's, with these options instead of its defaults; imports none.

    Case, spaces, hyphens and the like do not count. Raises UsageError.
    """
    known = {folded(each): each for each in (*FILTERS, *PRESETS)}
    if folded(name) not in known:
        raise unknown("filter", name, known.values())
    found = known[folded(name)]
    if found not in PRESETS:
        return Choice(found, found, {**FILTERS[found].options, **checked(found, options or {})})
    preset = PRESETS[found]
    if options:
        raise UsageError(f"'{found}' is a preset of REMI's and has no options; give them to filter '{preset.kind}'.")
    return Choice(found, preset.kind, ours(preset))


def again(choice: Choice) -> Choice:
    """A choice that was written down, as it would be made today. Raises UsageError."""
    return choose(choice.name, {} if choice.name in PRESETS else choice.options)


def folded(name: str) -> str:
    """A name's letters and digits, and points between digits."""
    return "".join(letter for letter in name.lower() if letter.isalnum() or letter == ".")


def checked(name: str, options: Mapping[str, float]) -> dict[str, float]:
    """The options, of a filter of ours. Raises UsageError."""
    found = {}
    for option, value in options.items():
        key = option.replace("-", "_")
        if key not in FILTERS[name].options:
            raise unknown(f"option of filter '{name}':", option, FILTERS[name].options)
        if not (isinstance(value, int | float) and 0 <= value < float("inf")):
            raise UsageError(f"Filter '{name}': {option} must be a number, 0 or more, got {value!r}.")
        found[key] = value
    return found


def ours(preset: Preset) -> dict[str, float]:
    """The options of our filter of the same kind; docs/filters.md says what becomes of the rest."""
    if preset.kind == "none":
        return {}
    body = preset.streams["poses_body"]
    if preset.kind == "one_euro":
        moving, shape = preset.streams["trans"]["beta"], preset.streams["betas"]["min_cutoff"]
        return {
            "min_cutoff": body["min_cutoff"],
            "beta_turn": body["beta"],
            "beta_move": moving,
            "d_cutoff": body["d_cutoff"],
            "shape_cutoff": shape,
            "lead": 0.0,
        }
    if preset.kind == "moving_avg":
        return {"window_s": round((body["window_size"] - 0.5) / REMI_FPS, 4)}
    times = {"time_s": time_s(body["alpha"])}
    return {**times, "trend_time_s": time_s(body["beta_trend"])} if preset.kind == "double_exp" else times


def time_s(share: float) -> float:
    """The time after which 63 % of the way is gone, if each frame goes this share of it."""
    return round(-1 / REMI_FPS / math.log(1 - share), 4)
