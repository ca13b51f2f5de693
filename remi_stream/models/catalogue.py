"""Model files of all manifests, by name."""

from __future__ import annotations

from remi_stream.errors import unknown
from remi_stream.models.manifest import ModelFile, list_manifests


def known_files() -> dict[str, ModelFile]:
    """Return all model files by name."""
    return {file.name: file for manifest in list_manifests() for file in manifest.weights}


def known_file(name: str) -> ModelFile:
    """Return the model file of this name. Raises UsageError if there is none."""
    known = known_files()
    if name not in known:
        raise unknown("model", name, known)
    return known[name]
