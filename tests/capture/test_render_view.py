"""Views: the part and size of an image that a consumer requests."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from remi_stream.capture.preprocess import render_view
from remi_stream.messages import Frame, FrameView

EDGE = st.floats(-200, 900)


def frame() -> Frame:
    y, x = np.mgrid[0:480, 0:640]
    image = np.stack([x * 255 // 639, y * 255 // 479, x * 0], -1).astype(np.uint8)
    place = {"camera": "a", "epoch": 1, "frame_id": 0, "captured_at": 0.0}
    return Frame(**place, image=image, size=(640, 480), rectangle=(0, 0, 640, 480))


def test_default_view_is_the_whole_image() -> None:
    assert np.array_equal(render_view(frame(), FrameView()).image, frame().image)


@given(EDGE, EDGE, EDGE, EDGE, st.integers(1, 700))
def test_any_rectangle_is_clipped_to_the_frame(x0: float, y0: float, x1: float, y1: float, side: int) -> None:
    view = render_view(frame(), FrameView(rectangle=(x0, y0, x1, y1), longest_side=side))
    left, top, right, bottom = view.rectangle
    assert 0 <= left < right <= 640
    assert 0 <= top < bottom <= 480
    assert max(view.image.shape[:2]) <= side


def test_pixels_stay_where_they_were() -> None:
    view = render_view(frame(), FrameView(rectangle=(160, 120, 480, 360), longest_side=160))
    assert abs(int(view.image[60, 80, 0]) - int(frame().image[240, 320, 0])) <= 1


def test_jpeg_view_can_be_opened() -> None:
    view = render_view(frame(), FrameView(longest_side=320, encoding="jpeg"))
    assert cv2.imdecode(view.image, cv2.IMREAD_COLOR).shape == (240, 320, 3)
