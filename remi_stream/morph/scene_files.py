"""Reads meshes from PLY and glTF; the only module that imports trimesh."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.errors import RemiError, UsageError
from remi_stream.install_hint import install_command
from remi_stream.morph.mesh import Texture, TriangleMesh

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
