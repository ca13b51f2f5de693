"""`status` against a real control socket."""

from __future__ import annotations

import io
import json
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console
from rich.table import Table

from remi_stream.cli.options import with_daemon
from remi_stream.cli.status import camera_table, stage_table
from remi_stream.config import CameraConfig, Config
from remi_stream.errors import RemiError
from remi_stream.messages import PlaybackStatus
from remi_stream.paths import run_folder
from remi_stream.relay.stage import RelayStage
from remi_stream.transport.address import DaemonAddress, daemon_address
from remi_stream.transport.link import ControlServer, LinkContext
from tests.cli.command import finish, start
from tests.sample import bodies, facts, health


class Daemon:
    """A relay that answers."""

    def __init__(self, name: str) -> None:
        self.name = name
        config = Config(name=self.name, cameras=(CameraConfig(name="front", source="synthetic:"),), engine="synthetic")
        self.relay = RelayStage(config)
        self.context = LinkContext()
        self.server = ControlServer(self.context, daemon_address(name), self.relay.answer_control)


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with run_folder(f"t{secrets.token_hex(4)}") as folder:
        daemon = Daemon(folder.name)
        daemon.relay.open()
        daemon.relay.step(facts(1))
        daemon.relay.step(bodies(4, skipped={"capture/superseded": 3}))
        daemon.relay.step(facts(6))
        daemon.relay.step(health("pose", restarts=2, cpu_s=1.25, memory_bytes=52_000_000))
        daemon.relay.step(health("capture/back", state="failed", reason="[x] has no such stream"))
        yield daemon
        daemon.context.close()


def drawn(table: Table) -> list[list[str]]:
    """The cells of a table as they are printed."""
    console = Console(width=120, file=io.StringIO())
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return [line.split() for line in console.file.getvalue().splitlines()]


def test_table_of_stages_and_cameras_is_printed(daemon: Daemon) -> None:
    code, out, err = finish(start("status", "--name", daemon.name), daemon.server.pump)
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0][:2] == [f"{daemon.name}:", "remi-stream"]
    assert ["pose", "ready", "100", "2", "1.2", "52"] in lines
    assert "capture/back is failed: [x] has no such stream" in out
    assert ["front", "live", "30", "6", "1", "4", "(3", "capture/superseded,", "1", "lost_in_crash)", "one_euro"] in lines


def test_texts_of_a_daemon_steer_no_terminal(daemon: Daemon) -> None:
    def hostile(request: dict[str, Any]) -> dict[str, Any]:
        texts = msgspec.json.encode(daemon.relay.answer_control(request)).decode()
        for text in ("has no such stream", "one_euro", "synthetic", "capture/superseded"):
            texts = texts.replace(text, r"[bold]\u001b]0;x\u0007\u009b2J\n[/red]")
        return dict(msgspec.json.decode(texts))

    server = daemon.server
    server._answer = hostile
    for options in ([], ["--json"]):
        code, out, err = finish(start("status", "--name", daemon.name, *options), server.pump)
        assert (code, err) == (0, "")
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", out)
        assert "[bold]" in out, "a text is shown as it is"
        assert "[/red]" in out


@pytest.mark.parametrize("mistake", [KeyError("stages"), TypeError("x"), ValueError("x"), AttributeError("x")])
def test_answer_of_another_machine_that_lacks_something_is_one_line(mistake: Exception) -> None:
    def command(daemon: DaemonAddress) -> int:
        raise mistake

    with pytest.raises(RemiError, match=r"127\.0\.0\.1.* does not answer as a remi-stream of this version"):
        with_daemon(command)(name="default", connect="127.0.0.1:7700", key=None)
    with pytest.raises(type(mistake)):
        with_daemon(command)(name="default", connect=None, key=None)


def test_error_that_quotes_a_file_steers_no_terminal(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text('viewer: "\\e[2J\\x9b"\ncameras: [{name: a, source: "synthetic:"}]\n')
    code, out, err = finish(start("run", str(file)), lambda: None)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.rstrip("\n").isprintable()
    file.with_name("\x1b[2J.yaml").write_text("[")
    code, _, err = finish(start("run", str(file.with_name("\x1b[2J.yaml"))), lambda: None)
    assert code == 2
    assert "\x1b" not in err


def test_json_is_what_the_daemon_answers(daemon: Daemon) -> None:
    code, out, _ = finish(start("status", "--name", daemon.name, "--json"), daemon.server.pump)
    assert code == 0
    assert json.loads(out) == json.loads(json.dumps(daemon.relay.answer_control({"ask": "status"})))


def test_daemon_that_is_not_there_is_one_line_and_exit_code_3() -> None:
    code, out, err = finish(start("status", "--name", f"t{secrets.token_hex(4)}"), lambda: None)
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "No remi-stream answers on ipc://" in err


def test_states_are_shown_as_they_are() -> None:
    rows: dict[str, dict[str, Any]] = {
        "pose": msgspec.to_builtins(health("pose", state="restarting")),
        "capture/left": msgspec.to_builtins(health("capture/left", state="stopping")),
    }
    assert [row[:2] for row in drawn(stage_table(rows))] == [
        ["stage", "state"],
        ["capture/left", "stopping"],
        ["pose", "restarting"],
    ]


def test_camera_without_drops_shows_a_zero() -> None:
    found = drawn(camera_table({"front": msgspec.to_builtins(facts(10, state="reconnecting", published=9, fps=29.97))}))
    assert found[1] == ["front", "reconnecting", "since", "0", "s", "29.97", "10", "9", "0", "none"]


def test_filter_of_a_camera_is_shown_with_its_lag() -> None:
    smoothed = facts(10, filter="OneEuro Moderate", filter_lag_s=0.0634)
    found = drawn(camera_table({"front": msgspec.to_builtins(smoothed)}))
    assert found[1][-4:] == ["OneEuro", "Moderate", "63", "ms"]


def test_recording_shows_its_position() -> None:
    position = {"position_s": 12.34, "length_s": 60.0, "speed": 0.5, "command_id": 0}
    known = [
        facts(camera=name, playing=PlaybackStatus(**position, paused=paused)) for name, paused in (("a", False), ("b", True))
    ]
    lines = drawn(camera_table({each.camera: msgspec.to_builtins(each) for each in known}))
    assert [" ".join(line[1:7]) for line in lines[1:]] == ["live at 12.3 of 60.0 s", "live, paused at 12.3 of 60.0"]
