"""Files and folders that appear complete or not at all, and locks between processes."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from remi_stream.errors import RemiError
from remi_stream.paths import user_data_folder
from remi_stream.permission_hints import write_error_hint


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Create a folder atomically: write into the temporary folder yielded, which replaces `folder` when the block ends.

    Raises RemiError if it cannot be written.
    """
    part = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        replace_folder(part, folder)
    except OSError as error:
        why = write_error_hint(folder, error, "Give another --out, or make room")
        raise RemiError(f"Cannot write {folder}: {why}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def replace_folder(new: Path, folder: Path) -> None:
    """Put a folder in the place of another one by a single rename, if the file system can: a crash leaves one of them, whole."""
    if not folder.exists():
        new.rename(folder)
    elif exchange_paths(new, folder):
        shutil.rmtree(new, ignore_errors=True)
    else:
        old = new.with_name(f"{new.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        new.rename(folder)
        shutil.rmtree(old, ignore_errors=True)


def exchange_paths(first: Path, second: Path) -> bool:
    """Exchange two paths of one file system atomically; returns whether it could (Linux, not every network file system)."""
    exchange = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    at_working_folder, rename_exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of renameat2(2)
    paths = at_working_folder, os.fsencode(first), at_working_folder, os.fsencode(second)
    return exchange is not None and exchange(*paths, rename_exchange) == 0


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write an .npz file atomically. Raises OSError; then no file is left."""
    with atomic_file(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


@contextmanager
def atomic_file(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Open a temporary file that is renamed to `path` after fsync. mode: from the beginning, less the umask."""
    part = path.with_name(f"{path.name}.part")
    try:
        with open(part, "wb", opener=partial(os.open, mode=mode)) as file:
            yield file
            file.flush()
            # before the rename, or a power failure could leave an empty file under the final name
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def process_lock(name: str) -> Iterator[None]:
    """Hold the lock of this name, shared by all processes: one converts, the others wait and find the result.

    The kernel releases it when the process ends. Raises RemiError if it cannot be created.
    """
    path = user_data_folder() / "cache" / "locks" / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        why = write_error_hint(path, error, f"$REMI_HOME may name another folder than {user_data_folder()}")
        raise RemiError(f"The conversion cache cannot be written: {why}") from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
