"""Folders of pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from remi_stream.capture.files import ImageFolderSource
from remi_stream.capture.stage import make_source
from remi_stream.config import CameraConfig
from remi_stream.errors import RemiError, UsageError


def folder(tmp_path: Path, *names: str) -> ImageFolderSource:
    for value, name in enumerate(names):
        cv2.imwrite(str(tmp_path / name), np.full((8, 8, 3), value, np.uint8))
    return ImageFolderSource(str(tmp_path), fps=50, realtime=False, loop=False)


def read_all(source: ImageFolderSource) -> list[int]:
    source.open()
    found = []
    while True:
        try:
            found.append(int(source.read().image[0, 0, 0]))
        except EOFError:
            return found


def test_pictures_come_in_the_order_in_which_people_count(tmp_path: Path) -> None:
    assert read_all(folder(tmp_path, "b10.png", "b9.png", "a1.PNG", "b.bmp")) == [2, 1, 0, 3]


def test_pictures_have_the_time_of_a_film(tmp_path: Path) -> None:
    source = folder(tmp_path, "0.png", "1.png", "2.png")
    source.open()
    assert [source.read().pts for _ in range(3)] == [0, 1 / 50, 2 / 50]


def test_realtime_folder_is_played_at_its_pace_over_and_over(tmp_path: Path) -> None:
    folder(tmp_path, "0.png", "1.png")
    source = ImageFolderSource(str(tmp_path), fps=50, realtime=True, loop=True)
    source.open()
    pictures = [source.read() for _ in range(6)]
    assert 5 / 50 - 0.005 <= pictures[-1].captured_at - pictures[0].captured_at < 5 / 50 + 0.5
    assert [int(picture.image[0, 0, 0]) for picture in pictures] == [0, 1] * 3


def test_file_that_is_no_picture_is_left_out_and_counted(tmp_path: Path) -> None:
    source = folder(tmp_path, "0.png", "2.png")
    (tmp_path / "1.png").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("no picture either")
    assert read_all(source) == [0, 1]
    assert source.broken == 1


def test_folder_without_pictures_is_a_mistake_of_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"No images in folder .*\.png"):
        folder(tmp_path).open()


def test_folder_of_broken_pictures_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"no picture")
    source = ImageFolderSource(str(tmp_path), fps=50, realtime=False, loop=True)
    source.open()
    with pytest.raises(RemiError, match="None of the 1 images"):
        source.read()


def test_source_that_is_a_folder_is_one_of_pictures(tmp_path: Path) -> None:
    folder(tmp_path, "0.png")
    source = make_source(CameraConfig(name="a", source=str(tmp_path), fps=10))
    assert isinstance(source, ImageFolderSource)
    assert source.fps == 10
