"""Rendered frames: panels, sizes, and the people in them."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from remi_stream.errors import UsageError
from remi_stream.messages import Bodies, Person
from remi_stream.render import skeleton
from remi_stream.render.camera import VIEWS, RenderOptions, even_size, fit_panels, panel_layout, parse_render_options
from remi_stream.render.room import fit_room
from remi_stream.render.scene import BACKGROUND_BGR, SceneRenderer
from tests.render.people import SIZE, frame, somebody

GREY = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)


def drawn(look: RenderOptions, bodies: Bodies, picture: np.ndarray | None = GREY) -> np.ndarray:
    return SceneRenderer(look, panel_layout(look, bodies.size), fit_room([bodies])).render(picture, bodies)


@pytest.mark.parametrize("view", VIEWS)
def test_people_are_in_every_panel(view: str) -> None:
    somewhere, nowhere = drawn(RenderOptions(view), frame()), drawn(RenderOptions(view), frame(people=[]))
    assert somewhere.shape == (240, 320 * len(VIEWS[view]), 3)
    for number in range(len(VIEWS[view])):
        panel = np.s_[:, number * 320 : (number + 1) * 320]
        assert (somewhere[panel] != nowhere[panel]).any(-1).mean() > 0.01


def test_image_without_people_is_unchanged() -> None:
    assert np.array_equal(drawn(RenderOptions("mesh"), frame(people=[])), GREY)
    assert np.array_equal(drawn(RenderOptions("skeleton"), frame(people=[])), GREY)


def test_take_without_its_video_is_drawn_on_one_colour() -> None:
    image = drawn(RenderOptions("mesh"), frame(), None)
    assert (image[0, 0] == BACKGROUND_BGR).all()
    assert (image != BACKGROUND_BGR).any()


@pytest.mark.parametrize(
    ("look", "taken", "size"),
    [
        (RenderOptions("mesh"), (641, 361), (641, 361)),
        (RenderOptions("side"), (640, 360), (1280, 360)),
        (RenderOptions("mesh", 320), (640, 360), (320, 180)),
        (RenderOptions("3d", 1280), (640, 360), (1280, 360)),
        (RenderOptions("3d", 1280, 720), (640, 360), (1280, 720)),
        (RenderOptions("mesh", 640, 480), (480, 640), (640, 480)),
        (RenderOptions("side", 333), (100, 100), (333, 166)),
    ],
)
def test_image_has_the_requested_size(look: RenderOptions, taken: tuple[int, int], size: tuple[int, int]) -> None:
    places = panel_layout(look, taken)
    (width, height), count = places.panel_size, len(look.panels)
    assert places.size == size
    assert places.left >= 0
    assert places.left + count * width <= size[0]
    assert places.top + height <= size[1]
    assert width / height == pytest.approx(taken[0] / taken[1], abs=0.02)
    picture = np.full((taken[1], taken[0], 3), 200, np.uint8)
    assert drawn(look, frame(people=[], size=taken), picture).shape == (size[1], size[0], 3)


def test_panels_are_centred_in_a_larger_image() -> None:
    assert fit_panels((640, 480), 1, (640, 360)) == ((640, 480), (640, 360), 0, 60)
    assert fit_panels((640, 480), 2, (320, 480)) == ((640, 480), (320, 480), 0, 0)
    assert even_size((641, 361)) == (642, 362)


@pytest.mark.parametrize(("text", "size"), [(None, (None, None)), ("960", (960, None)), ("1280x720", (1280, 720))])
def test_size_is_read_as_it_is_typed(text: str | None, size: tuple[int | None, int | None]) -> None:
    assert parse_render_options("3d", text) == ("3d", *size)


@pytest.mark.parametrize("text", ["", "x720", "1280x", "1x1", "1280x720x3", "99999", "-640", "1e3", "wide"])
def test_invalid_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a size; allowed: WIDTHxHEIGHT or WIDTH, 64 to 8192 px"):
        parse_render_options("mesh", text)


def test_unknown_view_is_refused() -> None:
    with pytest.raises(UsageError, match="back"):
        parse_render_options("back")


def skeletal(person: Person, skeleton: str, points: np.ndarray) -> Person:
    scores = np.ones(len(points), np.float32)
    return msgspec.structs.replace(person, skeleton=skeleton, keypoints_px=points, keypoint_scores=scores, smpl=None)


def test_person_without_a_body_is_drawn_as_a_skeleton() -> None:
    person = somebody(1, (0, 0.2, 4))
    flat = skeletal(person, "smpl24", person.keypoints_px)
    assert np.array_equal(
        drawn(RenderOptions("mesh"), frame(people=[flat])), drawn(RenderOptions("skeleton"), frame(people=[flat]))
    )


def test_key_points_are_drawn_where_they_are_unless_their_score_is_low() -> None:
    points = np.zeros((17, 2), np.float32)
    points[5], points[7], points[9] = (50, 60), (100, 60), (200, 200)
    person = skeletal(somebody(1, (0, 0.2, 4)), "coco17", points)
    scores = np.zeros(17, np.float32)
    scores[[5, 7]] = 1
    person = msgspec.structs.replace(person, keypoint_scores=scores)
    image = drawn(RenderOptions("skeleton"), frame(people=[person]))
    y, x = np.nonzero((image != 128).any(-1))
    assert np.abs(np.array([x.min(), x.max(), y.min(), y.max()]) - (50, 100, 60, 60)).max() <= 4
    assert (image[60, 50:101] != 128).any(-1).all()


def test_key_points_of_a_whole_body_have_thin_faces_and_hands() -> None:
    fine = skeleton.detail_joints("halpe136", 136)
    assert not fine[[0, 5, 6, *range(17, 26)]].any()
    assert fine[26:].all()
    assert not skeleton.detail_joints("blazepose33", 33)[[0, 11, 15, 29, 31, 32]].any()


def test_nan_and_far_key_points_do_no_harm() -> None:
    points = np.full((24, 2), np.nan, np.float32)
    points[:3] = [(1e30, 0), (-1e9, 5), (20, np.inf)]
    person = msgspec.structs.replace(
        skeletal(somebody(1, (0, 0.2, 4)), "smpl24", points), joints_m=np.full((24, 3), np.nan, np.float32)
    )
    for view in VIEWS:
        assert drawn(RenderOptions(view), frame(people=[person])).shape[0] == 240


def test_joints_of_an_unknown_skeleton_do_no_harm() -> None:
    person = msgspec.structs.replace(somebody(1, (0, 0.2, 4)), skeleton="martian", smpl=None)
    for view in VIEWS:
        assert drawn(RenderOptions(view), frame(people=[person])).shape[0] == 240
