"""Mesh files by extension: reading a mesh, and the pairs of meshes of a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from remi_stream.errors import UsageError
from remi_stream.morph import fbx_file, obj_file, scene_files
from remi_stream.morph.mesh import TriangleMesh, validate_mesh
from remi_stream.permission_hints import empty_mount_hint

MESH_READERS: dict[str, Callable[[Path], TriangleMesh]] = {
    ".obj": obj_file.read_obj,
    ".ply": scene_files.read_scene,
    ".glb": scene_files.read_scene,
    ".gltf": scene_files.read_scene,
    ".fbx": fbx_file.read_fbx,
}
MESH_EXTENSIONS = ", ".join(MESH_READERS)


def is_mesh_file(path: Path) -> bool:
    """Whether a file has the extension of a mesh format."""
    return path.suffix.lower() in MESH_READERS and not path.name.startswith(".")


def read_mesh(path: Path) -> TriangleMesh:
    """Read and validate a mesh file. Raises RemiError."""
    if not is_mesh_file(path):
        raise UsageError(f"{path} has the extension '{path.suffix}'; mesh formats: {MESH_EXTENSIONS}")
    try:
        path.stat()  # the readers of other packages report a missing file as a damaged one
        return validate_mesh(MESH_READERS[path.suffix.lower()](path))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or error}. Give a mesh: {MESH_EXTENSIONS}{empty_mount_hint(path)}"
        ) from None


class MeshPairFiles(NamedTuple):
    """The files of a pair of meshes."""

    a: Path
    b: Path
    folder: str
    """Name of the output folder."""


def find_meshes(folder: Path) -> list[Path]:
    """List the mesh files of a folder by name, at least two. Raises UsageError."""
    if not folder.is_dir():
        raise UsageError(f"--batch {folder} is not a folder. Give one with meshes: {MESH_EXTENSIONS}")
    files = sorted(path for path in folder.iterdir() if path.is_file() and is_mesh_file(path))
    if not files:
        raise UsageError(f"{folder} contains no mesh files. Supported: {MESH_EXTENSIONS}{empty_mount_hint(folder)}")
    if len(files) == 1:
        raise UsageError(f"{folder} contains only one mesh, {files[0].name}. A morph needs two")
    return files


def mesh_pairs(files: Sequence[Path]) -> list[MeshPairFiles]:
    """All pairs of files, each once."""
    names = mesh_names(files)
    return [MeshPairFiles(a, b, pair_folder_name(names[a], names[b])) for a, b in combinations(files, 2)]


def mesh_names(files: Sequence[Path]) -> dict[Path, str]:
    """Display names of files: without extensions, unless two would have the same name."""
    counts = Counter(path.stem for path in files)
    return {path: path.stem if counts[path.stem] == 1 else path.name for path in files}


def pair_folder_name(a: str, b: str) -> str:
    """Name of the output folder of a pair."""
    return f"{a}_to_{b}"
