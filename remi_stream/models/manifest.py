"""Engine manifests: TOML files with an engine's network, licence, weights and options."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from remi_stream.config_rules import describe_error
from remi_stream.errors import UsageError, unknown_name_error
from remi_stream.models.onnx_description import OnnxDescription, register_skeleton
from remi_stream.paths import PathPart, shipped_folder, user_data_folder
from remi_stream.plugins import entry_points
from remi_stream.redaction import keep_links

ENGINE_GROUP = "remi_stream.engines"
"""Entry-point group of the adapters of other packages."""
NON_COMMERCIAL = re.compile(r"non-?commercial|\bNC\b", re.IGNORECASE)
"""In the name of a licence that forbids commercial use."""


class ModelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of weights."""

    name: PathPart
    """Its name in the rest of the package."""
    file: str
    """File name in the store, or a path relative to the manifest."""
    licence: str
    bytes: int = 0
    """Size; 0 for a file that the user imports."""
    sha256: str = ""
    """Pinned hash; empty for a file that the user imports, whose hash is recorded then."""
    wheel: str = ""
    """Pinned PyPI release that contains it ("mediapipe==0.10.21")."""
    member: str = ""
    """Its path in the wheel."""
    source: str = ""
    """Where the user gets a file that cannot be pulled."""
    published: str = ""
    """Its file name there, if the store keeps it in another form."""
    network: str = ""
    """For a checkpoint: its network in networks/network.py."""


Role = Literal["pose", "detector", "lifter", "filter", "body"]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Manifest of an engine or, by its role, of a detector, lifter, filter or body model."""

    what: str
    """Description in one line."""
    adapter: str
    """The code that turns its tensors into people; see pose/engine.py."""
    licence: str
    skeleton: str = ""
    """Name in skeletons.py, or of the manifest's custom skeleton."""
    runtime: str = "none"
    """Default runtime."""
    runtimes: dict[str, dict[str, Any]] = msgspec.field(default_factory=lambda: {"none": {}})
    """Settings of each runtime that it can run in."""
    role: Role = "pose"
    weights: list[ModelFile] = []
    options: dict[str, float] = {}
    """Defaults of what a pipeline's `engine_options` may set."""
    network: OnnxDescription | None = None
    """The network of the adapter "onnx"."""
    name: str = ""
    """Name of the TOML file."""


def list_manifests() -> list[Manifest]:
    """Return all manifests, sorted by name; imports no engine."""
    return [read_manifest(path) for _, path in sorted(manifest_files().items())]


def list_engines() -> list[Manifest]:
    """Return the manifests of the pose engines, sorted by name."""
    return [manifest for manifest in list_manifests() if manifest.role == "pose"]


def find_engine(name: str) -> Manifest:
    """Return the manifest of the pose engine of this name. Raises UsageError if there is none."""
    return find_manifest(name, "pose")


def find_manifest(name: str, role: Role) -> Manifest:
    """Return the manifest of this name and role. Raises UsageError if there is none."""
    files = manifest_files()
    if name in files and (manifest := read_manifest(files[name])).role == role:
        return manifest
    kind = "engine" if role == "pose" else role
    raise unknown_name_error(kind, name, [manifest.name for manifest in list_manifests() if manifest.role == role])


def manifest_files() -> dict[str, Path]:
    """Return manifest paths by engine name: those that ship, of other packages, of the user (`engines` in their folder).

    A later one replaces an earlier one of the same name.
    """
    shipped, own = (
        {path.stem: path for path in sorted(folder.glob("*.toml"))}
        for folder in (shipped_folder("engines"), user_data_folder() / "engines")
    )
    return {**shipped, **_packaged_manifests(), **own}


@cache
def _packaged_manifests() -> dict[str, Path]:
    """Manifests of other packages: NAME.toml in the package whose entry point NAME adds an adapter. Imports none of them."""
    found = {}
    for name, target in entry_points(ENGINE_GROUP).items():
        package = importlib.util.find_spec(target.partition(":")[0].partition(".")[0])
        for folder in (package.submodule_search_locations or ()) if package else ():
            if (path := Path(folder) / f"{name}.toml").is_file():
                found[name] = path
    return found


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest. Raises UsageError with the file and the key's path."""
    try:
        values = msgspec.toml.decode(path.read_bytes())
        manifest = msgspec.convert(values, Manifest)
    except msgspec.ValidationError as error:
        raise UsageError(f"Engine manifest {path} cannot be used: {describe_error(error, values, Manifest)}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"Engine manifest {path} cannot be used: {error}") from None
    if manifest.runtime not in manifest.runtimes:
        known = ", ".join(manifest.runtimes) or "none"
        raise UsageError(f"Engine manifest {path}: runtime '{manifest.runtime}' has no table of its own (there are: {known})")
    weights = [resolve_weights_path(path.parent, file) for file in manifest.weights]
    for file in weights:
        if not Path(file.file).is_absolute() and ".." in Path(file.file).parts:
            raise UsageError(f"Engine manifest {path}: there is no file {path.parent / file.file}; in the store no path has '..'")
        keep_links(file.source)
    return msgspec.structs.replace(manifest, name=path.stem, weights=weights)


def resolve_weights_path(folder: Path, file: ModelFile) -> ModelFile:
    """Return the model file with its absolute path if it is beside its manifest (or at the path given there)."""
    path = folder / Path(file.file).expanduser()
    return msgspec.structs.replace(file, file=str(path)) if path.is_file() else file


def is_non_commercial(licence: str) -> bool:
    """Return whether a licence forbids commercial use."""
    return bool(NON_COMMERCIAL.search(licence))


def licence_notice(files: Iterable[ModelFile]) -> str:
    """Return the notice to show before these files are used; empty if commercial use is allowed."""
    restricted: dict[str, list[str]] = {}
    for file in files:
        if is_non_commercial(file.licence):
            restricted.setdefault(file.licence, []).append(file.name)
    return "; ".join(f"for non-commercial use only: {', '.join(names)} ({licence})" for licence, names in restricted.items())


def model_files_by_name() -> dict[str, ModelFile]:
    """Return the model files of all manifests by name."""
    return {file.name: file for manifest in list_manifests() for file in manifest.weights}


def find_model_file(name: str) -> ModelFile:
    """Return the model file of this name. Raises UsageError if there is none."""
    known = model_files_by_name()
    if name not in known:
        raise unknown_name_error("model", name, known)
    return known[name]


def register_custom_skeletons() -> None:
    """Register the custom skeletons of all manifests, for a process that draws what an engine in another one publishes.

    Invalid manifests are skipped: their own engine reports the error.
    """
    for path in manifest_files().values():
        try:
            manifest = read_manifest(path)
            register_skeleton(manifest.skeleton, manifest.network)
        except (UsageError, ValueError):
            continue
