"""REMI's filters: every preset on its four streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from parity.remi_filters import PacketFilter
from parity.rows import Entries, Row, compare, same
from remi_stream.filters.registry import PRESETS, STREAMS, FilterPreset

GROUP = "relay"
TOLERANCE = 1e-9


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """Check that our presets equal those of the manifest, and their outputs."""
    expected = {name: read_preset(preset) for name, preset in manifest.get("filter_presets", {}).items()}
    for name in expected.keys() & PRESETS.keys():
        yield same(f"relay.presets.{name}", PRESETS[name], expected[name])
    for name in presets_of(entries):
        filtered = run(expected[name] if name in expected else PRESETS[name], entries)
        for stream in STREAMS:
            entry = f"relay.out.{name}.{stream}"
            yield compare(entry, filtered[stream], entries[entry], TOLERANCE, TOLERANCE)


def presets_of(entries: Entries) -> list[str]:
    """Names of the presets with outputs in the npz."""
    outputs = [entry for entry in entries if entry.startswith("relay.out.")]
    return sorted({entry.removeprefix("relay.out.").rpartition(".")[0] for entry in outputs})


def run(preset: FilterPreset, entries: Entries) -> dict[str, np.ndarray]:
    """Filter all streams, one row per packet."""
    packets = PacketFilter(preset)
    filtered = [
        packets.step({stream: entries[f"relay.in.{stream}"][k] for stream in STREAMS}, float(at))
        for k, at in enumerate(entries["relay.in.t"])
    ]
    return {stream: np.array([packet[stream] for packet in filtered]) for stream in STREAMS}


def read_preset(fields: Mapping[str, Any]) -> FilterPreset:
    """Parse a preset of the manifest."""
    common = fields.get("common_params", {})
    streams = {stream: {**common, **fields[stream]} for stream in STREAMS}
    return FilterPreset(fields["type"], {stream: without_switch(each) for stream, each in streams.items() if each.get("enabled")})


def without_switch(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a stream without `enabled`."""
    return {name: value for name, value in fields.items() if name != "enabled"}
