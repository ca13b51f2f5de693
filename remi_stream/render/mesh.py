"""SMPL meshes of people: posed, shaded and drawn over an image, with a depth test and anti-aliased edges."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from scipy.sparse import csr_matrix

from remi_stream.body.known_bodies import known_body, retargeter_to_known_body
from remi_stream.geometry import project
from remi_stream.messages import Bodies, Frame, Person
from remi_stream.render.camera import RenderCamera, cropped_camera
from remi_stream.render.colours import RAMP_STEPS, brightness, track_ramp
from remi_stream.render.rasteriser import evaluate_planes, interpolation_planes, signed_areas, visible_triangles
from remi_stream.render.surface import merge_coincident_vertices, vertex_face_matrix, vertex_normals

NEAR_PLANE_M = 0.1
"""Near clipping plane."""
OCCLUSION_STEP_M = 0.1
"""A larger depth step between neighbouring pixels is an occlusion edge (one limb in front of another)."""
FAR_M = np.float32(1e9)
"""Depth of pixels without a surface."""
KERNEL = np.ones((3, 3), np.uint8)
"""Neighbourhood in which depths are compared."""
PREVIEW_OPACITY = 0.88
PREVIEW_SAMPLES = 2
"""Supersampling of previews along each axis, against stair-steps: they are small, and windows enlarge them."""
EDGE_BRIGHTNESS = 0.8
"""Brightness factor of occlusion edges."""


class PosedMesh(NamedTuple):
    """The posed mesh of one person."""

    vertices: np.ndarray
    """(V, 3) float32, m, video camera frame."""
    normals: np.ndarray
    """(V, 3), outwards, unit length."""
    track_id: int


def posed_meshes(people: list[Person]) -> list[PosedMesh]:
    """Pose the meshes of all people that have a finite SMPL pose."""
    return [mesh for person in people if (mesh := posed_mesh(person)) is not None]


def posed_mesh(person: Person) -> PosedMesh | None:
    """Pose the mesh of a person; None without a finite SMPL pose."""
    if person.smpl is None:
        return None
    smpl = retargeter_to_known_body(person.smpl.body).retarget(person.smpl)
    vertices = known_body().vertices(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)
    if not np.isfinite(vertices).all():
        return None
    return PosedMesh(vertices, vertex_normals(vertices, known_body().faces, skin_vertex_faces()), person.track_id)


@cache
def skin_vertex_faces() -> csr_matrix:
    """Vertex-face adjacency matrix (V, F) float32 of the body's skin."""
    body = known_body()
    return vertex_face_matrix(body.faces, merge_coincident_vertices(body.v_template), np.float32)


def draw_meshes(image: np.ndarray, meshes: Sequence[PosedMesh], camera: RenderCamera, opacity: float) -> None:
    """Draw meshes into image (h, w, 3) uint8 BGR, the image of that camera. opacity: in [0, 1]."""
    parts = [_triangles(mesh, camera) for mesh in meshes]
    if not parts:
        return
    triangles_px, depths, light = (np.concatenate(arrays) for arrays in zip(*parts))
    owners = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
    # all people at once, so that they hide each other limb by limb
    pixels, faces = visible_triangles(triangles_px, depths, camera.size)
    if not len(pixels):
        return
    y, x = np.divmod(pixels, camera.size[0])
    ramp_planes = interpolation_planes(triangles_px, light * (RAMP_STEPS - 1))[faces]
    steps = evaluate_planes(ramp_planes, x, y).clip(0, RAMP_STEPS - 1).astype(np.uint8)
    ramps = np.stack([track_ramp(mesh.track_id) for mesh in meshes])
    _blend(image, y, x, ramps[owners[faces], steps], depths[faces], opacity)


def draw_preview_meshes(image: np.ndarray, preview: Frame, bodies: Bodies) -> None:
    """Draw all people with a SMPL pose into the preview image (h, w, 3) uint8 RGB, in place. bodies: of the same frame."""
    meshes = posed_meshes(bodies.people)
    if not meshes:
        return
    size = (image.shape[1], image.shape[0])
    fine = cv2.resize(image, None, fx=PREVIEW_SAMPLES, fy=PREVIEW_SAMPLES, interpolation=cv2.INTER_NEAREST)
    camera = cropped_camera(bodies.intrinsics, preview.rectangle, (size[0] * PREVIEW_SAMPLES, size[1] * PREVIEW_SAMPLES))
    draw_meshes(fine[..., ::-1], meshes, camera, PREVIEW_OPACITY)
    cv2.resize(fine, size, dst=image, interpolation=cv2.INTER_AREA)


def _triangles(mesh: PosedMesh, camera: RenderCamera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Project the front-facing triangles: corners (F, 3, 2) px, depths (F,) m, brightness (F, 3) at the corners."""
    vertices, faces = camera.to_camera(mesh.vertices), known_body().faces
    # triangles that cross the near plane are left out, not cut: a body that close fills the image anyway
    if vertices[:, 2].min() < NEAR_PLANE_M:
        faces = faces[(vertices[:, 2] > NEAR_PLANE_M)[faces].all(1)]
        vertices[:, 2] = vertices[:, 2].clip(NEAR_PLANE_M)
    points = project(vertices, camera.intrinsics)
    faces = faces[signed_areas(points, faces) < 0]  # back-face culling
    light = brightness(mesh.normals @ camera.rotation.T)
    return points[faces], vertices[:, 2][faces].mean(1), light[faces]


def _blend(image: np.ndarray, y: np.ndarray, x: np.ndarray, colours: np.ndarray, depths: np.ndarray, opacity: float) -> None:
    """Blend pixels at y, x (P,) with colours (P, 3) uint8 and depths (P,) m into image."""
    # only the part that is covered, with a border for the blur
    top, left = max(0, y.min() - 1), max(0, x.min() - 1)
    part = image[top : y.max() + 2, left : x.max() + 2]
    paint, cover = np.zeros(part.shape, np.uint8), np.zeros(part.shape[:2], np.uint8)
    depth = np.zeros(cover.shape, np.float32)
    at = (y - top) * part.shape[1] + x - left
    paint.reshape(-1, 3)[at], cover.reshape(-1)[at], depth.reshape(-1)[at] = colours, 255, depths
    soft_cover = cv2.GaussianBlur(cover, (3, 3), 0)
    edges = _occlusion_edges(depth, cover)
    _soften(paint, cover, soft_cover, edges)
    share = soft_cover * np.float32(opacity / 255)
    part[:] = cv2.blendLinear(paint, np.ascontiguousarray(part), share, 1 - share)


def _occlusion_edges(depth: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Find pixels with a depth step larger than OCCLUSION_STEP_M: (h, w) bool. depth: 0 where there is no cover."""
    near = np.where(cover, depth, FAR_M)
    return cv2.dilate(depth, KERNEL) - cv2.erode(near, KERNEL) > OCCLUSION_STEP_M


def _soften(paint: np.ndarray, cover: np.ndarray, soft_cover: np.ndarray, edges: np.ndarray) -> None:
    """Smooth the colours at edges and extend them to the blurred border of the cover, in place."""
    at = np.nonzero(edges | ((cover == 0) & (soft_cover > 0)))
    # Divided by the blurred cover: the blur would otherwise mix in the black outside.
    soft = cv2.GaussianBlur(paint, (3, 3), 0)[at].astype(np.float32) * 255 / soft_cover[at][:, None]
    paint[at] = (soft.clip(0, 255) * np.where(edges[at], EDGE_BRIGHTNESS, 1)[:, None]).astype(np.uint8)
