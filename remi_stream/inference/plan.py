"""Plans: networks compiled by TensorRT for given GPUs, each in a folder with its manifest."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from remi_stream.atomic_files import process_lock, replace_folder
from remi_stream.models.manifest import ModelFile, list_manifests
from remi_stream.paths import user_data_folder

Precision = Literal["fp32", "fp16"]
SYSTEM = f"{sys.platform}-{os.uname().machine}"
PLAN_FILE, MANIFEST_FILE, BUILD_PREFIX = "plan", "manifest.json", ".making-"


class TensorSpec(msgspec.Struct, frozen=True):
    """An input or output tensor of a plan."""

    name: str
    shape: tuple[int, ...]
    """With the batch first; -1 if it is dynamic."""
    dtype: str
    """NumPy's name: "float32"."""


class PlanKey(msgspec.Struct, frozen=True):
    """Key of a plan: everything that it depends on."""

    model: str
    """Its name in the model store."""
    precision: Precision
    onnx_sha256: str
    """Of the ONNX that it was built from."""
    max_batch: int
    backend: str
    """The Python module that built it: "tensorrt_rtx"."""
    version: str
    """Version of that module."""
    capabilities: tuple[str, ...]
    """Compute capabilities of the target GPUs ("8.9")."""
    system: str = SYSTEM
    """Operating system and processor: "linux-x86_64"."""

    def folder_name(self) -> str:
        """Return the name of the plan's folder."""
        parts = (self.model, self.precision, f"b{self.max_batch}", self.backend, self.version)
        gpus = "sm" + "+".join(capability.replace(".", "") for capability in self.capabilities)
        return "-".join((*parts, gpus, self.system, self.onnx_sha256[:12]))


class PlanManifest(msgspec.Struct, frozen=True):
    """Metadata of a plan, stored as JSON beside it."""

    key: PlanKey
    weights_sha256: str
    """Of the checkpoint."""
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    bytes: int
    """Size of the plan file."""
    build_s: float
    """Build time, s."""
    onnx_parity: dict[str, float] = {}
    """Distances of the ONNX from PyTorch, by name."""
    plan_parity: dict[str, float] = {}
    """Distances of the plan from PyTorch, measured on a GPU; empty if not compared."""


def plans_folder() -> Path:
    """Return the folder of all plans."""
    return user_data_folder() / "cache" / "plans"


def plan_folder(key: PlanKey) -> Path:
    """Return the folder of a plan and its manifest."""
    return plans_folder() / key.folder_name()


def read_plan(folder: Path) -> PlanManifest | None:
    """Read the manifest of a plan; None if the plan is missing or incomplete."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST_FILE).read_bytes(), type=PlanManifest)
        return manifest if (folder / PLAN_FILE).stat().st_size == manifest.bytes else None
    except (OSError, msgspec.MsgspecError):
        return None


def list_plans(file: ModelFile) -> dict[Path, PlanManifest]:
    """Return the manifests of a model's complete plans, by folder."""
    found = {folder: read_plan(folder) for folder in sorted(plans_folder().glob(f"{file.name}-*"))}
    return {folder: manifest for folder, manifest in found.items() if manifest and manifest.key.model == file.name}


@contextmanager
def exclusive_build_folder(key: PlanKey) -> Iterator[Path]:
    """Yield an empty folder to build in while holding the plan's lock; leftovers of an interrupted build are removed."""
    build_folder = plans_folder() / f"{BUILD_PREFIX}{hashlib.sha256(key.folder_name().encode()).hexdigest()[:16]}"
    with process_lock(build_folder.name):
        shutil.rmtree(build_folder, ignore_errors=True)
        build_folder.mkdir(parents=True)
        try:
            yield build_folder
        finally:
            shutil.rmtree(build_folder, ignore_errors=True)


def publish_plan(build_folder: Path, manifest: PlanManifest) -> Path:
    """Move a built plan into place atomically, replacing the previous one, and return its folder."""
    (build_folder / MANIFEST_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    folder = plan_folder(manifest.key)
    replace_folder(build_folder, folder)
    return folder


def remove_plans(file: ModelFile) -> None:
    """Remove all plans of a model."""
    for folder in list_plans(file):
        shutil.rmtree(folder)


def engine_for_model(model: str) -> str:
    """Return the engine that runs a model of the store ("poco" of "poco_cliff"); the model's own name if several do."""
    users = [manifest.name for manifest in list_manifests() if [file.name for file in manifest.weights] == [model]]
    return users[0] if len(users) == 1 else model


def build_command(model: str) -> str:
    """Return the command that builds the plan of a model."""
    return f"remi-stream convert {engine_for_model(model)}-trt"
