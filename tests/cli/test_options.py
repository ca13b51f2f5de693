"""Options and checks that several commands share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from remi_stream.cli.options import check_overwrite, parse_size
from remi_stream.errors import UsageError


@pytest.mark.parametrize(
    ("text", "limits", "size"),
    [
        ("1280x720", {}, (1280, 720)),
        ("640X480", {}, (640, 480)),
        ("64x9998", {"smallest": 64, "even": True}, (64, 9998)),
        ("4096x64", {"smallest": 64, "largest": 4096}, (4096, 64)),
    ],
)
def test_size_is_parsed(text: str, limits: dict[str, Any], size: tuple[int, int]) -> None:
    assert parse_size(text, **limits) == size


@pytest.mark.parametrize(
    ("text", "limits", "allowed"),
    [
        ("big", {}, "two numbers of 1 to 9999 px"),
        ("640", {}, "WIDTHxHEIGHT"),
        ("0x480", {}, "two numbers of 1 to 9999 px"),
        ("65x64", {"smallest": 64, "even": True}, "two even numbers of 64 to 9999 px"),
        ("4097x64", {"smallest": 64, "largest": 4096}, "two numbers of 64 to 4096 px"),
    ],
)
def test_size_outside_the_limits_is_rejected_with_them(text: str, limits: dict[str, Any], allowed: str) -> None:
    with pytest.raises(UsageError, match=rf"--size '{text}' is not a size; allowed: .*{allowed}"):
        parse_size(text, **limits)


def test_existing_path_is_replaced_only_with_overwrite(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    check_overwrite([missing], overwrite=False)
    check_overwrite([missing, tmp_path], overwrite=True)
    with pytest.raises(UsageError, match=rf"{tmp_path} already exists\. Give --overwrite"):
        check_overwrite([missing, tmp_path], overwrite=False)


@pytest.mark.parametrize("command", [(), ("webcam",), ("models", "import"), ("control", "play")])
def test_help_shows_flags_without_a_type(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from remi_stream.cli import main

    monkeypatch.setattr(sys, "argv", ["remi-stream", *command, "--help"])
    assert main() == 0
    out = capsys.readouterr().out
    assert "--help" in out
    assert "bool" not in out.lower()


def test_shell_completes_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    env = {**os.environ, "_REMI_STREAM_COMPLETE": "complete_bash", "COMP_WORDS": "remi-stream we", "COMP_CWORD": "1"}
    code = "import sys; from remi_stream.cli import main; sys.argv = ['remi-stream']; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("webcam", "")


def test_command_line_without_a_command_is_answered_with_the_help_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from remi_stream.cli import main

    monkeypatch.setattr(sys, "argv", ["remi-stream"])
    assert main() == 2
    shown = capsys.readouterr()
    assert "Usage: " in shown.out
    assert shown.err == ""
