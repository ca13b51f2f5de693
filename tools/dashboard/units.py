"""Formats numbers with units like Grafana."""

from __future__ import annotations

STEPS: dict[str, list[tuple[float, str]]] = {
    "s": [(3600, " h"), (60, " min"), (1, " s"), (1e-3, " ms"), (1e-6, " µs")],
    "bytes": [(2**30, " GiB"), (2**20, " MiB"), (2**10, " KiB"), (1, " B")],
    "Bps": [(1e6, " MB/s"), (1e3, " kB/s"), (1, " B/s")],
    "percentunit": [(0.01, " %")],
    "watt": [(1, " W")],
    "celsius": [(1, " °C")],
}


def format_value(value: float, unit: str) -> str:
    """Format a number with its unit: 0.035 of "s" becomes "35 ms"."""
    if unit.startswith("suffix:"):
        return f"{_short(value)}{unit.removeprefix('suffix:')}"
    for size, name in STEPS.get(unit, []):
        if abs(value) >= size or (size, name) == STEPS[unit][-1]:
            return f"{_short(value / size)}{name}" if value else f"0{name if len(STEPS[unit]) == 1 else ''}"
    return _short(value)


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
