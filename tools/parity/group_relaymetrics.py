"""CSV rows that REMI's relay writes for each of its presets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np

from parity.csv_rows import cell_rows, split
from parity.group_relay import presets_of
from parity.rows import Entries, Row, compare, same
from remi_stream.filters.registry import STREAMS
from remi_stream.measure.motion import WINDOW_S
from remi_stream.measure.remi_metrics import RELAY_COLUMNS, FilteredPackets, relay_means
from remi_stream.measure.table import format_number, format_row

GROUP = "relaymetrics"
TOLERANCE = 1e-9


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """Check the means by direct sums, and the CSV rows if the manifest belongs to these vectors."""
    expected = rows_of(entries, manifest)
    if expected:
        yield same("relaymetrics.csv header", ",".join(RELAY_COLUMNS), manifest["relay_csv_header"])
    for preset in presets_of(entries):
        means = means_of(entries, preset)
        yield compare(f"relaymetrics.{preset} [means]", means, direct_means(entries, preset), TOLERANCE, TOLERANCE)
        if preset in expected:
            row = expected[preset]
            yield from cell_rows(f"relaymetrics.{preset}", format_row(datetime.fromisoformat(row[0]), row[1:3], means), row)


def means_of(entries: Entries, preset: str) -> list[float]:
    """Measure the golden streams with our code."""
    inputs = {name: np.asarray(entries[f"relaymetrics.in.{name}"], np.float64) for name in ("t", "fps", "filter_latency_ms")}
    since_last_s = np.divide(1.0, inputs["fps"], out=np.zeros_like(inputs["fps"]), where=inputs["fps"] != 0)
    raw, filtered = ({name: entries[key.format(name)] for name in STREAMS} for key in keys_of(preset))
    packets = FilteredPackets(inputs["t"], since_last_s, inputs["filter_latency_ms"] / 1000, raw, filtered)
    return relay_means(packets, float(entries["relaymetrics.in.record_time"]))


def direct_means(entries: Entries, preset: str) -> list[float]:
    """Compute the same means directly from their definitions."""
    recent = np.flatnonzero(entries["relaymetrics.in.t"] >= entries["relaymetrics.in.record_time"] - WINDOW_S)
    means = [float(entries[f"relaymetrics.in.{name}"][recent].mean()) for name in ("fps", "filter_latency_ms")]
    for name, unit in (("poses_body", 1), ("poses_root", 1), ("trans", 1000)):
        for key in keys_of(preset):
            steps = np.linalg.norm(np.diff(entries[key.format(name)], axis=0), axis=1)
            means.append(float(steps[recent[recent > 0] - 1].mean()) * unit)
    return [*means, *(float(entries[key.format("betas")][recent].var(axis=1).mean()) for key in keys_of(preset))]


def keys_of(preset: str) -> tuple[str, str]:
    """Keys of the raw and filtered streams."""
    return "relay.in.{}", f"relay.out.{preset}.{{}}"


def rows_of(entries: Entries, manifest: dict[str, Any]) -> dict[str, list[str]]:
    """Read the CSV rows by preset; none if the manifest belongs to other vectors."""
    rows = [split(row) for row in manifest.get("relay_csv_rows", ())]
    recent = entries["relaymetrics.in.t"] >= entries["relaymetrics.in.record_time"] - WINDOW_S
    fps = format_number(float(entries["relaymetrics.in.fps"][recent].mean()))
    return {row[2]: row for row in rows if row[3] == fps}
