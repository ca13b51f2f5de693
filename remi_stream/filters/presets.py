"""REMI's filter presets, under REMI's names; `registry.options_from_preset` converts them to the options of our filters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

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
