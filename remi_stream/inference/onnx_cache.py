"""ONNX cache: ONNX files converted from checkpoints, kept in `cache/onnx` of the user's folder by the checkpoint's hash."""

from __future__ import annotations

from pathlib import Path

import msgspec

from remi_stream.errors import RemiError
from remi_stream.inference.plan import Precision, remove_plans
from remi_stream.models.manifest import ModelFile
from remi_stream.models.store import ensure_model_file, model_sha256
from remi_stream.paths import user_data_folder

CACHE_VERSION = 1
"""Version of the conversion; a new number invalidates all cached ONNX files."""


class OnnxMetadata(msgspec.Struct, frozen=True):
    """Metadata of a cached ONNX file, stored as JSON beside it."""

    network: str
    """Name in networks/network.py."""
    precision: Precision
    sha256: str
    """Of the ONNX file."""
    weights_sha256: str
    """Of the checkpoint."""
    parity: dict[str, float]
    """Distances from PyTorch by name; empty if the parity check was not run."""


def onnx_path(file: ModelFile, precision: Precision = "fp32") -> Path:
    """Return the path of a checkpoint's ONNX in the cache; the file may not exist."""
    suffix = "" if precision == "fp32" else f"-{precision}"
    return user_data_folder() / "cache" / "onnx" / f"{file.network}-{model_sha256(file)[:16]}-{CACHE_VERSION}{suffix}.onnx"


def cached_onnx(file: ModelFile) -> Path:
    """Return the path of a checkpoint's cached ONNX. Raises RemiError if it has not been converted."""
    ensure_model_file(file)
    path = onnx_path(file)
    if not path.is_file():
        raise RemiError(f"{file.file} has not been converted to ONNX. Convert it: remi-stream convert {file.name}")
    return path


def read_onnx_metadata(file: ModelFile, precision: Precision = "fp32") -> OnnxMetadata | None:
    """Read the metadata of a checkpoint's ONNX; None if the ONNX or its metadata is missing or unreadable."""
    path = onnx_path(file, precision)
    try:
        return msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=OnnxMetadata) if path.is_file() else None
    except (OSError, msgspec.MsgspecError):
        return None


def remove_conversions(file: ModelFile) -> None:
    """Remove the ONNX files, their metadata and the plans of a checkpoint."""
    for precision in ("fp32", "fp16"):
        for suffix in (".onnx", ".json"):
            onnx_path(file, precision).with_suffix(suffix).unlink(missing_ok=True)
    remove_plans(file)
