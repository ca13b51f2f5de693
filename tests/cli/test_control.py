"""`control` against a real control socket."""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from remi_stream.cli import main
from remi_stream.cli.control import app, list_filters
from remi_stream.config import CameraConfig, Config
from remi_stream.filters.registry import FILTERS, OPTION_HELP, PRESETS
from remi_stream.paths import run_folder
from remi_stream.relay.stage import RelayStage
from remi_stream.transport.address import daemon_address
from remi_stream.transport.link import ControlServer, LinkContext
from tests.cli.command import finish, start
from tests.sample import health


class Daemon:
    """A relay that answers."""

    def __init__(self, name: str) -> None:
        self.name = name
        cameras = tuple(CameraConfig(name=name, source="synthetic:") for name in ("left", "right"))
        self.relay = RelayStage(Config(name=self.name, cameras=cameras, engine="synthetic"))
        self.relay.open()
        self.context = LinkContext()
        self.server = ControlServer(self.context, daemon_address(name), self.relay.answer_control)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        return finish(start("control", *arguments, "--name", self.name), self.server.pump, 30.0)

    def filters(self) -> dict[str, tuple[str, dict[str, float]]]:
        filters = self.relay.answer_control({"ask": "filter"})["filters"]
        return {camera: (each["name"], each["options"]) for camera, each in filters.items()}


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with run_folder(f"t{secrets.token_hex(4)}") as folder:
        daemon = Daemon(folder.name)
        yield daemon
        daemon.context.close()


def test_filter_is_changed_with_its_options_and_shown(daemon: Daemon) -> None:
    code, out, err = daemon.run("filter", "one-euro", "--min-cutoff", "0.25", "--lead", "0", "--camera", "left")
    assert (code, err) == (0, "")
    own = FILTERS["one_euro"].options
    assert daemon.filters() == {"left": ("one_euro", {**own, "min_cutoff": 0.25, "lead": 0.0}), "right": ("one_euro", own)}
    assert out.splitlines()[1].split()[:4] == ["left", "one_euro", "min_cutoff", "0.25,"]
    assert "right" not in out


def test_without_a_name_every_camera_is_reported_and_nothing_changed(daemon: Daemon) -> None:
    daemon.relay.answer_control({"ask": "filter", "name": "oneeuro smooth", "camera": "right"})
    before = daemon.filters()
    code, out, err = daemon.run("filter")
    assert (code, err, daemon.filters()) == (0, "", before)
    assert [line.split()[:4] for line in out.splitlines() if "_euro" in line] == [
        ["left", "one_euro", "min_cutoff", "0.5,"],
        ["right", "OneEuro", "Smooth", "="],
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["one_eurp"], "Unknown filter 'one_eurp'. Did you mean 'one_euro'?"),
        (["moving-avg", "--min-cutoff", "1"], "Unknown option of filter 'moving_avg': 'min_cutoff'. Known: window_s."),
        (["one_euro", "--lead", "-1"], "lead must be a number, 0 or more, got -1.0"),
        (["--time-s", "1"], "--time-s belongs to a filter; name the filter, too"),
        (["OneEuro Smooth", "--lead", "1"], "is a preset of REMI's and has no options"),
    ],
)
def test_mistake_is_one_line_before_any_request(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["remi-stream", "control", "filter", *arguments, "--name", "not-running"])
    assert main() == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err


def test_camera_that_is_not_there_is_one_line_and_changes_nothing(daemon: Daemon) -> None:
    before = daemon.filters()
    code, out, err = daemon.run("filter", "none", "--camera", "back")
    assert (code, out, err) == (3, "", "remi-stream: Unknown camera 'back'. Known: left, right.\n")
    assert daemon.filters() == before


def test_filters_options_and_presets_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_filters() == 0
    out = capsys.readouterr().out
    starts = [" ".join(line.split()) for line in out.splitlines()]
    for name in (*FILTERS, *PRESETS, *(f"--{option.replace('_', '-')}" for option in OPTION_HELP)):
        assert any(line.startswith(name) for line in starts), name
    assert "min_cutoff 0.5, beta_turn 3.5" in out


def test_every_option_of_a_filter_has_a_flag() -> None:
    assert {option for known in FILTERS.values() for option in known.options} == set(OPTION_HELP)
    [command] = [each for each in app.registered_commands if each.name == "filter"]
    assert command.callback is not None
    assert set(OPTION_HELP) <= set(inspect.signature(command.callback).parameters)


def test_recording_is_switched(daemon: Daemon) -> None:
    daemon.relay.step(health("recorder"))
    assert daemon.run("record", "off") == (0, "recording is off\n", "")
    assert daemon.relay.facts == {"record": "off"}


def test_pipeline_without_a_recorder_says_so(daemon: Daemon) -> None:
    code, out, err = daemon.run("record", "on")
    assert (code, out) == (3, "")
    assert "has no recorder. Start it with one" in err
    assert daemon.relay.facts == {}


def test_unknown_filter_ends_a_pipeline_before_it_starts(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text("cameras: [{name: front, source: 'synthetic:'}]\nfilter: moving_avg\nfilter_options: {window_s: 1}\n")
    for command in (["demo"], ["run", str(file)]):
        arguments = [*command, "--filter", "one_eurp", "--name", f"t{secrets.token_hex(4)}"]
        code, out, err = finish(start(*arguments), lambda: None, 60.0)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "Unknown filter 'one_eurp'. Did you mean 'one_euro'?" in err
