"""Names of files with any characters: no UTF-8, colons, line breaks, digits of other scripts; offline and live."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from remi_stream.capture.files import ImageFolderSource, VideoFileSource, natural_sort_key
from remi_stream.capture.footage import ImageFootage
from remi_stream.capture.stage import make_source
from remi_stream.config import parse_config
from remi_stream.paths import path_from_text, printable_path, text_of_path
from remi_stream.recordings.results import open_results
from tests.offline.seer import opened, worked
from tests.offline.videos import film

NAMES = [
    b"a\xff\xfe",
    b"2024-01-01T12:30",
    b"rtsp:",
    b"-x",
    b"two\nlines",
    b"50%25 %ff",
    "\u0663\u00b2\u4e09".encode(),
    b"a b'\"\\",
]


@pytest.fixture(params=NAMES, ids=[repr(name)[2:-1] for name in NAMES])
def name(request: pytest.FixtureRequest) -> str:
    return os.fsdecode(request.param)


def folder_of_images(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for value, each in enumerate(names):
        (folder / each).write_bytes(cv2.imencode(".png", np.full((48, 64, 3), value, np.uint8))[1].tobytes())
    return folder


def test_path_survives_as_text(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    text = msgspec.json.decode(msgspec.json.encode(text_of_path(path)))
    assert path_from_text(text) == path
    assert printable_path(path).isprintable()


def test_video_and_its_results_may_have_any_name(name: str, tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mp4", frames=3).rename(tmp_path / f"{name}.mp4")
    take = open_results(worked(opened(path, name="clip"), tmp_path / "out").folder)
    assert (take.source, len(take.frames)) == (path, 3)


def test_images_and_their_folder_may_have_any_name(name: str, tmp_path: Path) -> None:
    folder = folder_of_images(tmp_path / name, f"{name}.png", "b.png")
    footage = ImageFootage(folder, "album", None)
    footage.open()
    take = open_results(worked(footage, tmp_path / "out").folder)
    assert (take.source, sorted(take.images)) == (folder, sorted([printable_path(f"{name}.png"), "b.png"]))


def test_file_is_a_live_camera_whatever_its_name(name: str, tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mp4", frames=3).rename(tmp_path / f"{name}.mp4")
    folder = folder_of_images(tmp_path / name, "0.png")
    for place, kind in ((path, VideoFileSource), (folder, ImageFolderSource)):
        config = parse_config({"cameras": [{"name": "a", "source": text_of_path(place), "realtime": False}]})
        camera = msgspec.json.decode(msgspec.json.encode(config), type=type(config)).cameras[0]  # as a worker gets it
        source = make_source(camera)
        assert isinstance(source, kind)
        source.open()
        assert source.read()
        assert source.description == printable_path(place.name)


def test_digits_of_other_scripts_are_letters() -> None:
    names = ["x\u00b2.png", "x\u0663.png", "x10.png", "x9.png", "\u4e09.png", "1.png", "x.png"]
    ordered = sorted(map(Path, names), key=natural_sort_key)
    assert [path.name for path in ordered if path.name.isascii()] == ["1.png", "x9.png", "x10.png", "x.png"]
    assert len(ordered) == len(names)


def test_command_names_a_file_in_one_valid_line(tmp_path: Path) -> None:
    names = [os.fsdecode(b"bad\xff.mp4"), "two\nlines.mp4", "12:30.mp4"]
    film(tmp_path / "clip.mp4", frames=3)
    for each in names:
        (tmp_path / each).write_bytes((tmp_path / "clip.mp4").read_bytes())
    (tmp_path / os.fsdecode(b"no\xfe video.mp4")).write_bytes(b"nothing")
    command = [sys.executable, "-m", "remi_stream", "video", ".", "--out", os.fsdecode(b"out\xff"), "--engine", "synthetic"]
    done = subprocess.run(
        [*command, "--detector", "synthetic"],
        capture_output=True,
        cwd=tmp_path,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 3, err
    assert out.count("\n") == 4
    assert r"out\xff" in out
    assert r"no\xfe video.mp4 cannot be read as a video" in err
    assert "Traceback" not in err
