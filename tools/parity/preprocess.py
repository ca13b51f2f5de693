"""Runs the groups of `preprocess.npz`, each with its module `group_<name>.py`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from parity.rows import Entries, Row, missing, uncovered


def check(entries: Entries, manifest: dict[str, Any], only: str = "") -> Iterator[Row]:
    """Check every group in the entries, or only one."""
    modules = find_groups()
    for group in sorted(groups_of(entries, manifest)):
        if only in ("", group):
            yield from check_group(group, modules.get(group), entries, manifest)


def check_group(group: str, module: ModuleType | None, entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """Check one group; entries without a row are reported as missing."""
    if module is None:
        yield missing(group, f"no module group_{group}.py")
        return
    rows = []
    try:
        for row in module.check(entries, manifest):
            rows.append(row)
            yield row
    except Exception as error:  # noqa: BLE001 (reported as a row; the other groups still run)
        yield missing(group, f"{type(error).__name__}: {error}")
    if not rows:
        yield missing(group, "no rows")
    yield from uncovered((entry for entry in entries if entry.startswith(f"{group}.")), rows)


def groups_of(entries: Entries, manifest: dict[str, Any]) -> set[str]:
    """Groups to check: those of the manifest that the npz has, and all others with outputs."""
    listed = {name.partition(".*")[0] for name in manifest.get("groups", {}) if name.endswith(".*")}
    present = {entry.split(".")[0] for entry in entries}
    with_outputs = {entry.split(".")[0] for entry in entries if ".out." in entry}
    return (listed & present) | with_outputs


def find_groups() -> dict[str, ModuleType]:
    """Import the group modules, by key prefix."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("group_*.py"))
    modules = [importlib.import_module(f"parity.{name}") for name in names]
    return {module.GROUP: module for module in modules}
