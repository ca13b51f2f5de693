"""FBX, binary and text; the only file that imports ufbx.

Its lists are indexed, or looked at through memoryview: version 0.0.5 crashes where some of them are iterated over.
"""

from __future__ import annotations

import logging
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from remi_stream.errors import RemiError, UsageError
from remi_stream.morph.mesh import Mesh, Texture
from remi_stream.morph.pictures import decoded, read_picture
from remi_stream.morph.triangles import fan

log = logging.getLogger(__name__)


def read(path: Path) -> Mesh:
    """The mesh of a file, in metres and y up, as it stands in its scene without its bones. Raises RemiError."""
    scene = _scene(path)
    meshes = [scene.meshes[number] for number in range(len(scene.meshes))]
    parts = [(mesh, mesh.instances[k]) for mesh in meshes for k in range(len(mesh.instances)) if mesh.num_faces]
    vertices, faces, known = [np.zeros((0, 3))], [np.zeros((0, 3), int)], 0
    for mesh, node in parts:
        vertices.append(_placed(np.array(memoryview(mesh.vertices)), node.geometry_to_world))
        faces.append(_numbers(mesh.vertex_indices)[_triangles(mesh)] + known)
        known += len(vertices[-1])
    texture = _texture(path, scene, parts)
    return Mesh(path.name, np.concatenate(vertices), np.concatenate(faces).astype(np.int32), "m", texture)


def _scene(path: Path) -> Any:
    try:
        import ufbx  # type: ignore[import-untyped]
    except ImportError as error:
        raise RemiError(f"{path.name} is read by ufbx, which is missing ({error}). pip install 'remi-stream[mesh]'") from None
    try:
        return ufbx.load_file(
            str(path),
            target_axes=ufbx.axes_right_handed_y_up,
            target_unit_meters=1.0,
            space_conversion=ufbx.SpaceConversion.MODIFY_GEOMETRY,
        )
    except ufbx.UfbxError as error:
        raise UsageError(f"{path.name} is no FBX that can be read ({error}). Export it again") from None


def _triangles(mesh: Any) -> np.ndarray:
    """Which of a mesh's corners make triangles, (F, 3)."""
    return fan(np.array(memoryview(mesh.faces))[:, 1].astype(int))


def _numbers(listed: Any) -> np.ndarray:
    return np.array([listed[number] for number in range(len(listed))], int)


def _placed(vertices: np.ndarray, place: Any) -> np.ndarray:
    turn = np.array([[axis.x, axis.y, axis.z] for axis in (place.c0, place.c1, place.c2)])
    return vertices @ turn + (place.c3.x, place.c3.y, place.c3.z)


def _texture(path: Path, scene: Any, parts: list[Any]) -> Texture | None:
    if len(parts) != 1 or not len(scene.textures) or not parts[0][0].vertex_uv.exists:
        return None
    if len(scene.textures) > 1:
        log.warning("%s has %d textures: they are not compared, nor drawn", path.name, len(scene.textures))
        return None
    mesh, texture = parts[0][0], scene.textures[0]
    if (image := _image(path, texture)) is None:
        return None
    uv = np.array(memoryview(mesh.vertex_uv.values))
    return Texture(image, uv, _numbers(mesh.vertex_uv.indices)[_triangles(mesh)])


def _image(path: Path, texture: Any) -> np.ndarray | None:
    """The picture in the file, or beside it under the name that the file has for it."""
    if texture.content:
        return decoded(bytes(texture.content), path.name)
    return read_picture(path.with_name(PureWindowsPath(texture.relative_filename or texture.filename).name))
