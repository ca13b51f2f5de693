"""Atomic output folders: complete or absent."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from remi_stream.errors import RemiError
from remi_stream.mounts import write_error_hint


@contextlib.contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Create a folder atomically: write into the temporary folder given, which replaces `folder` when the block ends.

    Raises RemiError if it cannot be written.
    """
    part = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        shutil.rmtree(folder, ignore_errors=True)
        part.replace(folder)
    except OSError as error:
        why = write_error_hint(folder, error, "Give another --out, or make room")
        raise RemiError(f"Cannot write {folder}: {why}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
