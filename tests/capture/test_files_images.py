"""Folders of images."""

from __future__ import annotations

import struct
import time
import zlib
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
    return ImageFolderSource(tmp_path, fps=50, realtime=False, loop=False)


def read_all(source: ImageFolderSource) -> list[int]:
    source.open()
    found = []
    while True:
        try:
            found.append(int(source.read().pixels[0, 0, 0]))
        except EOFError:
            return found


def test_images_are_read_in_natural_order(tmp_path: Path) -> None:
    assert read_all(folder(tmp_path, "b10.png", "b9.png", "a1.PNG", "b.bmp")) == [2, 1, 0, 3]


def test_images_have_the_times_of_a_video(tmp_path: Path) -> None:
    source = folder(tmp_path, "0.png", "1.png", "2.png")
    source.open()
    assert [source.read().pts for _ in range(3)] == [0, 1 / 50, 2 / 50]


def test_looped_realtime_folder_is_played_at_its_frame_rate(tmp_path: Path) -> None:
    folder(tmp_path, "0.png", "1.png")
    source = ImageFolderSource(tmp_path, fps=50, realtime=True, loop=True)
    source.open()
    started_at = time.monotonic()
    frames = [source.read() for _ in range(6)]
    assert 5 / 50 <= frames[-1].captured_at - started_at < 5 / 50 + 0.5
    assert [int(frame.pixels[0, 0, 0]) for frame in frames] == [0, 1] * 3


def test_unreadable_image_is_skipped_and_counted(tmp_path: Path) -> None:
    source = folder(tmp_path, "0.png", "2.png")
    (tmp_path / "1.png").write_bytes(b"no image")
    (tmp_path / "notes.txt").write_text("no image either")
    assert read_all(source) == [0, 1]
    assert source.broken == 1


def test_folder_without_images_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"No images in folder .*\.png"):
        folder(tmp_path).open()


def test_folder_of_broken_images_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"no image")
    source = ImageFolderSource(tmp_path, fps=50, realtime=False, loop=True)
    source.open()
    with pytest.raises(RemiError, match="None of the 1 images"):
        source.read()


def test_folder_is_a_source_of_images(tmp_path: Path) -> None:
    folder(tmp_path, "0.png")
    source = make_source(CameraConfig(name="a", source=str(tmp_path), fps=10))
    assert isinstance(source, ImageFolderSource)
    assert source.fps == 10


def test_image_of_unknown_size_is_skipped_without_decoding_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = folder(tmp_path, "0.png", "2.png", "3.tif", "4.webp", "5.bmp")
    (tmp_path / "1.jpg").write_bytes(cv2.imencode(".hdr", np.zeros((8, 8, 3), np.float32))[1])  # only OpenCV reads it
    decoded, imdecode = [], cv2.imdecode
    monkeypatch.setattr(cv2, "imdecode", lambda data, flags: decoded.append(len(data)) or imdecode(data, flags))
    assert read_all(source) == [0, 1, 2, 3, 4]
    assert (source.broken, len(decoded)) == (1, 5)


def test_image_that_is_too_large_is_skipped_live_without_decoding_it(tmp_path: Path) -> None:
    source = folder(tmp_path, "0.png", "2.png")
    header = struct.pack(">4s2I5B", b"IHDR", 60000, 60000, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (tmp_path / "1.png").write_bytes(png + struct.pack(">I4sI", 0, b"IDAT", zlib.crc32(b"IDAT")))
    cv2.imwrite(str(tmp_path / "3.png"), np.zeros((8200, 8200), np.uint8))  # 67 megapixels
    assert read_all(source) == [0, 1]
    assert source.broken == 2
