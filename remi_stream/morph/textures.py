"""Texture comparison, texture sampling and vertex colours."""

from __future__ import annotations

import cv2
import numpy as np

from remi_stream.morph.mesh import Texture, TriangleMesh
from remi_stream.morph.shading import DEFAULT_COLOUR
from remi_stream.morph.table import encode_csv_array

TEXTURE_COLUMNS = ("index", "u", "v", "dr", "dg", "db", "difference")


def texture_difference(a: Texture, b: Texture) -> np.ndarray:
    """Absolute difference of two textures, mean over RGB: (h, w) float32, 0 to 255; b is resized to a if sizes differ."""
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
    u, v = np.where((uv < 0) | (uv > 1), uv % 1, uv).T
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
