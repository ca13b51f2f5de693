from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.browser import Browser, running
from tests.browser.viewing import Viewing, viewing


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def viewer() -> Iterator[Viewing]:
    with viewing() as started:
        yield started
