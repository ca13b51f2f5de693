"""People as meshes in the world frame: position, orientation and removal."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from scipy.spatial import ConvexHull

from remi_stream.body.known_bodies import known_body
from remi_stream.geometry import matrices_from_axis_angle, unit_vectors
from remi_stream.sinks.aitviewer.meshes import (
    SKIN,
    PeopleMeshes,
    VertexNormals,
    mesh_faces,
    stick_faces,
    stick_vertices,
    transform_smpl,
)
from remi_stream.sinks.aitviewer.viewpoint import EYE_DIRECTIONS, fit_viewpoint
from remi_stream.sinks.live_view import REMOVE_AFTER_S
from remi_stream.skeletons import BONES
from tests.browser.replay import FPS, bodies, person


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Volume of a closed mesh, m3; negative if it is inside out."""
    a, b, c = vertices[faces.T].astype(float)
    return float(np.einsum("fa,fa->", a, np.cross(b, c)) / 6)


def walked(frames: int = 90) -> PeopleMeshes:
    """Meshes of a person after some frames."""
    meshes = PeopleMeshes()
    for k in range(frames):
        message = bodies(k)
        meshes.add(msgspec.structs.replace(message, captured_at=k / FPS), k / FPS)
    return meshes


def test_body_stands_upright_on_the_floor_in_front_of_the_camera() -> None:
    (mesh,) = walked().current_meshes(3.0)
    assert (mesh.track_id, mesh.kind) == (1, SKIN)
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    assert abs(low[1]) < 0.03
    assert 1.5 < high[1] < 2.0
    assert -5 < low[2] < high[2] < -2
    assert 0.04 < volume(mesh.vertices, mesh_faces(SKIN)) < 0.12, "a person's volume, right side out"


def test_pose_in_the_world_has_the_mesh_in_the_world() -> None:
    (mesh,) = walked(5).current_meshes(0.2)
    assert mesh.smpl
    again = known_body().vertices(mesh.smpl.global_orient, mesh.smpl.body_pose, mesh.smpl.betas, mesh.smpl.transl)
    assert np.abs(again - mesh.vertices).max() < 1e-3


def test_moved_pose_is_the_mesh_moved() -> None:
    smpl = person(40).smpl
    assert smpl
    rotation, offset = matrices_from_axis_angle(np.array([0.3, -1.2, 0.4])), np.array([1.0, 2.0, -3.0])
    new = transform_smpl(smpl, rotation, offset)
    before, after = (known_body().vertices(s.global_orient, s.body_pose, s.betas, s.transl) for s in (smpl, new))
    assert np.abs(before @ rotation.T + offset - after).max() < 1e-4


def test_stale_track_is_removed_and_others_stay() -> None:
    meshes = PeopleMeshes()
    two = msgspec.structs.replace(bodies(0), people=[person(0, 1), person(0, 2)])
    meshes.add(two, 0.0)
    meshes.add(msgspec.structs.replace(two, people=[person(1, 2)]), 0.9 * REMOVE_AFTER_S)
    assert [mesh.track_id for mesh in meshes.current_meshes(0.95 * REMOVE_AFTER_S)] == [1, 2]
    assert [mesh.track_id for mesh in meshes.current_meshes(1.05 * REMOVE_AFTER_S)] == [2]
    assert meshes.current_meshes(2.0 * REMOVE_AFTER_S) == []


def test_person_without_a_pose_is_bones() -> None:
    meshes = walked(30)
    meshes.add(msgspec.structs.replace(bodies(30), people=[msgspec.structs.replace(person(30), smpl=None)]), 1.0)
    (mesh,) = meshes.current_meshes(1.0)
    assert mesh.kind == "smpl24"
    assert len(mesh.vertices) > mesh_faces("smpl24").max()
    assert volume(mesh.vertices, mesh_faces("smpl24")) > 0
    assert 1.2 < np.ptp(mesh.vertices[:, 1]) < 2.0


@pytest.mark.parametrize("skeleton", sorted(name for name in BONES if BONES[name]))
def test_bones_are_closed_and_right_side_out_whatever_is_unknown(skeleton: str) -> None:
    joints = np.random.default_rng(3).normal(size=(1 + max(map(max, BONES[skeleton])), 3))
    whole = stick_vertices(skeleton, joints)
    joints[BONES[skeleton][0][0]] = np.nan
    partly = stick_vertices(skeleton, joints)
    assert whole is not None
    assert partly is not None
    assert whole.shape == partly.shape
    assert np.isfinite(partly).all()
    normals = VertexNormals(stick_faces(skeleton), len(partly)).compute(partly)
    assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-3), "no triangle is without a normal"
    assert 0 < volume(partly, stick_faces(skeleton)) < volume(whole, stick_faces(skeleton))


def test_unknown_joints_and_unknown_skeletons_are_nothing() -> None:
    assert stick_vertices("smpl24", np.full((24, 3), np.nan)) is None
    assert stick_vertices("of-a-snake", np.zeros((24, 3))) is None


def test_normals_of_a_ball_point_outwards() -> None:
    points = unit_vectors(np.random.default_rng(1).normal(size=(400, 3)))
    faces = ConvexHull(points).simplices
    a, b, c = points[faces.T]
    inside_out = np.einsum("fa,fa->f", np.cross(b - a, c - a), a) < 0
    faces[inside_out] = faces[inside_out][:, ::-1]
    assert (np.einsum("va,va->v", VertexNormals(faces, len(points)).compute(points), points) > 0.95).all()


@pytest.mark.parametrize("view", sorted(EYE_DIRECTIONS))
@pytest.mark.parametrize("aspect", [16 / 9, 1.0, 0.5])
def test_all_people_are_in_view(view: str, aspect: float) -> None:
    people = [np.array([[-3.0, 0, -4], [-2.6, 1.8, -3.8]]), np.array([[1.0, 0, -6], [1.5, 1.7, -5]])]
    eye, target = fit_viewpoint(people, view, aspect)
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0, 1, 0])
    right /= np.linalg.norm(right)
    for point in np.concatenate(people):
        ray = point - eye
        depth = ray @ forward
        assert depth > 0
        assert abs(ray @ right) / depth < np.tan(np.radians(22.5)) * aspect
        assert abs(ray @ np.cross(right, forward)) / depth < np.tan(np.radians(22.5))
