"""What a container says about shape and orientation: display matrix, pixel aspect, EXIF; applied once, offline and live."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext
from PIL import Image, ImageOps

from remi_stream.capture.files import VideoFileSource, read_image
from remi_stream.capture.frame_image import orientation_of
from tests.offline.seer import opened

SIZE = (64, 48)
"""Width, height px as coded."""


def picture() -> np.ndarray:
    """An image (48, 64, 3) without symmetry: white at the top left, grey at the top right, black below."""
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    image[:16, :32], image[:16, 32:] = 250, 120
    return image


def make_clip(path: Path, pixel_aspect: Fraction | None = None) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"bf": "0", "crf": "5"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        if pixel_aspect:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(), format="bgr24")))
        container.mux(stream.encode(None))
    return path


def mark(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Write a, b, c, d of the display matrix into an MP4's track header."""
    a, b, c, d = (value * 0x10000 for value in matrix)
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 4 + 20 + 16
    data[at : at + 36] = np.array([a, b, 0, c, d, 0, 0, 0, 0x40000000], ">i4").tobytes()
    path.write_bytes(bytes(data))
    return path


def seen(path: Path) -> list[np.ndarray]:
    """The first image, offline and live."""
    source = VideoFileSource(path, realtime=False, loop=False)
    source.open()
    captured = source.read()
    assert captured
    live = captured.pixels
    assert live is not None
    frame = next(opened(path).frames(0))
    assert frame.size == frame.image.shape[1::-1]
    return [frame.image, live]


MATRICES = {
    (1, 0, 0, 1): lambda image: image,
    (-1, 0, 0, 1): lambda image: image[:, ::-1],
    (1, 0, 0, -1): lambda image: image[::-1],
    (-1, 0, 0, -1): lambda image: image[::-1, ::-1],
    (0, 1, -1, 0): lambda image: np.rot90(image, -1),  # a phone held upright: a quarter clockwise
    (0, -1, 1, 0): lambda image: np.rot90(image, 1),
    (0, 1, 1, 0): lambda image: image.transpose(1, 0, 2),
    (0, -1, -1, 0): lambda image: np.rot90(image, 2).transpose(1, 0, 2),
}


@pytest.mark.parametrize("matrix", MATRICES)
def test_display_matrix_is_applied_once(matrix: tuple[int, int, int, int], tmp_path: Path) -> None:
    path = mark(make_clip(tmp_path / "a.mp4"), matrix)
    for image in seen(path):
        expected = MATRICES[matrix](picture())
        assert image.shape == expected.shape
        assert np.abs(image.astype(int) - expected).mean() < 4
        assert image.flags.c_contiguous


def test_matrix_between_two_orientations_is_rounded() -> None:
    for degrees in range(-44, 45, 4):
        cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        assert orientation_of(np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])) == (False, False, False)


@pytest.mark.parametrize(
    ("aspect", "size"),
    [
        (Fraction(4, 3), (85, 48)),
        (Fraction(3, 4), (64, 64)),
        (Fraction(1), (64, 48)),
        (Fraction(1, 200), (64, 48)),  # nonsense
    ],
)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.h264"])
def test_pixels_are_made_square(aspect: Fraction, size: tuple[int, int], name: str, tmp_path: Path) -> None:
    for image in seen(make_clip(tmp_path / name, aspect)):
        assert image.shape == (size[1], size[0], 3)
        assert np.abs(image.astype(int) - cv2.resize(picture(), size)).mean() < 6


def test_pixels_are_made_square_before_the_image_is_turned(tmp_path: Path) -> None:
    path = mark(make_clip(tmp_path / "a.mp4", Fraction(4, 3)), (0, 1, -1, 0))
    for image in seen(path):
        assert image.shape == (85, 48, 3)
        assert np.abs(image.astype(int) - np.rot90(cv2.resize(picture(), (85, 48)), -1)).mean() < 6


def test_crop_of_the_codec_is_applied_on_all_sides(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.h264")
    with av.open(str(source)) as container, (tmp_path / "crop.h264").open("wb") as file:
        stream = container.streams.video[0]
        crop = BitStreamFilterContext("h264_metadata=crop_left=6:crop_top=4:crop_right=10:crop_bottom=2", stream)
        for packet in container.demux(stream):
            file.writelines(bytes(each) for each in crop.filter(packet if packet.size else None))
    for image in seen(tmp_path / "crop.h264"):
        assert image.shape == (42, 48, 3)
        assert np.abs(image.astype(int) - picture()[4:-2, 6:-10]).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_exif_orientation_is_applied(orientation: int, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    image = Image.fromarray(np.ascontiguousarray(picture()[:, :, ::-1]))
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))[:, :, ::-1]
    found = read_image(path)
    assert found is not None
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < 6
