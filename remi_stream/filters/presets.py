"""REMI's filter presets, and REMI's filter of whole packets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from remi_stream.errors import unknown_name_error
from remi_stream.filters.streams import (
    DoubleExponentialStream,
    IdentityStream,
    MovingAverageStream,
    OneEuroStream,
    SingleExponentialStream,
    StreamFilter,
)

STREAMS = ("poses_body", "poses_root", "betas", "trans")
"""The vectors of a packet that are filtered: (69,) rad, (3,) rad, (10,), (3,)."""
STREAM_FILTERS: dict[str, Any] = {
    "none": IdentityStream,
    "one_euro": OneEuroStream,
    "single_exp": SingleExponentialStream,
    "double_exp": DoubleExponentialStream,
    "moving_avg": MovingAverageStream,
}
"""REMI's filters of one vector, by kind."""
DEFAULT_PRESET = "OneEuro Moderate"
"""REMI's default preset."""


class FilterPreset(NamedTuple):
    """A filter preset of REMI's."""

    kind: str
    """Key of STREAM_FILTERS."""
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


def find_preset(name: str) -> FilterPreset:
    """Return a preset by REMI's name. Raises UsageError."""
    if name not in PRESETS:
        raise unknown_name_error("filter preset", name, PRESETS)
    return PRESETS[name]


class PacketFilter:
    """Filters the packets of one person as REMI's relay does; a stream's filter is reset when its shape changes."""

    def __init__(self, preset: FilterPreset) -> None:
        self._preset = preset
        self._filters: dict[str, tuple[tuple[int, ...], StreamFilter]] = {}

    def step(self, packet: Mapping[str, np.ndarray], received_at: float) -> dict[str, np.ndarray]:
        """Filter the streams of a packet, to float64. received_at: time of reception, s."""
        return {name: self._filter(name, np.asarray(x, np.float64), received_at) for name, x in packet.items()}

    def _filter(self, name: str, x: np.ndarray, at: float) -> np.ndarray:
        shape, stream = self._filters.get(name, (None, None))
        if stream is None or shape != x.shape:
            stream = self._open(name, x, at)
            self._filters[name] = x.shape, stream
        return stream.step(x.ravel(), at).reshape(x.shape)

    def _open(self, name: str, x: np.ndarray, at: float) -> StreamFilter:
        parameters = self._preset.streams.get(name)
        if parameters is None:
            return IdentityStream(x, at)
        stream: StreamFilter = STREAM_FILTERS[self._preset.kind](x.ravel().copy(), at, **parameters)
        return stream
