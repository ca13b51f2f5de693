"""Imports weights from the folders mounted into a container: /models/checkpoints and /models/smpl, which may be read-only."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from remi_stream.body.smpl_file import SMPL
from remi_stream.errors import RemiError
from remi_stream.models.catalogue import known_file
from remi_stream.models.manifest import ModelFile, list_manifests
from remi_stream.models.store import fault
from remi_stream.mounts import why_unreadable
from remi_stream.resources import home

BODIES, CHECKPOINTS = "smpl", "checkpoints"
ENDINGS = (".pt", ".pth", ".ckpt", ".tar", ".bin", ".weights", ".onnx", ".pkl", ".npy")
"""Suffixes of files that are inspected; anything else in the folders is ignored."""

Tell = Callable[[str], None]


class Looked(msgspec.Struct, frozen=True):
    """State of a mounted file when it was inspected; kept in a cache so that each file is read only once."""

    bytes: int
    """Size."""
    modified: int
    """Modification time, ns."""
    name: str = ""
    """Name of the model that it is; "" if it was rejected."""


def take_in(needed: Sequence[ModelFile], welcome: Sequence[ModelFile], tell: Tell) -> dict[Path, str]:
    """Import the mounted files that are wanted and not in the store; return why others were rejected, by path.

    Each file is read once and cached. If a required model is missing, rejected files are read again.
    """
    wanted = [file for file in (*needed, *welcome) if lacks(file)]
    refused = closed_folders() if wanted else {}
    if not wanted or not (found := mounted(wanted)):
        return refused
    names = {file.name for file in wanted}
    thorough = any(map(lacks, needed))
    cached, inspected = remembered(), dict[str, Looked]()
    for path in found:
        entry = cached.get(str(path))
        if entry != looked_at(path, entry.name if entry else "") or (thorough and not entry.name):
            entry = look(path, refused)
        inspected[str(path)] = entry
        if entry.name in names and lacks(known_file(entry.name)):
            take_one(path, tell)
    if inspected != cached:
        with suppress(OSError):  # /models may be read-only; the cache only saves time
            remember(inspected)
    return refused


def closed_folders() -> dict[Path, str]:
    """Mounted folders that cannot be listed, and why; their content is not inspected."""
    folders = [home() / name for name in (BODIES, CHECKPOINTS)]
    return {each / "*": why_unreadable(each) for each in folders if each.exists() and not os.access(each, os.R_OK | os.X_OK)}


def without_body(welcome: Sequence[ModelFile], refused: Mapping[Path, str]) -> list[str]:
    """Lines to print if the SMPL folder is mounted but has no SMPL model, so that the default body is used."""
    folder = home() / BODIES
    body = next((file for file in welcome if file.name == SMPL and lacks(file)), None)
    if body is None or not folder.exists():
        return []
    reasons = [why for path, why in refused.items() if path.is_relative_to(folder)] or ["no file in it is SMPL"]
    return [
        f"No SMPL model in {folder}; using the default body: {'; '.join(reasons)}. Expected: {name_of(body)}, from {body.source}"
    ]


def lacks(file: ModelFile) -> bool:
    """Whether a file is missing and only the user can provide it (not in a wheel)."""
    return not file.wheel and bool(fault(file))


def mounted(wanted: Sequence[ModelFile]) -> list[Path]:
    """Candidate model files of the mounted folders; files with the published name of a wanted model come first."""
    names = {name_of(file) for file in wanted}
    paths = [path for folder in (BODIES, CHECKPOINTS) for path in sorted((home() / folder).rglob("*"))]
    models = [path for path in paths if path.suffix.lower() in ENDINGS and path.is_file()]
    return sorted(models, key=lambda path: path.name not in names)


def name_of(file: ModelFile) -> str:
    """File name under which a model is published."""
    return file.published or Path(file.file).name


def looked_at(path: Path, name: str) -> Looked:
    """Cache entry of a file."""
    status = path.stat()
    return Looked(status.st_size, status.st_mtime_ns, name)


def look(path: Path, refused: dict[Path, str]) -> Looked:
    """Identify a model file by its content; the reason of a rejection is added to `refused`."""
    from remi_stream.models.arrival import likeliest, recognise

    try:
        return looked_at(path, likeliest(recognise(path), path))
    except RemiError as error:
        refused[path] = str(error)
        return looked_at(path, "")


def take_one(path: Path, tell: Tell) -> None:
    """Import a file and report it."""
    from remi_stream.models.arrival import take

    imported = take(path).file
    tell(f"{path} is {imported.name} (licence: {imported.licence}); it was copied into {home()}, once.")


def require_given(needed: Sequence[ModelFile], refused: Mapping[Path, str]) -> None:
    """Raise RemiError with a line for each missing model and one for each rejected file."""
    missing = [file for file in needed if lacks(file)]
    if missing:
        lines = [how_to_give(file) for file in missing]
        raise RemiError("\n".join([*lines, *(f"{path.parent} was searched: {why}" for path, why in refused.items())]))


def how_to_give(file: ModelFile) -> str:
    """One line about a missing model: its licence, where to get it, and how to mount it."""
    bodies = {each.name for manifest in list_manifests() if manifest.role == "body" for each in manifest.weights}
    folder = home() / (BODIES if file.name in bodies else CHECKPOINTS)
    state = fault(file)
    where = f"Get it from {file.source}, and mount" if file.source else "Mount"
    return f"{file.name} is {state}: {name_of(file)} (licence: {file.licence}). {where} its folder: -v FOLDER:{folder}:ro"


def ledger() -> Path:
    """Path of the cache of inspected files."""
    return home() / "cache" / "mounted.json"


def remembered() -> dict[str, Looked]:
    """The cache, by path; empty if it cannot be read."""
    try:
        return msgspec.json.decode(ledger().read_bytes(), type=dict[str, Looked])
    except (OSError, msgspec.MsgspecError):
        return {}


def remember(inspected: Mapping[str, Looked]) -> None:
    """Replace the cache atomically."""
    ledger().parent.mkdir(parents=True, exist_ok=True)
    temporary = ledger().with_suffix(f".{os.getpid()}")
    temporary.write_bytes(msgspec.json.encode(inspected))
    os.replace(temporary, ledger())
