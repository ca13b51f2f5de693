"""PLY and glTF; the only file that imports trimesh."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.errors import RemiError, UsageError
from remi_stream.morph.mesh import Mesh, Texture

log = logging.getLogger(__name__)

METRES = (".glb", ".gltf")
"""Formats whose lengths are metres."""


def read(path: Path) -> Mesh:
    """The mesh of a file; the parts of a scene one after the other, where they stand in it. Raises RemiError."""
    parts = _parts(path)
    starts = np.cumsum([0, *(len(part.vertices) for part, _ in parts)])
    vertices = [np.asarray(part.vertices, float) @ place[:3, :3].T + place[:3, 3] for part, place in parts]
    faces = [np.asarray(part.faces, np.int32).reshape(-1, 3) + start for (part, _), start in zip(parts, starts)]
    return Mesh(
        path.name,
        np.concatenate([*vertices, np.zeros((0, 3))]),
        np.concatenate([*faces, np.zeros((0, 3))]).astype(np.int32),
        "m" if path.suffix.lower() in METRES else "",
        _texture(path, [part for part, _ in parts]),
        _colours(parts[0][0]) if len(parts) == 1 else None,
    )


def _parts(path: Path) -> list[tuple[Any, np.ndarray]]:
    """The meshes of a file, each with its place (4, 4)."""
    try:
        import trimesh
    except ImportError as error:
        raise RemiError(f"{path.name} is read by trimesh, which is missing ({error}). pip install 'remi-stream[mesh]'") from None
    try:
        scene = trimesh.load_scene(path, process=False)
        found = [(scene.geometry[name], np.asarray(place)) for place, name in map(scene.graph.get, scene.graph.nodes_geometry)]
    except OSError:
        raise
    except Exception as error:
        log.debug("%s", path, exc_info=True)
        why = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"{path.name} is no mesh that can be read ({why:.120}). Export it again") from None
    return [(part, place) for part, place in found if isinstance(part, trimesh.Trimesh)]


def _texture(path: Path, parts: list[Any]) -> Texture | None:
    images = [image for part in parts if (image := _image(part)) is not None]
    if images and len(parts) > 1:
        log.warning("%s has %d parts: their textures are not compared, nor drawn", path.name, len(parts))
    if len(parts) != 1 or not images:
        return None
    uv = np.asarray(parts[0].visual.uv, float)
    return Texture(images[0], uv, np.asarray(parts[0].faces, int))


def _image(part: Any) -> np.ndarray | None:
    """The picture on a part, (h, w, 3) uint8 RGB."""
    visual = part.visual
    if visual.kind != "texture" or visual.uv is None or len(visual.uv) != len(part.vertices):
        return None
    image = getattr(visual.material, "baseColorTexture", None) or getattr(visual.material, "image", None)
    return None if image is None else np.array(image.convert("RGB"))


def _colours(part: Any) -> np.ndarray | None:
    return np.array(part.visual.vertex_colors)[:, :3] if part.visual.kind == "vertex" else None
