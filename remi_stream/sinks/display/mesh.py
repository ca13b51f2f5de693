"""Mesh overlay: draws SMPL bodies as shaded meshes over an image."""

from __future__ import annotations

import cv2
import numpy as np

from remi_stream.body.known_bodies import known_body, retargeter_to_known_body
from remi_stream.geometry import cross_product, project, unit_vectors
from remi_stream.messages import Bodies, Frame, Person
from remi_stream.render.colours import track_colour
from remi_stream.render.rasteriser import visible_triangles
from remi_stream.render.skeleton import image_points

LIGHT_DIRECTION = np.array([-0.35, -0.55, -0.75])
"""Direction to the light, camera axes: above and left of the viewer."""
AMBIENT = 0.35
"""Share of ambient light, the rest is diffuse."""
OPACITY = 0.88
MIN_DEPTH_M = 0.2
"""Triangles nearer to the camera are not drawn, m: their projection grows without bound."""


def draw_meshes(image: np.ndarray, preview: Frame, bodies: Bodies) -> None:
    """Draw all people with an SMPL pose into image (h, w, 3) uint8 RGB, in place, with depth test."""
    parts = [_triangles(image, preview, bodies, person) for person in bodies.people if person.smpl]
    if not parts:
        return
    triangles_px, depths, colours = (np.concatenate(arrays) for arrays in zip(*parts))
    height, width = image.shape[:2]
    pixels, faces = visible_triangles(triangles_px, depths, (width, height))
    paint, cover = np.zeros((height * width, 3), np.float32), np.zeros(height * width, np.float32)
    paint[pixels], cover[pixels] = colours[faces], 1
    rows, columns = np.divmod(pixels, width)
    # Blend only the covered rectangle, with a margin of 1 px that the blur reaches.
    if len(pixels):
        part = np.s_[max(0, rows.min() - 1) : rows.max() + 2, max(0, columns.min() - 1) : columns.max() + 2]
        _blend(image[part], paint.reshape(height, width, 3)[part], cover.reshape(height, width)[part])


def _triangles(image: np.ndarray, preview: Frame, bodies: Bodies, person: Person) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The triangles that face the camera: corners (F, 3, 2) px of image, depths (F,) m, colours (F, 3) RGB."""
    assert person.smpl is not None
    body, smpl = known_body(), retargeter_to_known_body(person.smpl.body).retarget(person.smpl)
    vertices = body.vertices(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)
    corners = vertices[body.faces]
    normals = cross_product(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing = np.einsum("fa,fa->f", normals, corners[:, 0]) < 0
    if vertices[:, 2].min() < MIN_DEPTH_M:
        facing &= (corners[:, :, 2] > MIN_DEPTH_M).all(1)
    light = AMBIENT + (1 - AMBIENT) * np.clip(unit_vectors(normals[facing]) @ unit_vectors(LIGHT_DIRECTION), 0, 1)
    colours = light[:, None] * np.array(track_colour(person.track_id))
    points = image_points(image, preview, project(vertices, bodies.intrinsics))
    return points[body.faces[facing]], corners[facing, 0, 2], colours


def _blend(image: np.ndarray, paint: np.ndarray, cover: np.ndarray) -> None:
    """Blend paint (h, w, 3) into image (h, w, 3) where cover (h, w) is 1, with anti-aliased edges."""
    soft_cover = cv2.GaussianBlur(cover, (3, 3), 0)[..., None]
    soft_paint = cv2.GaussianBlur(paint, (3, 3), 0) / np.maximum(soft_cover, 1e-6)
    alpha = OPACITY * soft_cover
    image[:] = image * (1 - alpha) + np.where(cover[..., None] > 0, paint, soft_paint) * alpha
