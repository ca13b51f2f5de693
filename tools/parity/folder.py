"""A folder of golden vectors: one `<name>.npz` per network with its manifest `<name>.json` (or .json.gz), and `preprocess`."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

MANIFESTS = Path(__file__).resolve().parents[3] / "shared" / "parity"
"""Where manifests are that a folder has not."""


class Golden(NamedTuple):
    """One npz that is to be checked.

    manifest: None where there is none. promised: the entries that the folder's own manifest tells of.
    """

    name: str
    path: Path
    manifest: dict[str, Any] | None
    promised: tuple[str, ...] = ()

    def entries(self) -> dict[str, np.ndarray]:
        """Every array of the npz."""
        with np.load(self.path) as arrays:
            return dict(arrays)


def read_folder(folder: Path) -> list[Golden]:
    """What the folder holds, by name; a manifest without vectors is not checked."""
    return [read_golden(path) for path in sorted(folder.glob("*.npz"))]


def read_golden(path: Path) -> Golden:
    """An npz with its own manifest, or with the one of the same name that lies beside the project."""
    if manifest := read_manifest(path.parent, path.stem):
        return Golden(path.stem, path, manifest, tuple(manifest.get("npz_entries", ())))
    return Golden(path.stem, path, read_manifest(MANIFESTS, path.stem))


def read_manifest(folder: Path, name: str) -> dict[str, Any] | None:
    """A manifest, which may be packed; None where there is none."""
    plain, packed = folder / f"{name}.json", folder / f"{name}.json.gz"
    if plain.is_file():
        return json.loads(plain.read_text())
    return json.loads(gzip.decompress(packed.read_bytes())) if packed.is_file() else None
