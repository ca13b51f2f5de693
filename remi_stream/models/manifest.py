"""An engine's manifest: one toml that says how a network runs, under which licence, and with which weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from remi_stream.errors import UsageError, unknown
from remi_stream.models.description import Description
from remi_stream.resources import home, shared_folder


class ModelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of weights.

    name: what the rest of the package calls it. file: its name in the store, or a path from its manifest. bytes, sha256: of the
    whole file; 0 and "" for a file that only the user can bring, whose hash is recorded when it is imported. wheel: the pinned
    PyPI release that carries it ("mediapipe==0.10.21"), member: where in there. source: for a file that only the user can bring,
    where they get it; published: its name there, if the store keeps it in another form. network: for a checkpoint, its network's
    name in networks/network.py.
    """

    name: str
    file: str
    licence: str
    bytes: int = 0
    sha256: str = ""
    wheel: str = ""
    member: str = ""
    source: str = ""
    published: str = ""
    network: str = ""


Role = Literal["pose", "detector", "lifter", "filter", "body"]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an engine runs; or, by its role, a detector, a lifter of 2D to 3D, a filter or a body.

    adapter: what turns its tensors into people (see pose/engine.py). runtime: the default one; runtimes: a table of settings
    for each one it can run in. skeleton: a name of skeletons.py. name: that of the file.
    options: what a pipeline's `engine_options` may set, with the defaults. network: for the adapter "onnx", what it runs.
    """

    what: str
    adapter: str
    licence: str
    skeleton: str = ""
    runtime: str = "none"
    runtimes: dict[str, dict[str, Any]] = msgspec.field(default_factory=lambda: {"none": {}})
    role: Role = "pose"
    weights: list[ModelFile] = []
    options: dict[str, float] = {}
    network: Description | None = None
    name: str = ""


def list_manifests() -> list[Manifest]:
    """Every manifest, by name; imports no engine."""
    return [read_manifest(path) for _, path in sorted(manifest_files().items())]


def list_engines() -> list[Manifest]:
    """The manifests of the pose engines, by name."""
    return [manifest for manifest in list_manifests() if manifest.role == "pose"]


def find_engine(name: str) -> Manifest:
    """The manifest of the pose engine of this name."""
    return find_manifest(name, "pose")


def find_manifest(name: str, role: Role) -> Manifest:
    """The manifest of this name and role."""
    files = manifest_files()
    if name in files and (manifest := read_manifest(files[name])).role == role:
        return manifest
    kind = "engine" if role == "pose" else role
    raise unknown(kind, name, [manifest.name for manifest in list_manifests() if manifest.role == role])


def manifest_files() -> dict[str, Path]:
    """The manifests by engine name; the user's own, in `engines` of their folder, come before the shipped ones."""
    folders = (shared_folder("engines"), home() / "engines")
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.toml"))}


def read_manifest(path: Path) -> Manifest:
    """Read and check one manifest; a mistake is told with the file's name and the key's path."""
    try:
        manifest = msgspec.toml.decode(path.read_bytes(), type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"Engine manifest {path} cannot be used: {error}") from None
    if manifest.runtime not in manifest.runtimes:
        known = ", ".join(manifest.runtimes) or "none"
        raise UsageError(f"Engine manifest {path}: runtime '{manifest.runtime}' has no table of its own (there are: {known})")
    weights = [beside(path.parent, file) for file in manifest.weights]
    return msgspec.structs.replace(manifest, name=path.stem, weights=weights)


def beside(folder: Path, file: ModelFile) -> ModelFile:
    """The model file with its whole path, if it lies beside its manifest (or where that says) and not in the store."""
    path = folder / Path(file.file).expanduser()
    return msgspec.structs.replace(file, file=str(path)) if path.is_file() else file
