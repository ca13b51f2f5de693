"""Mesh file formats by extension, and reading a mesh."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from remi_stream.errors import UsageError
from remi_stream.morph import fbx_file, obj_file, scene_file
from remi_stream.morph.mesh import Mesh, checked
from remi_stream.mounts import why_empty

READERS: dict[str, Callable[[Path], Mesh]] = {
    ".obj": obj_file.read,
    ".ply": scene_file.read,
    ".glb": scene_file.read,
    ".gltf": scene_file.read,
    ".fbx": fbx_file.read,
}
ENDINGS = ", ".join(READERS)


def is_mesh(path: Path) -> bool:
    """Whether a file has the extension of a mesh format."""
    return path.suffix.lower() in READERS and not path.name.startswith(".")


def read_mesh(path: Path) -> Mesh:
    """Read and validate a mesh file. Raises RemiError."""
    if not is_mesh(path):
        raise UsageError(f"{path} has the extension '{path.suffix}'; mesh formats: {ENDINGS}")
    try:
        return checked(READERS[path.suffix.lower()](path))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}. Give a mesh: {ENDINGS}{why_empty(path)}") from None
