"""Preprocessed images: masks cover, and a calibration of another image size is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remi_stream.capture.preprocess import Preprocessor, apply_masks
from remi_stream.config import CameraConfig, parse_config
from remi_stream.errors import RemiError, UsageError

WHITE = np.full((48, 64, 3), 255, np.uint8)
MATRIX = np.array([[70.0, 0, 30], [0, 71, 25], [0, 0, 1]])


def lens(again: bool = False, **options: Any) -> Preprocessor:
    return Preprocessor(CameraConfig(name="front", source="synthetic:", **options), restarted=again)


def calibration(folder: Path, ending: str = "yaml", **changes: Any) -> str:
    """Write a file as OpenCV does; a change to None leaves the key out."""
    values = {"image_width": 64, "image_height": 48, "camera_matrix": MATRIX, **changes}
    path = str(folder / f"camera.{ending}")
    file = cv2.FileStorage(path, cv2.FILE_STORAGE_WRITE)
    for key, value in values.items():
        if value is not None:
            file.write(key, value)
    file.release()
    return path


def test_image_without_options_is_passed_on_unchanged() -> None:
    plain = lens()
    assert plain.apply(WHITE) is WHITE
    assert plain.intrinsics is None


@given(st.lists(st.tuples(st.integers(0, 63), st.integers(0, 47)), min_size=3, max_size=6))
def test_corners_of_a_mask_are_black_and_the_original_is_not_touched(polygon: list[tuple[int, int]]) -> None:
    masked = apply_masks(WHITE, (tuple((float(x), float(y)) for x, y in polygon),))
    assert all(not masked[y, x].any() for x, y in polygon)
    assert WHITE.all()


def test_mask_is_drawn_on_the_oriented_image() -> None:
    seen = lens(rotate=90, mirror=True, masks=(((0, 0), (10, 0), (10, 5), (0, 5)),)).apply(WHITE)
    assert seen is not None
    assert seen.shape == (64, 48, 3)
    assert not seen[:6, :11].any()
    assert seen[6:].all()


@pytest.mark.parametrize(("rotate", "corner"), [(0, (65, 0)), (0, (0, 49)), (90, (49, 0)), (0, (-1, 0))])
def test_mask_outside_the_image_is_refused_in_one_line(rotate: int, corner: tuple[int, int]) -> None:
    with pytest.raises(
        RemiError, match=rf"'front': masks\[0\] has a corner at {corner[0]}, {corner[1]}, outside .*Draw it inside"
    ):
        lens(rotate=rotate, masks=((corner, (10, 10), (20, 20)),)).apply(WHITE)


def test_mask_of_two_corners_is_a_configuration_error() -> None:
    with pytest.raises(UsageError, match="at least 3 entries"):
        parse_config({"cameras": [{"name": "a", "source": "x", "masks": [[[0, 0], [1, 1]]]}]})


@pytest.mark.parametrize("ending", ["yaml", "xml", "json"])
def test_calibration_sets_the_intrinsics(ending: str, tmp_path: Path) -> None:
    measured = lens(calibration=calibration(tmp_path, ending))
    assert measured.apply(WHITE) is WHITE
    assert measured.intrinsics == (70, 71, 30, 25)


def test_calibration_is_for_the_image_before_rotation(tmp_path: Path) -> None:
    turned = lens(calibration=calibration(tmp_path), rotate=90, mirror=True)
    turned.apply(WHITE)
    assert turned.intrinsics == (71, 70, 48 - 1 - (48 - 1 - 25), 30)


def test_distorted_image_is_undistorted(tmp_path: Path) -> None:
    distortion = np.array([-0.3, 0.1, 0.0, 0.0, 0.0])
    straight = np.array([[[0.35, 0.0, 1.0], [0.35, -0.1, 1.0], [0.35, 0.1, 1.0]]])
    bent, _ = cv2.projectPoints(straight, np.zeros(3), np.zeros(3), MATRIX, distortion)
    image = np.zeros((48, 64, 3), np.uint8)
    for x, y in bent.reshape(-1, 2):
        image[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2] = 255
    seen = lens(calibration=calibration(tmp_path, distortion_coefficients=distortion)).apply(image)
    assert seen is not None
    want = straight[0, :, :2] * (70, 71) + (30, 25)
    assert all(seen[round(y), round(x)].min() > 100 for x, y in want)


def test_calibration_for_another_image_size_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RemiError, match=r"images of 64x48 px, but .* are for 640x480. Set the camera to that size"):
        lens(calibration=calibration(tmp_path, image_width=640, image_height=480)).apply(WHITE)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"camera_matrix": None}, "not complete; needed: camera_matrix, image_width"),
        ({"image_width": None}, "not complete"),
        ({"camera_matrix": np.eye(2)}, "not complete"),
        ({"camera_matrix": np.zeros((3, 3))}, "focal lengths"),
        ({"distortion_coefficients": np.zeros(3)}, "distortion_coefficients must be"),
        ({"camera_from_world": np.eye(4) * 2}, "camera_from_world must be 4x4"),
        ({"camera_from_world": np.diag([-1.0, 1, 1, 1])}, "camera_from_world must be 4x4"),
    ],
)
def test_calibration_that_is_wrong_says_what_is_needed(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        lens(calibration=calibration(tmp_path, **changes))


@pytest.mark.parametrize("content", [b"", b"a: 1\n", b"\x00\xff" * 50, b"%YAML:1.0\n---\nfoo: [", b'{"a": '])
def test_file_that_is_no_calibration_is_a_usage_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(UsageError, match="alibration"):
        lens(calibration=str(tmp_path / "a.yaml"))


def test_camera_pose_rotates_with_the_image_and_excludes_mirroring(tmp_path: Path) -> None:
    path = calibration(tmp_path, camera_from_world=np.eye(4))
    turned = lens(calibration=path, rotate=90)
    assert turned.camera_from_world is not None
    assert turned.camera_from_world @ [1, 0, 0, 1] == pytest.approx([0, 1, 0, 1])
    with pytest.raises(UsageError, match="mirrored"):
        lens(calibration=path, mirror=True)


@pytest.mark.parametrize("options", [{"focal_px": 70.0}, {"masks": (((0, 0), (9, 0), (9, 9)),)}])
def test_image_of_another_size_is_dropped_until_the_first_size_is_back(options: dict[str, Any]) -> None:
    fixed = lens(**options)
    assert fixed.apply(WHITE) is not None
    assert fixed.apply(WHITE[:24, :32]) is None
    assert fixed.has_wrong_size
    assert fixed.apply(WHITE) is not None
    assert not fixed.has_wrong_size


def test_image_of_any_size_passes_when_no_setting_is_in_px() -> None:
    free = lens(rotate=180)
    assert [seen.shape for seen in (free.apply(WHITE), free.apply(WHITE[:24, :32])) if seen is not None] == [
        (48, 64, 3),
        (24, 32, 3),
    ]


def test_image_of_another_size_is_no_error_in_a_restarted_process() -> None:
    restarted = lens(again=True, masks=(((0, 0), (9, 0), (9, 900)),))
    assert restarted.apply(WHITE) is None
    assert restarted.has_wrong_size
