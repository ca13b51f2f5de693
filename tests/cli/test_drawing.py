"""`--save-video`, `--save-images` and how they are drawn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import cv2
import pytest

from remi_stream.cli.export import add_drawings
from remi_stream.cli.options import DrawnView
from remi_stream.errors import UsageError
from remi_stream.export.registry import EXPORT_FORMATS
from remi_stream.render.camera import VIEWS
from tests.offline.videos import film

NOTHING = {"save_video": False, "save_images": False, "view": None, "view_size": None, "vis_fast": False}


def render_options(*formats: str, **options: Any) -> dict[str, Any]:
    """Render options of each export, None if it is not drawn."""
    exports = add_drawings({name: EXPORT_FORMATS[name] for name in formats}, {**NOTHING, **options})
    return {name: getattr(export.write, "keywords", {}).get("options") for name, export in exports.items()}


def test_every_view_has_a_name_to_type() -> None:
    assert [view.value for view in DrawnView] == list(VIEWS)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"npz": None}),
        ({"save_video": True}, {"npz": None, "mp4": ("mesh", None, None)}),
        ({"save_images": True, "vis_fast": True}, {"npz": None, "png": ("skeleton", None, None)}),
        (
            {"save_images": True, "save_video": True, "view": DrawnView.space, "vis_fast": True, "view_size": "640x200"},
            {"npz": None, "mp4": ("3d", 640, 200), "png": ("3d", 640, 200)},
        ),
    ],
)
def test_videos_and_images_are_drawn_as_requested(options: dict[str, Any], expected: dict[str, Any]) -> None:
    assert render_options("npz", **options) == expected


def test_view_applies_to_a_format_too() -> None:
    assert render_options("mp4", view=DrawnView.side) == {"mp4": ("side", None, None)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"view": DrawnView.side},
            "--view has no effect, as nothing is drawn. Add --save-video, --save-images, or the format mp4 or png",
        ),
        ({"view_size": "640"}, "--view-size has no effect"),
        ({"vis_fast": True}, "--vis-fast has no effect"),
        ({"save_video": True, "vis_fast": True, "view": DrawnView.mesh}, "--vis-fast draws skeletons only, but --view mesh"),
        ({"save_video": True, "view_size": "big"}, "--view-size big is not a size"),
    ],
)
def test_option_without_effect_is_rejected(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        render_options("npz", **options)


def test_command_writes_a_video_and_images(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", frames=3)
    options = ("--engine", "synthetic", "--detector", "synthetic", "--out", str(tmp_path / "out"))
    command = [sys.executable, "-m", "remi_stream", "video", str(source), *options, "--save-video", "--save-images"]
    done = subprocess.run([*command, "--view", "3d", "--view-size", "300"], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    with av.open(str(tmp_path / "out/a/a.mp4")) as container:
        assert [(shown.width, shown.height) for shown in container.decode(video=0)] == [(300, 112)] * 3
    images = sorted((tmp_path / "out/a/png").iterdir())
    assert [image.name for image in images] == ["000000.png", "000001.png", "000002.png"]
    assert cv2.imread(str(images[0])) is not None
