"""Folders are replaced as a whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from remi_stream import atomic_files
from remi_stream.atomic_files import replace_folder


def folder_with(path: Path, content: str) -> Path:
    path.mkdir()
    (path / "plan").write_text(content)
    return path


@pytest.mark.parametrize("can_exchange", [True, False])
def test_folder_is_replaced_and_nothing_is_left_beside_it(
    can_exchange: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not can_exchange:
        monkeypatch.setattr(atomic_files, "exchange_paths", lambda first, second: False)
    for content in ("first", "second"):
        replace_folder(folder_with(tmp_path / "new", content), tmp_path / "kept")
        assert [path.name for path in tmp_path.iterdir()] == ["kept"]
        assert (tmp_path / "kept" / "plan").read_text() == content


def test_there_is_no_moment_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_folder(folder_with(tmp_path / "new", "first"), tmp_path / "kept")
    monkeypatch.setattr(Path, "rename", lambda path, target: pytest.fail("a second rename"))
    monkeypatch.setattr(os, "rename", lambda path, target: pytest.fail("a second rename"))
    replace_folder(folder_with(tmp_path / "new", "second"), tmp_path / "kept")
    assert (tmp_path / "kept" / "plan").read_text() == "second"
