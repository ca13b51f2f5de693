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

from remi_stream.convert.lock import alone
from remi_stream.models.manifest import ModelFile, list_manifests
from remi_stream.resources import home

Precision = Literal["fp32", "fp16"]
SYSTEM = f"{sys.platform}-{os.uname().machine}"
PLAN, MANIFEST, MAKING = "plan", "manifest.json", ".making-"


class Port(msgspec.Struct, frozen=True):
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

    def name(self) -> str:
        """Return the name of the plan's folder."""
        parts = (self.model, self.precision, f"b{self.max_batch}", self.backend, self.version)
        gpus = "sm" + "+".join(capability.replace(".", "") for capability in self.capabilities)
        return "-".join((*parts, gpus, self.system, self.onnx_sha256[:12]))


class PlanManifest(msgspec.Struct, frozen=True):
    """Metadata of a plan, stored as JSON beside it."""

    key: PlanKey
    weights_sha256: str
    """Of the checkpoint."""
    inputs: list[Port]
    outputs: list[Port]
    bytes: int
    """Size of the plan file."""
    build_s: float
    """Build time, s."""
    onnx_parity: dict[str, float] = {}
    """Distances of the ONNX from PyTorch, by name."""
    plan_parity: dict[str, float] = {}
    """Distances of the plan from PyTorch, measured on a GPU; empty if not compared."""


def plans() -> Path:
    """Return the folder of all plans."""
    return home() / "cache" / "plans"


def plan_folder(key: PlanKey) -> Path:
    """Return the folder of a plan and its manifest."""
    return plans() / key.name()


def read_plan(folder: Path) -> PlanManifest | None:
    """Read the manifest of a plan; None if the plan is missing or incomplete."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=PlanManifest)
        return manifest if (folder / PLAN).stat().st_size == manifest.bytes else None
    except (OSError, msgspec.MsgspecError):
        return None


def list_plans(file: ModelFile) -> dict[Path, PlanManifest]:
    """Return the manifests of a model's complete plans, by folder."""
    found = {folder: read_plan(folder) for folder in sorted(plans().glob(f"{file.name}-*"))}
    return {folder: manifest for folder, manifest in found.items() if manifest and manifest.key.model == file.name}


@contextmanager
def built_by_us_alone(key: PlanKey) -> Iterator[Path]:
    """Yield an empty folder to build in while holding the plan's lock; leftovers of an interrupted build are removed."""
    build_folder = plans() / f"{MAKING}{hashlib.sha256(key.name().encode()).hexdigest()[:16]}"
    with alone(build_folder.name):
        shutil.rmtree(build_folder, ignore_errors=True)
        build_folder.mkdir(parents=True)
        try:
            yield build_folder
        finally:
            shutil.rmtree(build_folder, ignore_errors=True)


def publish(making: Path, manifest: PlanManifest) -> Path:
    """Move a built plan into place atomically, replacing the previous one, and return its folder."""
    (making / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    folder = plan_folder(manifest.key)
    old = making.with_name(f"{making.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.rename(folder, old)
    os.rename(making, folder)
    shutil.rmtree(old, ignore_errors=True)
    return folder


def remove_plans(file: ModelFile) -> None:
    """Remove all plans of a model."""
    for folder in list_plans(file):
        shutil.rmtree(folder)


def engine_of(model: str) -> str:
    """Return the engine that runs a model of the store ("poco" of "poco_cliff"); the model's own name if several do."""
    users = [manifest.name for manifest in list_manifests() if [file.name for file in manifest.weights] == [model]]
    return users[0] if len(users) == 1 else model


def command(model: str) -> str:
    """Return the command that builds the plan of a model."""
    return f"remi-stream convert {engine_of(model)}-trt"
