"""Folders of golden vectors: one `<name>.npz` per network with its manifest `<name>.json` (or .json.gz), and `preprocess`."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

MANIFESTS = Path(__file__).resolve().parents[3] / "shared" / "parity"
"""Fallback folder of manifests."""


class Golden(NamedTuple):
    """One npz to check."""

    name: str
    path: Path
    manifest: dict[str, Any] | None
    promised: tuple[str, ...] = ()
    """Entries that the folder's own manifest lists."""

    def entries(self) -> dict[str, np.ndarray]:
        """Load all arrays of the npz."""
        with np.load(self.path) as arrays:
            return dict(arrays)


def read_folder(folder: Path) -> list[Golden]:
    """List the npz files of a folder by name; manifests without one are ignored."""
    return [read_golden(path) for path in sorted(folder.glob("*.npz"))]


def read_golden(path: Path) -> Golden:
    """Find the manifest of an npz: beside it, or in MANIFESTS."""
    if manifest := read_manifest(path.parent, path.stem):
        return Golden(path.stem, path, manifest, tuple(manifest.get("npz_entries", ())))
    return Golden(path.stem, path, read_manifest(MANIFESTS, path.stem))


def read_manifest(folder: Path, name: str) -> dict[str, Any] | None:
    """Read a manifest, plain or gzipped; None if missing."""
    plain, packed = folder / f"{name}.json", folder / f"{name}.json.gz"
    if plain.is_file():
        return json.loads(plain.read_text())
    return json.loads(gzip.decompress(packed.read_bytes())) if packed.is_file() else None
