"""The meshes of a folder, and every pair of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from remi_stream.errors import UsageError
from remi_stream.morph.files import ENDINGS, is_mesh
from remi_stream.mounts import why_empty


class Names(NamedTuple):
    """A pair: its files, and what its folder is called."""

    a: Path
    b: Path
    folder: str


def meshes_of(folder: Path) -> list[Path]:
    """The files of a folder that are called like meshes, two at least, in the order of their names. Raises UsageError."""
    if not folder.is_dir():
        raise UsageError(f"--batch {folder} is no folder. Give one with meshes: {ENDINGS}")
    found = sorted(path for path in folder.iterdir() if path.is_file() and is_mesh(path))
    if not found:
        raise UsageError(f"{folder} holds no mesh. What is taken ends in {ENDINGS}{why_empty(folder)}")
    if len(found) == 1:
        raise UsageError(f"{folder} holds one mesh only, {found[0].name}. A morph needs two")
    return found


def pairs(files: Sequence[Path]) -> list[Names]:
    """Every two files, once."""
    called = names(files)
    return [Names(a, b, folder_name(called[a], called[b])) for a, b in combinations(files, 2)]


def names(files: Sequence[Path]) -> dict[Path, str]:
    """What files are called: without their endings, where that is not the same for two of them."""
    stems = [path.stem for path in files]
    return {path: path.stem if stems.count(path.stem) == 1 else path.name for path in files}


def folder_name(a: str, b: str) -> str:
    """What the folder of a pair is called."""
    return f"{a}_to_{b}"
