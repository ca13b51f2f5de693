"""A pair of meshes with the same topology: their differences in shape, colours and texture, and the tables of these."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.sparse import csr_matrix

from remi_stream.morph.mesh import Texture, TriangleMesh, require_same_topology
from remi_stream.morph.path import MorphEnd, MorphPath, end_mesh, morph_path
from remi_stream.render.surface import merge_coincident_vertices, vertex_face_matrix

CsvCell = str | int | float | None


def encode_csv_array(columns: Sequence[str], row_format: str, values: np.ndarray) -> bytes:
    """Encode many rows (N, C) with one %-format, which includes the line end; fast."""
    return (",".join(columns) + "\n" + row_format * len(values) % tuple(values.ravel().tolist())).encode()


def encode_csv(rows: Sequence[Mapping[str, CsvCell]]) -> bytes:
    """Encode rows with the columns of the first one; None becomes an empty cell."""
    lines = [",".join(rows[0]), *(",".join(_cell(value) for value in row.values()) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def _cell(value: CsvCell) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f'"{value.replace(chr(34), chr(34) * 2)}"' if set(value) & set(',"\n\r') else value
    return f"{value:d}" if isinstance(value, int) else f"{value:.9g}"


TEXTURE_COLUMNS = ("index", "u", "v", "dr", "dg", "db", "difference")


def texture_difference(a: Texture, b: Texture) -> np.ndarray:
    """Compute the absolute difference of two textures, mean over RGB: (h, w) float32, 0 to 255; b is resized to the size of a."""
    first, second = a.image, b.image
    if first.shape != second.shape:
        second = cv2.resize(second, (first.shape[1], first.shape[0]), interpolation=cv2.INTER_AREA)
    return np.abs(second.astype(np.float32) - first).mean(2)


def texture_difference_table(a: TriangleMesh, b: TriangleMesh) -> bytes:
    """Encode texture_differences.csv: one row per vertex with texture coordinates."""
    assert a.texture is not None
    assert b.texture is not None
    (index, uv), (_, uv_b) = vertex_uv(a, a.texture), vertex_uv(b, b.texture)
    changed = sample_bilinear(b.texture.image, uv_b) - sample_bilinear(a.texture.image, uv)
    values = np.column_stack([index, uv, changed, np.abs(changed).mean(1)])
    return encode_csv_array(TEXTURE_COLUMNS, "%d,%.9g,%.9g,%.6g,%.6g,%.6g,%.6g\n", values)


def vertex_uv(mesh: TriangleMesh, texture: Texture) -> tuple[np.ndarray, np.ndarray]:
    """Texture coordinates of vertices: indices (N,) and uv (N, 2); on a seam those of the first corner."""
    index, first = np.unique(mesh.faces, return_index=True)
    return index, texture.uv[texture.faces.reshape(-1)[first]]


def sample_bilinear(image: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Sample an image at uv (N, 2) with bilinear interpolation and repeat wrapping: (N, 3) float32, RGB 0 to 255."""
    height, width = image.shape[:2]
    # 1 itself is not wrapped to 0: it is the far edge of the texture
    u, v = np.where((uv < 0) | (uv > 1), uv % 1, uv).T
    # not cv2.remap: it takes at most 32,767 rows or columns of coordinates, fewer than vertices
    x, y = (u * width - 0.5).clip(0, width - 1), ((1 - v) * height - 0.5).clip(0, height - 1)
    left, top = x.astype(int), y.astype(int)
    right, under = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    x, y = (x - left)[:, None], (y - top)[:, None]
    above, below = image[top, left] * (1 - x) + image[top, right] * x, image[under, left] * (1 - x) + image[under, right] * x
    return (above * (1 - y) + below * y).astype(np.float32)


def vertex_colours(mesh: TriangleMesh) -> np.ndarray:
    """Vertex colours of a mesh from texture, vertex colours or the default: (V, 3) float32, RGB 0 to 255."""
    if mesh.texture is None:
        plain = np.tile(np.array(DEFAULT_COLOUR, np.float32), (len(mesh.vertices), 1))
        return plain if mesh.vertex_rgb is None else mesh.vertex_rgb.astype(np.float32)
    index, uv = vertex_uv(mesh, mesh.texture)
    rgb = np.zeros((len(mesh.vertices), 3), np.float32)
    rgb[index] = sample_bilinear(mesh.texture.image, uv)
    return rgb


log = logging.getLogger(__name__)

DEFAULT_COLOUR = (104, 163, 178)
"""RGB of a mesh without colours."""


@dataclass(frozen=True)
class MorphPair:
    """Two meshes, the path between them, and their differences."""

    a: TriangleMesh
    b: TriangleMesh
    path: MorphPath
    """Vertices at any share of the morph."""
    vertex_faces: csr_matrix
    """(V, F) vertex-face adjacency of 0 and 1."""
    displacements: np.ndarray
    """(V, 3), displacement vectors from a to b."""
    distances: np.ndarray
    """(V,), their lengths."""
    texture_differences: np.ndarray | None
    """(h, w) float32, difference of the textures, 0 to 255; None unless both have one."""

    @property
    def unit(self) -> str:
        """Of lengths: "m", or "" if unknown or different."""
        return self.a.unit if self.a.unit == self.b.unit else ""


def make_morph_pair(start: MorphEnd, end: MorphEnd) -> MorphPair:
    """Make the pair of two ends of a morph. Raises UsageError if their topologies differ."""
    a, b = end_mesh(start), end_mesh(end)
    require_same_topology(a, b)
    moved = b.vertices - a.vertices
    # coincident in both: vertices that only touch in one of the meshes stay apart
    around = vertex_face_matrix(a.faces, merge_coincident_vertices(a.vertices, b.vertices))
    return MorphPair(a, b, morph_path(start, end), around, moved, np.sqrt((moved * moved).sum(1)), _texture_differences(a, b))


def _texture_differences(a: TriangleMesh, b: TriangleMesh) -> np.ndarray | None:
    untextured = [mesh.name for mesh in (a, b) if mesh.texture is None]
    if a.texture and b.texture:
        if a.texture.image.shape != b.texture.image.shape:
            log.warning("the texture of %s is resized to that of %s for the comparison", b.name, a.name)
        return texture_difference(a.texture, b.texture)
    level = logging.INFO if len(untextured) == 2 else logging.WARNING
    log.log(level, "no texture in %s: textures are not compared", " and ".join(untextured))
    return None
