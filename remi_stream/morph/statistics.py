"""Statistics of a pair of meshes: displacement, area, volume, bounding box, texture difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from remi_stream.morph.pair import MorphPair
from remi_stream.morph.surface import enclosed_volume, surface_area
from remi_stream.morph.table import CsvCell, encode_csv_array

SUMMARIES: dict[str, Callable[[np.ndarray], Any]] = {
    "mean": np.mean,
    "median": np.median,
    "p95": lambda values: np.percentile(values, 95),
    "max": np.max,
}


def pair_statistics(pair: MorphPair) -> dict[str, CsvCell]:
    """Compute the columns and values of statistics.csv."""
    ends = {"a": pair.a, "b": pair.b}
    return {
        "a": pair.a.name,
        "b": pair.b.name,
        "unit": pair.unit,
        "vertices": len(pair.a.vertices),
        "faces": len(pair.a.faces),
        **summary_statistics("displacement", pair.distances),
        "displacement_max_vertex": int(pair.distances.argmax()),
        **{f"area_{name}": surface_area(mesh.vertices, mesh.faces) for name, mesh in ends.items()},
        **{f"volume_{name}": enclosed_volume(mesh.vertices, mesh.faces) for name, mesh in ends.items()},
        **{
            f"{side}_{axis}_{name}": float(corner[k])
            for name, mesh in ends.items()
            for side, corner in (("min", mesh.vertices.min(0)), ("max", mesh.vertices.max(0)))
            for k, axis in enumerate("xyz")
        },
        **summary_statistics("texture", pair.texture_differences),
    }


def summary_statistics(name: str, values: np.ndarray | None) -> dict[str, CsvCell]:
    """Mean, median, 95th percentile and maximum of values; None without any."""
    return {f"{name}_{part}": None if values is None else float(of(values)) for part, of in SUMMARIES.items()}


def displacement_table(pair: MorphPair) -> bytes:
    """Encode displacements.csv: one row per vertex."""
    values = np.column_stack([np.arange(len(pair.displacements)), pair.displacements, pair.distances])
    return encode_csv_array(("index", "dx", "dy", "dz", "length"), "%d,%.9g,%.9g,%.9g,%.9g\n", values)
