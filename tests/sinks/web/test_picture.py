"""The panel's image: names and notes on the images of cameras."""

from __future__ import annotations

import numpy as np
import pytest

from remi_stream.sinks.web.picture import NAME_PX, WIDTH_PX, CameraPicture, _font, fitting_text, panel_image

LONG = "entrance-hall-north-west-corner-camera-1"
BLUE = np.full((360, 640, 3), (20, 60, 200), np.uint8)


def test_image_of_one_camera_that_is_there_is_unchanged() -> None:
    assert np.array_equal(panel_image([CameraPicture(BLUE, "", "")]), BLUE)


@pytest.mark.parametrize("count", [1, 2, 4, 5, 16])
def test_image_of_all_cameras_is_as_wide_as_one_and_has_every_name(count: int) -> None:
    shown = panel_image([CameraPicture(BLUE, LONG, "")] * count)
    columns = int(np.ceil(np.sqrt(count)))
    width, height = WIDTH_PX // columns, 360 // columns
    assert shown.shape[1] == width * columns <= WIDTH_PX
    for number in range(count):
        row, column = divmod(number, columns)
        tile = shown[row * height : (row + 1) * height, column * width : (column + 1) * width]
        assert (tile[:NAME_PX] > 150).all(axis=2).any(), "its name is missing"
        assert np.array_equal(tile[-5:], np.broadcast_to(BLUE[0, 0], tile[-5:].shape))


def test_camera_that_is_away_is_grey_and_says_since_when() -> None:
    there, away = CameraPicture(BLUE, "front", ""), CameraPicture(BLUE, "back", "away since 7 s")
    shown = panel_image([there, away])[..., :].astype(int)
    left, right = shown[30:60, :320], shown[30:60, 320:]
    assert np.ptp(left, axis=2).min() > 100
    assert np.ptp(right, axis=2).max() <= 1
    assert shown[:, 320:].max() > 200, "the note is missing"


def test_long_name_keeps_its_end() -> None:
    font = _font(NAME_PX)
    assert fitting_text("back", font, 150) == "back"
    assert fitting_text(LONG, font, 150).endswith("camera-1")
    assert fitting_text(LONG, font, 150).startswith("…")
    assert font.getlength(fitting_text(LONG, font, 150)) <= 150
    assert fitting_text(LONG, font, 312) != LONG
    assert fitting_text(LONG, _font(15), 312) == LONG
