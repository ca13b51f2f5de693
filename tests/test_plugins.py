"""Plug-ins are imported by name; a missing module is reported otherwise than one whose own import fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from remi_stream.errors import RemiError, UsageError
from remi_stream.plugins import find_plugin, import_from_string


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "whole_plugin.py").write_text("def make(): return 7\n")
    (tmp_path / "broken_plugin.py").write_text("import a_dependency_that_is_missing\n")
    return tmp_path


def test_attribute_is_imported(package: Path) -> None:
    assert import_from_string("whole_plugin:make")() == 7


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_plugin:make", "there is no module 'no_such_plugin'"),
        ("no_such_package.inner:make", "there is no module 'no_such_package'"),
        ("whole_plugin:other", "module 'whole_plugin' has no 'other'"),
        ("whole_plugin", "is not of the form module:attribute"),
    ],
)
def test_missing_module_or_attribute_is_one_line(package: Path, target: str, message: str) -> None:
    with pytest.raises(RemiError, match=message):
        import_from_string(target)


def test_failing_import_of_a_plugin_keeps_its_traceback(package: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match="a_dependency_that_is_missing"):
        import_from_string("broken_plugin:make")


def test_unknown_name_lists_the_known_ones(package: Path) -> None:
    with pytest.raises(UsageError, match="whole"):
        find_plugin("adapter", "hole", {"whole": "whole_plugin:make"}, "remi_stream.nothing")
    assert find_plugin("adapter", "whole", {"whole": "whole_plugin:make"}, "remi_stream.nothing")() == 7
