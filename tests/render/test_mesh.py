"""Rendered meshes: position, occlusion, and what is left out."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np
import pytest

from remi_stream.geometry import matrices_from_axis_angle
from remi_stream.messages import Frame
from remi_stream.render import mesh
from remi_stream.render.camera import RenderCamera, video_camera
from remi_stream.render.colours import track_ramp
from remi_stream.render.mesh import posed_mesh, posed_meshes
from tests.render.people import INTRINSICS, SIZE, frame, somebody

CAMERA = video_camera(INTRINSICS, SIZE, SIZE)


def drawn(*places: tuple[float, float, float], camera: RenderCamera = CAMERA) -> np.ndarray:
    """People with ids 1, 2, ... at these positions, on black."""
    image = np.zeros((camera.size[1], camera.size[0], 3), np.uint8)
    mesh.draw_meshes(image, posed_meshes([somebody(number, at) for number, at in enumerate(places, start=1)]), camera, 1.0)
    return image


def painted(image: np.ndarray) -> np.ndarray:
    """Bounding box x0 y0 x1 y1 of the pixels that are not black."""
    y, x = np.nonzero(image.any(-1))
    return np.array([x.min(), y.min(), x.max(), y.max()])


def is_of(colour: np.ndarray, track_id: int) -> bool:
    """Whether a colour is on a track's ramp."""
    return bool((np.abs(track_ramp(track_id).astype(int) - colour).max(1) <= 2).any())


@pytest.mark.parametrize("shown", [SIZE, (160, 120), (640, 480)])
def test_skin_lands_where_its_vertices_project_to(shown: tuple[int, int]) -> None:
    camera = video_camera(INTRINSICS, SIZE, shown)
    figure = posed_mesh(somebody(1, (0.3, 0.1, 4.0)))
    assert figure is not None
    x, y, z = figure.vertices.T.astype(float)
    taken = np.stack([300 * x / z + 150, 310 * y / z + 125], 1)
    wanted = (taken + 0.5) * (shown[0] / SIZE[0]) - 0.5
    edges = np.concatenate([wanted.min(0), wanted.max(0)])
    assert np.abs(painted(drawn((0.3, 0.1, 4.0), camera=camera)) - edges).max() <= 2


@pytest.mark.parametrize("order", [(3.0, 5.0), (5.0, 3.0)])
def test_nearer_person_hides_the_farther_one(order: tuple[float, float]) -> None:
    image = drawn(*((0.0, 0.0, depth) for depth in order))
    x, y = np.array([150, 125])
    assert is_of(image[y, x], order.index(3.0) + 1)
    beside = drawn((0.0, 0.0, 3.0), (0.3, 0.0, 5.0))
    alone = drawn((0.0, 0.0, 3.0))
    inside = (alone > 0).any(-1) & (np.roll(alone, 2, 1) > 0).any(-1) & (np.roll(alone, -2, 1) > 0).any(-1)
    assert np.median(np.abs(beside.astype(int) - alone)[inside]) == 0


def test_near_limb_hides_what_is_behind_it() -> None:
    image = drawn((0.0, 0.0, 4.0), (0.0, 0.0, 4.4))
    assert is_of(image[125, 150], 1)


@pytest.mark.parametrize("depth", [-4.0, -0.5])
def test_person_behind_the_camera_is_not_drawn(depth: float) -> None:
    assert not drawn((0.0, 0.0, depth)).any()


def test_person_at_the_camera_is_clipped_and_does_no_harm() -> None:
    image = drawn((0.0, 0.0, 0.02), (0.5, 0.0, 4.0))
    assert image.shape == (240, 320, 3)


def test_person_without_a_finite_pose_is_left_out() -> None:
    person = somebody(1, (0, 0, 4))
    assert person.smpl is not None
    nowhere = msgspec.structs.replace(person.smpl, transl=np.full(3, np.nan, np.float32))
    broken = msgspec.structs.replace(person, smpl=nowhere)
    assert posed_meshes([msgspec.structs.replace(person, smpl=None), broken]) == []


def test_sides_that_face_the_camera_are_seen() -> None:
    chest = drawn((0.0, 0.0, 3.0))[115:135, 145:155].reshape(-1, 3)
    light = [np.abs(track_ramp(1).astype(int) - colour).sum(1).argmin() for colour in chest]
    assert np.median(light) > 0.4 * len(track_ramp(1)), "the far sides are in the dark"


def test_normals_point_outwards_and_have_length_one() -> None:
    figure = posed_mesh(somebody(1, (0, 0, 4)))
    assert figure is not None
    assert np.allclose(np.linalg.norm(figure.normals, axis=1), 1, atol=1e-4)
    trunk = (np.abs(figure.vertices[:, :2]) < (0.1, 0.2)).all(1)
    outwards = np.sign(figure.vertices[trunk, 2] - 4.0)
    assert (np.sign(figure.normals[trunk, 2]) == outwards).mean() > 0.9


def test_image_of_a_moved_camera_is_that_of_a_moved_person() -> None:
    turn = matrices_from_axis_angle(np.array([0.0, 0.0, 0.0]))
    moved = RenderCamera(CAMERA.intrinsics, SIZE, turn, np.array([0.5, 0.0, 1.0]))
    a, b = drawn((0.5, 0.0, 5.0), camera=moved), drawn((0.0, 0.0, 4.0))
    assert np.abs(a.astype(int) - b).mean() < 0.5


def test_mesh_of_opacity_0_leaves_the_image_unchanged() -> None:
    image = np.full((SIZE[1], SIZE[0], 3), 255, np.uint8)
    mesh.draw_meshes(image, posed_meshes([somebody(1, (0, 0, 3))]), CAMERA, 0.0)
    assert (image == 255).all()


def test_preview_of_a_part_of_the_frame_shows_the_same_bodies_in_red_green_blue() -> None:
    people = [somebody(1, (0.0, 0.0, 3.0)), somebody(2, (1.0, 0.0, 4.0))]
    whole = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    mesh.draw_meshes(whole, posed_meshes(people), CAMERA, mesh.PREVIEW_OPACITY)
    x0, y0, x1, y1 = 80, 40, 240, 200
    part = np.zeros((y1 - y0, x1 - x0, 3), np.uint8)
    shown = Frame(
        camera="film", epoch=0, frame_id=0, captured_at=0.0, image=part, size=SIZE, rectangle=(x0, y0, x1, y1), encoding="bgr8"
    )
    mesh.draw_preview_meshes(part, shown, frame(people=people))
    inside = np.s_[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1]  # a body that leaves the image has no soft edge there
    difference = np.abs(part[1:-1, 1:-1, ::-1].astype(int) - whole[inside]).max(-1)
    assert np.mean(difference > 12) < 0.1, "only edges differ: those of a preview are drawn finer"
    assert np.median(difference) == 0
    assert part.any()


def test_edges_of_a_preview_are_nearer_to_the_true_coverage_than_those_of_one_sample_a_pixel() -> None:
    people, blank = [somebody(1, (0.0, 0.0, 3.0))], np.full((SIZE[1], SIZE[0], 3), 255, np.uint8)
    fine = np.full((SIZE[1] * 8, SIZE[0] * 8, 3), 255, np.uint8)
    mesh.draw_meshes(fine, posed_meshes(people), video_camera(INTRINSICS, SIZE, (SIZE[0] * 8, SIZE[1] * 8)), mesh.PREVIEW_OPACITY)
    truth = cv2.resize(fine, SIZE, interpolation=cv2.INTER_AREA).astype(int)
    single, shown = blank.copy(), blank.copy()
    mesh.draw_meshes(single, posed_meshes(people), CAMERA, mesh.PREVIEW_OPACITY)
    preview = Frame(
        camera="a", epoch=0, frame_id=0, captured_at=0.0, image=shown, size=SIZE, rectangle=(0, 0, *SIZE), encoding="bgr8"
    )
    mesh.draw_preview_meshes(shown, preview, frame(people=people))
    errors = [np.abs(image.astype(int) - truth).mean() for image in (single, shown[..., ::-1])]
    assert errors[1] < 0.6 * errors[0], errors
