"""The folders of weights that a container is given: /models/checkpoints and /models/smpl, which may be read only."""

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

Tell = Callable[[str], None]


class Looked(msgspec.Struct, frozen=True):
    """What a file was when it was looked at: bytes, modified (ns); name: the model that it is, "" if it was refused."""

    bytes: int
    modified: int
    name: str = ""


def take_in(needed: Sequence[ModelFile], welcome: Sequence[ModelFile], tell: Tell) -> dict[Path, str]:
    """Import, of the mounted files, those that are wanted and not here yet; give why others were refused, by path.

    Every file is read once and remembered, unless something needed is missing: then nothing is left untried.
    """
    wanted = [file for file in (*needed, *welcome) if lacks(file)]
    refused = closed_folders() if wanted else {}
    if not wanted or not (found := mounted(wanted)):
        return refused
    names = {file.name for file in wanted}
    thorough = any(map(lacks, needed))
    known, seen = remembered(), dict[str, Looked]()
    for path in found:
        looked = known.get(str(path))
        if looked != looked_at(path, looked.name if looked else "") or (thorough and not looked.name):
            looked = look(path, refused)
        seen[str(path)] = looked
        if looked.name in names and lacks(known_file(looked.name)):
            take_one(path, tell)
    if seen != known:
        with suppress(OSError):  # it would only spare the next command a look
            remember(seen)
    return refused


def closed_folders() -> dict[Path, str]:
    """The mounted folders that cannot be listed, and why; what is in them is not looked at."""
    folders = [home() / name for name in (BODIES, CHECKPOINTS)]
    return {each / "*": why_unreadable(each) for each in folders if each.exists() and not os.access(each, os.R_OK | os.X_OK)}


def without_body(welcome: Sequence[ModelFile], refused: Mapping[Path, str]) -> list[str]:
    """What to say if a folder is mounted where SMPL should lie, and the command has to do with the open body all the same."""
    folder = home() / BODIES
    body = next((file for file in welcome if file.name == SMPL and lacks(file)), None)
    if body is None or not folder.exists():
        return []
    whys = [why for path, why in refused.items() if path.is_relative_to(folder)] or ["nothing in it is SMPL"]
    return [
        f"{folder} does not give SMPL, so the open body is used: {'; '.join(whys)}. Wanted: {name_of(body)}, from {body.source}"
    ]


def lacks(file: ModelFile) -> bool:
    """Whether a file is not here and only the user can bring it."""
    return not file.wheel and bool(fault(file))


def mounted(wanted: Sequence[ModelFile]) -> list[Path]:
    """The files of the mounted folders that may be models, those with a wanted one's name first."""
    names = {name_of(file) for file in wanted}
    paths = [path for folder in (BODIES, CHECKPOINTS) for path in sorted((home() / folder).rglob("*"))]
    models = [path for path in paths if path.suffix.lower() in ENDINGS and path.is_file()]
    return sorted(models, key=lambda path: path.name not in names)


def name_of(file: ModelFile) -> str:
    """A model file's name where it is published."""
    return file.published or Path(file.file).name


def looked_at(path: Path, name: str) -> Looked:
    """What is remembered of a file that is this model."""
    status = path.stat()
    return Looked(status.st_size, status.st_mtime_ns, name)


def look(path: Path, refused: dict[Path, str]) -> Looked:
    """See what a file is by its content; why it is nothing is noted."""
    from remi_stream.models.arrival import likeliest, recognise

    try:
        return looked_at(path, likeliest(recognise(path), path))
    except RemiError as error:
        refused[path] = str(error)
        return looked_at(path, "")


def take_one(path: Path, tell: Tell) -> None:
    """Import a file, with a line that says so."""
    from remi_stream.models.arrival import take

    taken = take(path).file
    tell(f"{path} is {taken.name} (licence: {taken.licence}); it is copied into {home()}, once.")


def require_given(needed: Sequence[ModelFile], refused: Mapping[Path, str]) -> None:
    """Raise RemiError with a line for each model that is missing, and one for each file that was looked at in vain."""
    missing = [file for file in needed if lacks(file)]
    if missing:
        lines = [how_to_give(file) for file in missing]
        raise RemiError("\n".join([*lines, *(f"{path.parent} was looked at: {why}" for path, why in refused.items())]))


def how_to_give(file: ModelFile) -> str:
    """What is missing, under which licence and where it is to be had, and how a container is given it."""
    bodies = {each.name for manifest in list_manifests() if manifest.role == "body" for each in manifest.weights}
    folder = home() / (BODIES if file.name in bodies else CHECKPOINTS)
    state = fault(file).replace("missing", "not here")
    where = f"Get it from {file.source}, and mount" if file.source else "Mount"
    return f"{file.name} is {state}: {name_of(file)} (licence: {file.licence}). {where} its folder: -v FOLDER:{folder}:ro"


def ledger() -> Path:
    """Where it is remembered which files were looked at."""
    return home() / "cache" / "mounted.json"


def remembered() -> dict[str, Looked]:
    """What is remembered, by path; nothing if it cannot be read."""
    try:
        return msgspec.json.decode(ledger().read_bytes(), type=dict[str, Looked])
    except (OSError, msgspec.MsgspecError):
        return {}


def remember(seen: Mapping[str, Looked]) -> None:
    """Write it down, whole."""
    ledger().parent.mkdir(parents=True, exist_ok=True)
    new = ledger().with_suffix(f".{os.getpid()}")
    new.write_bytes(msgspec.json.encode(seen))
    os.replace(new, ledger())
