"""Statistics of a pair of meshes: displacement, area, volume, bounding box, texture difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from remi_stream.morph.pair import Pair
from remi_stream.morph.surface import area, volume
from remi_stream.morph.table import Cell, rows

PARTS: dict[str, Callable[[np.ndarray], Any]] = {
    "mean": np.mean,
    "median": np.median,
    "p95": lambda values: np.percentile(values, 95),
    "max": np.max,
}


def statistics(pair: Pair) -> dict[str, Cell]:
    """Compute the columns and values of statistics.csv."""
    ends = {"a": pair.a, "b": pair.b}
    return {
        "a": pair.a.name,
        "b": pair.b.name,
        "unit": pair.unit,
        "vertices": len(pair.a.vertices),
        "faces": len(pair.a.faces),
        **parts("displacement", pair.lengths),
        "displacement_max_vertex": int(pair.lengths.argmax()),
        **{f"area_{name}": area(mesh.vertices, mesh.faces) for name, mesh in ends.items()},
        **{f"volume_{name}": volume(mesh.vertices, mesh.faces) for name, mesh in ends.items()},
        **{
            f"{side}_{axis}_{name}": float(corner[k])
            for name, mesh in ends.items()
            for side, corner in (("min", mesh.vertices.min(0)), ("max", mesh.vertices.max(0)))
            for k, axis in enumerate("xyz")
        },
        **parts("texture", pair.differences),
    }


def parts(name: str, values: np.ndarray | None) -> dict[str, Cell]:
    """Mean, median, 95th percentile and maximum of values; None without any."""
    return {f"{name}_{part}": None if values is None else float(of(values)) for part, of in PARTS.items()}


def displacements(pair: Pair) -> bytes:
    """Encode displacements.csv: one row per vertex."""
    values = np.column_stack([np.arange(len(pair.moved)), pair.moved, pair.lengths])
    return rows(("index", "dx", "dy", "dz", "length"), "%d,%.9g,%.9g,%.9g,%.9g\n", values)
