"""The relay's filters, every preset on its four streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from parity.rows import Entries, Row, compare, same
from remi_stream.filters.presets import PRESETS, STREAMS, PacketFilter, Preset

GROUP = "relay"
TOLERANCE = 1e-9


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """The presets are those of the manifest, which the product's have to be equal to."""
    told = {name: read_preset(preset) for name, preset in manifest.get("filter_presets", {}).items()}
    for name in told.keys() & PRESETS.keys():
        yield same(f"relay.presets.{name}", PRESETS[name], told[name])
    for name in presets_of(entries):
        found = run(told[name] if name in told else PRESETS[name], entries)
        for stream in STREAMS:
            entry = f"relay.out.{name}.{stream}"
            yield compare(entry, found[stream], entries[entry], TOLERANCE, TOLERANCE)


def presets_of(entries: Entries) -> list[str]:
    """The names of the presets that there are outputs of."""
    outputs = [entry for entry in entries if entry.startswith("relay.out.")]
    return sorted({entry.removeprefix("relay.out.").rpartition(".")[0] for entry in outputs})


def run(preset: Preset, entries: Entries) -> dict[str, np.ndarray]:
    """The filtered streams, one row a packet."""
    packets = PacketFilter(preset)
    filtered = [
        packets.step({stream: entries[f"relay.in.{stream}"][k] for stream in STREAMS}, float(at))
        for k, at in enumerate(entries["relay.in.t"])
    ]
    return {stream: np.array([packet[stream] for packet in filtered]) for stream in STREAMS}


def read_preset(told: Mapping[str, Any]) -> Preset:
    """A preset as the manifest tells it."""
    common = told.get("common_params", {})
    streams = {stream: {**common, **told[stream]} for stream in STREAMS}
    return Preset(told["type"], {stream: without_switch(each) for stream, each in streams.items() if each.get("enabled")})


def without_switch(told: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a stream."""
    return {name: value for name, value in told.items() if name != "enabled"}
