"""Mesh file formats by extension, and reading a mesh."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from remi_stream.errors import UsageError
from remi_stream.morph import fbx_file, obj_file, scene_file
from remi_stream.morph.mesh import TriangleMesh, validate_mesh
from remi_stream.mounts import empty_mount_hint

MESH_READERS: dict[str, Callable[[Path], TriangleMesh]] = {
    ".obj": obj_file.read_obj,
    ".ply": scene_file.read_scene,
    ".glb": scene_file.read_scene,
    ".gltf": scene_file.read_scene,
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
        return validate_mesh(MESH_READERS[path.suffix.lower()](path))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or error}. Give a mesh: {MESH_EXTENSIONS}{empty_mount_hint(path)}"
        ) from None
