"""Imports weights from the folders mounted into a container: /models/checkpoints and /models/smpl, which may be read-only."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from remi_stream.errors import RemiError
from remi_stream.models.manifest import ModelFile, find_model_file, list_manifests
from remi_stream.models.smpl_pickle import SMPL_FILE
from remi_stream.models.store import file_fault
from remi_stream.paths import user_data_folder
from remi_stream.permission_hints import read_error_hint

SMPL_FOLDER, CHECKPOINT_FOLDER = "smpl", "checkpoints"
WEIGHT_SUFFIXES = (".pt", ".pth", ".ckpt", ".tar", ".bin", ".weights", ".onnx", ".pkl", ".npy")
"""Suffixes of files that are inspected; anything else in the folders is ignored."""

WriteLine = Callable[[str], None]


class InspectedFile(msgspec.Struct, frozen=True):
    """State of a mounted file when it was inspected; kept in a cache so that each file is read only once."""

    bytes: int
    """Size."""
    modified: int
    """Modification time, ns."""
    name: str = ""
    """Name of the model that it is; "" if it was rejected."""


def import_mounted(required: Sequence[ModelFile], optional: Sequence[ModelFile], write_line: WriteLine) -> dict[Path, str]:
    """Import the mounted files of models that are not in the store; return why others were rejected, by path.

    The identity of each file is cached. If a required model is missing, rejected files are read again.
    """
    wanted = [file for file in (*required, *optional) if is_missing(file)]
    rejected = unreadable_folders() if wanted else {}
    if not wanted or not (found := mounted_files(wanted)):
        return rejected
    names = {file.name for file in wanted}
    thorough = any(map(is_missing, required))
    cached, inspected = read_cache(), dict[str, InspectedFile]()
    for path in found:
        entry = cached.get(str(path))
        if entry != cache_entry(path, entry.name if entry else "") or (thorough and not entry.name):
            entry = identify_file(path, rejected)
        inspected[str(path)] = entry
        if entry.name in names and is_missing(find_model_file(entry.name)):
            import_one(path, write_line)
    if inspected != cached:
        with suppress(OSError):  # /models may be read-only; the cache only saves time
            write_cache(inspected)
    return rejected


def unreadable_folders() -> dict[Path, str]:
    """Mounted folders that cannot be listed, and why; their content is not inspected."""
    folders = [user_data_folder() / name for name in (SMPL_FOLDER, CHECKPOINT_FOLDER)]
    return {each / "*": read_error_hint(each) for each in folders if each.exists() and not os.access(each, os.R_OK | os.X_OK)}


def default_body_notice(optional: Sequence[ModelFile], rejected: Mapping[Path, str]) -> list[str]:
    """Lines to print if the SMPL folder is mounted but has no SMPL model, so that the default body is used."""
    folder = user_data_folder() / SMPL_FOLDER
    body = next((file for file in optional if file.name == SMPL_FILE and is_missing(file)), None)
    if body is None or not folder.exists():
        return []
    reasons = [why for path, why in rejected.items() if path.is_relative_to(folder)] or ["no file in it is SMPL"]
    expected = f"Expected: {published_name(body)}, from {body.source}"
    return [f"No SMPL model in {folder}; using the default body: {'; '.join(reasons)}. {expected}"]


def is_missing(file: ModelFile) -> bool:
    """Whether a model is missing and only the user can provide it: no wheel contains it."""
    return not file.wheel and bool(file_fault(file))


def mounted_files(wanted: Sequence[ModelFile]) -> list[Path]:
    """Candidate model files of the mounted folders; files with the published name of a wanted model come first."""
    names = {published_name(file) for file in wanted}
    paths = [path for folder in (SMPL_FOLDER, CHECKPOINT_FOLDER) for path in sorted((user_data_folder() / folder).rglob("*"))]
    models = [path for path in paths if path.suffix.lower() in WEIGHT_SUFFIXES and path.is_file()]
    return sorted(models, key=lambda path: path.name not in names)


def published_name(file: ModelFile) -> str:
    """File name under which a model is published."""
    return file.published or Path(file.file).name


def cache_entry(path: Path, name: str) -> InspectedFile:
    """Cache entry of a file."""
    status = path.stat()
    return InspectedFile(status.st_size, status.st_mtime_ns, name)


def identify_file(path: Path, rejected: dict[Path, str]) -> InspectedFile:
    """Identify a model file by its content; the reason of a rejection is added to `rejected`."""
    from remi_stream.models.importer import likeliest_model, recognise_file

    try:
        return cache_entry(path, likeliest_model(recognise_file(path), path))
    except RemiError as error:
        rejected[path] = str(error)
        return cache_entry(path, "")


def import_one(path: Path, write_line: WriteLine) -> None:
    """Import a file and report it."""
    from remi_stream.models.importer import import_file

    imported = import_file(path).file
    write_line(f"{path} is {imported.name} (licence: {imported.licence}); it was copied into {user_data_folder()}, once.")


def require_files(required: Sequence[ModelFile], rejected: Mapping[Path, str]) -> None:
    """Raise RemiError with a line for each missing model and one for each rejected file."""
    missing = [file for file in required if is_missing(file)]
    if missing:
        lines = [mount_hint(file) for file in missing]
        raise RemiError("\n".join([*lines, *(f"{path.parent} was searched: {why}" for path, why in rejected.items())]))


def mount_hint(file: ModelFile) -> str:
    """One line about a missing model: its licence, where to get it, and how to mount it."""
    bodies = {each.name for manifest in list_manifests() if manifest.role == "body" for each in manifest.weights}
    folder = user_data_folder() / (SMPL_FOLDER if file.name in bodies else CHECKPOINT_FOLDER)
    state = file_fault(file)
    where = f"Get it from {file.source}, and mount" if file.source else "Mount"
    return f"{file.name} is {state}: {published_name(file)} (licence: {file.licence}). {where} its folder: -v FOLDER:{folder}:ro"


def cache_path() -> Path:
    """Path of the cache of inspected files."""
    return user_data_folder() / "cache" / "mounted.json"


def read_cache() -> dict[str, InspectedFile]:
    """The cache, by path; empty if it cannot be read."""
    try:
        return msgspec.json.decode(cache_path().read_bytes(), type=dict[str, InspectedFile])
    except (OSError, msgspec.MsgspecError):
        return {}


def write_cache(inspected: Mapping[str, InspectedFile]) -> None:
    """Replace the cache atomically."""
    cache_path().parent.mkdir(parents=True, exist_ok=True)
    temporary = cache_path().with_suffix(f".{os.getpid()}")
    temporary.write_bytes(msgspec.json.encode(inspected))
    os.replace(temporary, cache_path())
