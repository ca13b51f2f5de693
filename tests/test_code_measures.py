"""The code keeps the glossary's words, unique class names, files of a reader's size, and no import cycles."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def figures() -> dict[str, float]:
    command = [sys.executable, str(ROOT / "tools" / "measure_code.py")]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return {line[:42].strip(): float(line[42:].split()[0]) for line in lines}


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("idiom", 0),
        ("class names used twice", 0),
        ("field words missing", 0),
        ("longest file", 500),
        ("import cycles of files", 0),
        ("import cycles of rooms", 0),
    ],
)
def test_measure_is_within_its_limit(figures: dict[str, float], name: str, limit: float) -> None:
    assert figures[name] <= limit, f"see: python3 tools/measure_code.py --show ({name})"
