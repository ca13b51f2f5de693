"""The known model files: everything that some manifest names."""

from __future__ import annotations

from remi_stream.errors import unknown
from remi_stream.models.manifest import ModelFile, list_manifests


def known_files() -> dict[str, ModelFile]:
    """All model files by name."""
    return {file.name: file for manifest in list_manifests() for file in manifest.weights}


def known_file(name: str) -> ModelFile:
    """The model file of this name."""
    known = known_files()
    if name not in known:
        raise unknown("model", name, known)
    return known[name]
