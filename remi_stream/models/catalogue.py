"""Model files of all manifests, by name."""

from __future__ import annotations

from remi_stream.errors import unknown_name_error
from remi_stream.models.manifest import ModelFile, list_manifests


def model_files_by_name() -> dict[str, ModelFile]:
    """Return all model files by name."""
    return {file.name: file for manifest in list_manifests() for file in manifest.weights}


def find_model_file(name: str) -> ModelFile:
    """Return the model file of this name. Raises UsageError if there is none."""
    known = model_files_by_name()
    if name not in known:
        raise unknown_name_error("model", name, known)
    return known[name]
