"""Named lock between processes (flock): one converts, the others wait and find the result."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from remi_stream.errors import RemiError
from remi_stream.mounts import write_error_hint
from remi_stream.resources import user_data_folder


@contextmanager
def process_lock(name: str) -> Iterator[None]:
    """Hold the lock of this name; the kernel releases it when the process ends. Raises RemiError if it cannot be created."""
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
