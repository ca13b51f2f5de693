"""A plan: what TensorRT made of a network for certain GPUs, and the manifest beside it that says for which."""

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
    """An input or output. shape: the batch is -1 if it is free. dtype: NumPy's name."""

    name: str
    shape: tuple[int, ...]
    dtype: str


class PlanKey(msgspec.Struct, frozen=True):
    """What a plan depends on; another value of any of these is another plan.

    model: its name in the store. onnx_sha256: of the ONNX it was built from. backend, version: the Python module that built it.
    capabilities: compute capabilities of the GPUs that it is for ("8.9").
    """

    model: str
    precision: Precision
    onnx_sha256: str
    max_batch: int
    backend: str
    version: str
    capabilities: tuple[str, ...]
    system: str = SYSTEM

    def name(self) -> str:
        """The name of the plan's folder."""
        parts = (self.model, self.precision, f"b{self.max_batch}", self.backend, self.version)
        gpus = "sm" + "+".join(capability.replace(".", "") for capability in self.capabilities)
        return "-".join((*parts, gpus, self.system, self.onnx_sha256[:12]))


class PlanManifest(msgspec.Struct, frozen=True):
    """Everything that is known of a plan without opening it.

    weights_sha256: of the checkpoint. bytes: of the plan. parity: how far it is from PyTorch: the ONNX's distances, and the
    plan's own where a GPU could tell (empty: nobody has compared it).
    """

    key: PlanKey
    weights_sha256: str
    inputs: list[Port]
    outputs: list[Port]
    bytes: int
    build_s: float
    onnx_parity: dict[str, float] = {}
    plan_parity: dict[str, float] = {}


def plans() -> Path:
    """The folder of all plans."""
    return home() / "cache" / "plans"


def plan_folder(key: PlanKey) -> Path:
    """Where a plan and its manifest belong."""
    return plans() / key.name()


def read_plan(folder: Path) -> PlanManifest | None:
    """The manifest of a plan that is there and whole, else None."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=PlanManifest)
        return manifest if (folder / PLAN).stat().st_size == manifest.bytes else None
    except (OSError, msgspec.MsgspecError):
        return None


def list_plans(file: ModelFile) -> dict[Path, PlanManifest]:
    """The whole plans of a model, by their folders."""
    found = {folder: read_plan(folder) for folder in sorted(plans().glob(f"{file.name}-*"))}
    return {folder: manifest for folder, manifest in found.items() if manifest and manifest.key.model == file.name}


@contextmanager
def built_by_us_alone(key: PlanKey) -> Iterator[Path]:
    """A folder to build in, while nobody else builds this plan; what an interrupted build left is removed before."""
    making = plans() / f"{MAKING}{hashlib.sha256(key.name().encode()).hexdigest()[:16]}"
    with alone(making.name):
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        try:
            yield making
        finally:
            shutil.rmtree(making, ignore_errors=True)


def publish(making: Path, manifest: PlanManifest) -> Path:
    """Let a plan that was built in a folder appear, whole, instead of the one before it."""
    (making / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    place = plan_folder(manifest.key)
    old = making.with_name(f"{making.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        os.rename(place, old)
    os.rename(making, place)
    shutil.rmtree(old, ignore_errors=True)
    return place


def remove_plans(file: ModelFile) -> None:
    """Remove everything that was built of a model."""
    for folder in list_plans(file):
        shutil.rmtree(folder)


def engine_of(model: str) -> str:
    """What runs a model of the store, by the name that people use: "poco" of "poco_cliff"; the model's own if several do."""
    users = [manifest.name for manifest in list_manifests() if [file.name for file in manifest.weights] == [model]]
    return users[0] if len(users) == 1 else model


def command(model: str) -> str:
    """What builds the plan of a model."""
    return f"remi-stream convert {engine_of(model)}-trt"
