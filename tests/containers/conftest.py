"""One storage for the images of all tests; leftovers of killed runs are removed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.image import Storage

PREFIX = "remi-stream-images-"


@pytest.fixture(scope="session")
def storage() -> Iterator[Storage]:
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if not Path(f"/proc/{left.name.removeprefix(PREFIX).partition('-')[0]}").exists():
            Storage(left).close()
    storage = Storage(Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")))
    try:
        yield storage
    finally:
        storage.close()
