"""Runs golden-vector checks: networks and preprocessing."""

from __future__ import annotations

from collections.abc import Iterator

from parity import networks, preprocess
from parity.folder import Golden
from parity.rows import Row, missing


def rows_of(goldens: list[Golden], seed: int | None = None, only: str = "") -> Iterator[Row]:
    """Check every npz; `only` selects one npz, or one group of preprocess."""
    for golden in goldens:
        if only in ("", golden.name):
            yield from golden_rows(golden, seed)
        elif golden.name == "preprocess" and golden.manifest:
            yield from preprocess.check(golden.entries(), golden.manifest, only)


def golden_rows(golden: Golden, seed: int | None) -> Iterator[Row]:
    """Check one npz; entries that its manifest lists but the npz lacks are reported as missing."""
    if golden.manifest is None:
        yield missing(golden.name, f"no manifest {golden.name}.json")
        return
    entries = golden.entries()
    yield from (missing(f"{golden.name}:{entry}", "not in the npz") for entry in golden.promised if entry not in entries)
    if golden.name == "preprocess":
        yield from preprocess.check(entries, golden.manifest)
    else:
        yield from networks.check(golden.name, entries, golden.manifest, seed)
