"""An engine's manifest: one toml that says how a network runs, under which licence, and with which weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from remi_stream.errors import UsageError, unknown
from remi_stream.resources import home, shared_folder


class ModelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of weights.

    name: what the rest of the package calls it. file: its name in the store. bytes, sha256: of the whole file. wheel: the
    pinned PyPI release that carries it ("mediapipe==0.10.21"), member: where in there; both empty for a file that only the
    user can bring.
    """

    name: str
    file: str
    bytes: int
    sha256: str
    licence: str
    wheel: str = ""
    member: str = ""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an engine runs.

    adapter: what turns its tensors into people (see pose/engine.py). runtime: the default one; runtimes: a table of settings
    for each one it can run in. skeleton: a name of skeletons.py. name: that of the file.
    options: what a pipeline's `engine_options` may set, with the defaults.
    """

    what: str
    adapter: str
    skeleton: str
    licence: str
    runtime: str
    runtimes: dict[str, dict[str, Any]]
    weights: list[ModelFile] = []
    options: dict[str, float] = {}
    name: str = ""


def list_engines() -> list[Manifest]:
    """Every engine's manifest, by name; imports no engine."""
    return [read_manifest(path) for _, path in sorted(manifest_files().items())]


def find_engine(name: str) -> Manifest:
    """The manifest of the engine of this name."""
    files = manifest_files()
    if name not in files:
        raise unknown("engine", name, files)
    return read_manifest(files[name])


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
    return msgspec.structs.replace(manifest, name=path.stem)
