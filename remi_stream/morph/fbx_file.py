"""Reads meshes from FBX, in a process of its own; the only module that imports ufbx.

ufbx 0.0.5 has two faults: it crashes when some of its lists are iterated, so they are indexed or read through memoryview, and
when several objects of one scene are freed, in any order. So the process that reads a file ends without freeing them.
"""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from remi_stream.errors import RemiError, UsageError
from remi_stream.install_hint import install_command
from remi_stream.morph.mesh import Texture, TriangleMesh, decode_texture_image, fan_triangles, read_texture_image

log = logging.getLogger(__name__)

_never_freed: list[Any] = []
"""The objects of ufbx."""


def read_fbx(path: Path) -> TriangleMesh:
    """Read the mesh of an FBX file in scene coordinates, m, y up, without skinning. Raises RemiError."""
    try:
        import ufbx  # type: ignore[import-untyped]  # noqa: F401
    except ImportError as error:
        raise RemiError(f"Reading {path.name} needs ufbx, which is missing ({error}). {install_command('mesh')}") from None
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        try:
            mesh, warnings = process.submit(_read_in_process, path).result()
        except BrokenProcessPool:
            raise UsageError(f"{path.name} is not a readable FBX file (it crashed the reader). Export it again") from None
    for warning in warnings:
        log.warning("%s", warning)
    return mesh


def _read_in_process(path: Path) -> tuple[TriangleMesh, list[str]]:
    """Read a file; return its mesh, and warnings. Its objects of ufbx are kept: see above."""
    atexit.register(os._exit, 0)  # ends the process before Python frees them
    scene = _load(path)
    meshes = [scene.meshes[number] for number in range(len(scene.meshes))]
    parts = [(mesh, mesh.instances[k]) for mesh in meshes for k in range(len(mesh.instances)) if mesh.num_faces]
    _never_freed.extend([scene, meshes, parts])
    vertices, faces, offset = [np.zeros((0, 3))], [np.zeros((0, 3), int)], 0
    for mesh, node in parts:
        vertices.append(_transform(np.array(memoryview(mesh.vertices)), node.geometry_to_world))
        faces.append(_to_array(mesh.vertex_indices)[_triangles(mesh)] + offset)
        offset += len(vertices[-1])
    texture, warnings = _texture(path, scene, parts)
    return TriangleMesh(path.name, np.concatenate(vertices), np.concatenate(faces).astype(np.int32), "m", texture), warnings


def _load(path: Path) -> Any:
    import ufbx

    try:
        return ufbx.load_file(
            str(path),
            target_axes=ufbx.axes_right_handed_y_up,
            target_unit_meters=1.0,
            space_conversion=ufbx.SpaceConversion.MODIFY_GEOMETRY,
        )
    except ufbx.UfbxError as error:
        raise UsageError(f"{path.name} is not a readable FBX file ({error}). Export it again") from None


def _triangles(mesh: Any) -> np.ndarray:
    """Corner indices of a mesh's triangles, (F, 3)."""
    return fan_triangles(np.array(memoryview(mesh.faces))[:, 1].astype(int))


def _to_array(indices: Any) -> np.ndarray:
    return np.array([indices[number] for number in range(len(indices))], int)


def _transform(vertices: np.ndarray, matrix: Any) -> np.ndarray:
    rotation = np.array([[axis.x, axis.y, axis.z] for axis in (matrix.c0, matrix.c1, matrix.c2)])
    return vertices @ rotation + (matrix.c3.x, matrix.c3.y, matrix.c3.z)


def _texture(path: Path, scene: Any, parts: list[Any]) -> tuple[Texture | None, list[str]]:
    if len(parts) != 1 or not len(scene.textures) or not parts[0][0].vertex_uv.exists:
        return None, []
    if len(scene.textures) > 1:
        return None, [f"{path.name} has {len(scene.textures)} textures: they are neither compared nor drawn"]
    mesh, texture = parts[0][0], scene.textures[0]
    _never_freed.append(texture)
    if (image := _texture_image(path, texture)) is None:
        return None, []
    uv = np.array(memoryview(mesh.vertex_uv.values))
    return Texture(image, uv, _to_array(mesh.vertex_uv.indices)[_triangles(mesh)]), []


def _texture_image(path: Path, texture: Any) -> np.ndarray | None:
    """Read the embedded texture image, or the file of its name beside the FBX file."""
    if texture.content:
        return decode_texture_image(bytes(texture.content), path.name)
    return read_texture_image(path.with_name(PureWindowsPath(texture.relative_filename or texture.filename).name))
