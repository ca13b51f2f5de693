"""Tests that need a part which is not Python (a Prometheus, a browser) skip without it, unless REMI_REQUIRE names it."""

from __future__ import annotations

import os
import shutil

import pytest

PARTS = {"prometheus": ("prometheus", "promtool")}
"""Marker: the programs that it stands for."""


def require(part: str) -> None:
    """Skip the running test when a program of this part is missing; fail it when REMI_REQUIRE names the part."""
    missing = [program for program in PARTS[part] if shutil.which(program) is None]
    if not missing:
        return
    why = f"needs {' and '.join(missing)} (Debian: apt-get install {part})"
    if part in os.environ.get("REMI_REQUIRE", "").split(","):
        pytest.fail(f"REMI_REQUIRE names {part}: {why}", pytrace=False)
    pytest.skip(why)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for part in PARTS:
        if item.get_closest_marker(part):
            require(part)
