"""The reference pages that are made from the code are those of this code."""

from __future__ import annotations

from pathlib import Path

import pytest

from remi_stream.config import CameraConfig, Config
from remi_stream.skeletons import JOINT_NAMES
from tools.make_reference import PAGES, field_docstrings, pipeline_page, skeletons_page

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", PAGES)
def test_page_is_current(name: str) -> None:
    assert (FOLDER / name).read_text() == PAGES[name](), "run: python tools/make_reference.py"


@pytest.mark.parametrize("struct", [Config, CameraConfig])
def test_every_key_is_described_with_its_values(struct: type[Config] | type[CameraConfig]) -> None:
    assert set(field_docstrings(struct)) == set(struct.__struct_fields__)
    rows = {line.split("|")[1].strip(" `"): line for line in pipeline_page().splitlines() if line.startswith("| `")}
    assert set(struct.__struct_fields__) <= set(rows)
    assert rows["max_people"].startswith("| `max_people` | a whole number of 1 to 32 | `4` | Maximum number")
    assert rows["rotate"].startswith("| `rotate` | 0, 90, 180 or 270 | `0` |")


def test_every_joint_has_its_index_and_its_parent() -> None:
    text = skeletons_page()
    assert [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")] == [*JOINT_NAMES]
    assert "| 22 | `left_hand` | 20 `left_wrist` |" in text
    assert sum(line.startswith("| ") and "`" in line for line in text.splitlines()) == sum(map(len, JOINT_NAMES.values()))
