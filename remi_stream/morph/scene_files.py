"""Reads meshes from PLY and glTF (the only module that imports trimesh) and from FBX (the only one that imports ufbx).

ufbx's lists are indexed or read through memoryview: version 0.0.5 crashes when some of them are iterated.
"""

from __future__ import annotations

import logging
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from remi_stream.errors import RemiError, UsageError
from remi_stream.install_hint import install_command
from remi_stream.morph.mesh import Texture, TriangleMesh, decode_texture_image, fan_triangles, read_texture_image

log = logging.getLogger(__name__)

METRIC_FORMATS = (".glb", ".gltf")
"""Formats whose lengths are metres."""


def read_scene(path: Path) -> TriangleMesh:
    """Read the mesh of a PLY or glTF file; the parts of a scene are concatenated in scene coordinates. Raises RemiError."""
    parts = _parts(path)
    starts = np.cumsum([0, *(len(part.vertices) for part, _ in parts)])
    vertices = [np.asarray(part.vertices, float) @ pose[:3, :3].T + pose[:3, 3] for part, pose in parts]
    faces = [np.asarray(part.faces, np.int32).reshape(-1, 3) + start for (part, _), start in zip(parts, starts)]
    return TriangleMesh(
        path.name,
        np.concatenate([*vertices, np.zeros((0, 3))]),
        np.concatenate([*faces, np.zeros((0, 3))]).astype(np.int32),
        "m" if path.suffix.lower() in METRIC_FORMATS else "",
        _scene_texture(path, [part for part, _ in parts]),
        _vertex_colours(parts[0][0]) if len(parts) == 1 else None,
    )


def _parts(path: Path) -> list[tuple[Any, np.ndarray]]:
    """Load the meshes of a file, each with its transform (4, 4) in the scene."""
    try:
        import trimesh
    except ImportError as error:
        raise RemiError(f"Reading {path.name} needs trimesh, which is missing ({error}). {install_command('mesh')}") from None
    try:
        # process=False: trimesh would merge and reorder vertices, and those of two meshes must correspond
        scene = trimesh.load_scene(path, process=False)
        parts = [(scene.geometry[name], np.asarray(pose)) for pose, name in map(scene.graph.get, scene.graph.nodes_geometry)]
    except OSError:  # a missing file: the caller reports it
        raise
    except Exception as error:  # trimesh's loaders raise whatever the parser of a damaged file raises
        log.debug("%s", path, exc_info=True)
        why = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"{path.name} is not a readable mesh ({why:.120}). Export it again") from None
    return [(part, pose) for part, pose in parts if isinstance(part, trimesh.Trimesh)]


def _scene_texture(path: Path, parts: list[Any]) -> Texture | None:
    images = [image for part in parts if (image := _base_colour_image(part)) is not None]
    if images and len(parts) > 1:
        log.warning("%s has %d parts: their textures are neither compared nor drawn", path.name, len(parts))
    if len(parts) != 1 or not images:
        return None
    uv = np.asarray(parts[0].visual.uv, float)
    return Texture(images[0], uv, np.asarray(parts[0].faces, int))


def _base_colour_image(part: Any) -> np.ndarray | None:
    """Base colour texture of a part, (h, w, 3) uint8 RGB."""
    visual = part.visual
    if visual.kind != "texture" or visual.uv is None or len(visual.uv) != len(part.vertices):
        return None
    image = getattr(visual.material, "baseColorTexture", None) or getattr(visual.material, "image", None)
    return None if image is None else np.array(image.convert("RGB"))


def _vertex_colours(part: Any) -> np.ndarray | None:
    return np.array(part.visual.vertex_colors)[:, :3] if part.visual.kind == "vertex" else None


def read_fbx(path: Path) -> TriangleMesh:
    """Read the mesh of an FBX file in scene coordinates, m, y up, without skinning. Raises RemiError."""
    scene = _load_fbx(path)
    meshes = [scene.meshes[number] for number in range(len(scene.meshes))]
    parts = [(mesh, mesh.instances[k]) for mesh in meshes for k in range(len(mesh.instances)) if mesh.num_faces]
    vertices, faces, offset = [np.zeros((0, 3))], [np.zeros((0, 3), int)], 0
    for mesh, node in parts:
        vertices.append(_transform(np.array(memoryview(mesh.vertices)), node.geometry_to_world))
        faces.append(_to_array(mesh.vertex_indices)[_triangles(mesh)] + offset)
        offset += len(vertices[-1])
    texture = _fbx_texture(path, scene, parts)
    return TriangleMesh(path.name, np.concatenate(vertices), np.concatenate(faces).astype(np.int32), "m", texture)


def _load_fbx(path: Path) -> Any:
    try:
        import ufbx  # type: ignore[import-untyped]
    except ImportError as error:
        raise RemiError(f"Reading {path.name} needs ufbx, which is missing ({error}). {install_command('mesh')}") from None
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


def _fbx_texture(path: Path, scene: Any, parts: list[Any]) -> Texture | None:
    if len(parts) != 1 or not len(scene.textures) or not parts[0][0].vertex_uv.exists:
        return None
    if len(scene.textures) > 1:
        log.warning("%s has %d textures: they are neither compared nor drawn", path.name, len(scene.textures))
        return None
    mesh, texture = parts[0][0], scene.textures[0]
    if (image := _fbx_image(path, texture)) is None:
        return None
    uv = np.array(memoryview(mesh.vertex_uv.values))
    return Texture(image, uv, _to_array(mesh.vertex_uv.indices)[_triangles(mesh)])


def _fbx_image(path: Path, texture: Any) -> np.ndarray | None:
    """Read the embedded texture image, or the file of its name beside the FBX file."""
    if texture.content:
        return decode_texture_image(bytes(texture.content), path.name)
    return read_texture_image(path.with_name(PureWindowsPath(texture.relative_filename or texture.filename).name))
