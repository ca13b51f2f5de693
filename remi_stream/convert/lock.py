"""One process at a time makes a thing; the others wait, and find it made."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from remi_stream.resources import home


@contextmanager
def alone(thing: str) -> Iterator[None]:
    """Hold the lock of a thing; it goes with the process, also when it is killed."""
    locks = home() / "cache" / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / thing).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
