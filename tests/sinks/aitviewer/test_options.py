"""`remi-stream view` with incompatible options, or with something missing."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from remi_stream.cli import main
from remi_stream.errors import RemiError
from remi_stream.install_hint import install_command
from remi_stream.sinks.aitviewer.viewer import ViewerVideo, require_screen
from tests.browser.replay import replaying
from tests.cli.command import finish, start

REFUSED = {
    "--aitviewer --aitviewer-remote h:1": "leave out --aitviewer and --render",
    "--aitviewer --open": "--bind, --viewer-host and --open apply only to the web viewer",
    "--render f.mp4 --bind 127.0.0.1": "--bind, --viewer-host and --open apply only to the web viewer",
    "--aitviewer-smpl": "add --aitviewer-remote HOST:PORT",
    "--size 640x480": "add --aitviewer or --render FILE.mp4",
    "--duration 3": "add --aitviewer or --render FILE.mp4",
    "--aitviewer --size 641x480": "two even numbers of 64 to 9999 px",
    "--aitviewer --size big": "two even numbers of 64 to 9999 px",
}


@pytest.mark.parametrize("options", REFUSED)
def test_options_that_do_not_go_together(
    options: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["remi-stream", "view", "--name", "not-running", *options.split()])
    assert main() == 2
    err = capsys.readouterr().err
    assert REFUSED[options] in err
    assert err.count("\n") == 1


@pytest.mark.skipif(importlib.util.find_spec("aitviewer") is not None, reason="aitviewer is installed here")
def test_without_aitviewer_is_one_line(tmp_path: Path) -> None:
    with replaying() as replay:
        code, _, err = finish(start("view", "--name", replay.name, "--render", str(tmp_path / "f.mp4")), lambda: None, 60)
    assert code == 3
    assert "aitviewer is not installed here (Python 3." in err
    assert f"{install_command('aitviewer')} (Python 3.10 or 3.11" in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_without_a_daemon_is_one_line() -> None:
    code, _, err = finish(start("view", "--name", "not-running", "--aitviewer"), lambda: None, 60)
    assert code == 3
    assert err.startswith("remi-stream: No remi-stream answers on ipc://")
    assert err.count("\n") == 1


def test_screen_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":4711")
    with pytest.raises(RemiError, match=r"Cannot open a window: .*\. Render a video with --render FILE\.mp4"):
        require_screen()


def test_video_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RemiError, match=r"Cannot write .*/none/f\.mp4: No such file or directory"):
        ViewerVideo(tmp_path / "none" / "f.mp4", (64, 64))


def test_video_with_a_colon_in_its_relative_path_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written = ViewerVideo(Path("12:30.mp4"), (64, 64))
    written.add(np.zeros((64, 64, 3), np.uint8), 0.0)
    written.close()
    assert (tmp_path / "12:30.mp4").stat().st_size > 500
