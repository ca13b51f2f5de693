"""`remi-stream service`: the units that it writes, and refusals."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from remi_stream.cli import service
from remi_stream.errors import RemiError, UsageError
from remi_stream.paths import shipped_folder
from remi_stream.process.systemd import UNIT_HEADER, unit_template
from tests.cli.command import start

WEBCAM = shipped_folder("configs") / "webcam.yaml"


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of this user's units."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("REMI_HOME", raising=False)
    return tmp_path / "config/systemd/user"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the system units; everything that the service reads is readable by others."""
    monkeypatch.setattr(service, "SYSTEM_UNIT_FOLDER", tmp_path / "machine")
    monkeypatch.setattr(service, "TEMPORARY_FOLDERS", ())
    monkeypatch.setattr(service, "_unreadable_part", lambda path: None)
    return tmp_path / "machine"


def write(file: Path, **more: str) -> Path:
    """A pipeline file."""
    camera = {"name": "cam", "source": "/dev/video0"} | {key: value for key, value in more.items() if key != "record"}
    record = f"record: {more['record']}\n" if "record" in more else ""
    file.write_text(f"{record}cameras: [{camera}]\n")
    return file


def lines(unit: Path) -> list[str]:
    """Lines of a unit."""
    return unit.read_text().splitlines()


def test_user_unit_runs_this_installation_and_next_steps_are_printed(units: Path, tmp_path: Path) -> None:
    pipeline = shutil.copy(WEBCAM, tmp_path / "my cameras.yaml")
    process = start("service", "install", str(pipeline), "--user")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    unit = units / "remi-stream.service"
    (command,) = [line.removeprefix("ExecStart=") for line in lines(unit) if line.startswith("ExecStart=")]
    assert f'"{pipeline}"' in command, "a path with blanks is quoted; the program's path may have some too"
    assert shlex.split(command) == [f"{Path(sys.executable).parent}/remi-stream", "run", str(pipeline)]
    assert f"WorkingDirectory={Path.cwd()}" in lines(unit)
    assert out.splitlines()[0] == f"wrote {unit}"
    assert "  systemctl --user daemon-reload && systemctl --user enable --now remi-stream" in out.splitlines()
    assert "loginctl enable-linger" in out


def test_units_differ_only_where_they_must(units: Path, machine: Path) -> None:
    service.install(WEBCAM, user=True)
    service.install(WEBCAM)
    shipped = set(unit_template().splitlines())
    own, whole = (set(lines(folder / "remi-stream.service")) for folder in (units, machine))
    assert {line.partition("=")[0] for line in whole - shipped} - {UNIT_HEADER.partition("=")[0]} <= {"ExecStart", "ProtectHome"}
    assert {line.partition("=")[0] for line in own - shipped} - {UNIT_HEADER} == {"ExecStart", "WorkingDirectory", "WantedBy"}
    assert {"Type=notify", "WatchdogSec=10", "RestartPreventExitStatus=2", "SystemCallFilter=@system-service"} <= own & whole
    assert "DynamicUser=yes" in whole - own


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze (Debian: apt-get install systemd)")
@pytest.mark.parametrize("user", [True, False])
def test_written_unit_passes_systemd_analyze(
    user: bool, units: Path, machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # systemd-analyze asks for it
    service.install(WEBCAM, user=user)
    unit = (units if user else machine) / "remi-stream.service"
    done = subprocess.run(["systemd-analyze", "verify", *(["--user"] if user else []), unit], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_home_of_the_models_is_kept(units: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REMI_HOME", str(tmp_path / "100% models"))
    service.install(WEBCAM, user=True)
    assert f'Environment="REMI_HOME={tmp_path}/100%% models"' in lines(units / "remi-stream.service")


def test_print_writes_nothing(units: Path, capsys: pytest.CaptureFixture[str]) -> None:
    service.install(WEBCAM, user=True, only_print=True)
    assert capsys.readouterr().out.startswith(UNIT_HEADER)
    assert not units.exists()


def test_unit_that_differs_is_kept_unless_requested(units: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    service.install(WEBCAM, user=True)
    service.install(WEBCAM, user=True)
    before = lines(units / "remi-stream.service")
    other = write(tmp_path / "other.yaml")
    with pytest.raises(UsageError, match="--overwrite"):
        service.install(other, user=True)
    assert lines(units / "remi-stream.service") == before
    service.install(other, user=True, overwrite=True)
    assert any(str(other) in line for line in lines(units / "remi-stream.service"))


@pytest.mark.parametrize("in_file", [True, False])
def test_each_daemon_has_a_unit_of_its_own(in_file: bool, units: Path, tmp_path: Path) -> None:
    pipeline = write(tmp_path / "p.yaml")
    if in_file:
        pipeline.write_text(f"name: hall\n{pipeline.read_text()}")
    service.install(WEBCAM, user=True)
    service.install(pipeline, user=True, name=None if in_file else "hall")
    assert {unit.name for unit in units.iterdir()} == {"remi-stream.service", "remi-stream-hall.service"}
    (command,) = [line for line in lines(units / "remi-stream-hall.service") if line.startswith("ExecStart=")]
    assert command.endswith("p.yaml" if in_file else "p.yaml --name hall")


def test_without_a_file_the_one_in_the_configuration_folder_is_used(units: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"No such file: .*config/remi-stream/pipeline.yaml. Write one, e.g. from .*webcam.yaml"):
        service.install(user=True)
    (tmp_path / "config/remi-stream").mkdir(parents=True)
    file = write(tmp_path / "config/remi-stream/pipeline.yaml")
    service.install(user=True)
    assert any(line.endswith(f"run {file}") for line in lines(units / "remi-stream.service"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"source": "clip.mp4"}, "give the absolute path of clip.mp4"),
        ({"calibration": "lens.yaml"}, "give the absolute path of lens.yaml"),
        ({"password_file": "secret"}, "give the absolute path of secret"),
        ({"record": "/data/takes"}, "can write only in /var/lib/remi-stream, not in /data/takes"),
        ({"record": "../takes"}, "not in ../takes"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_pipeline_that_would_fail_as_a_service_is_refused(
    more: dict[str, str], message: str, machine: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        service.install(write(tmp_path / "p.yaml", **more))
    assert not machine.exists()


@pytest.mark.parametrize("key", ["source", "calibration", "password_file"])
def test_file_of_a_camera_that_the_service_may_not_read_is_refused(
    key: str, machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "TEMPORARY_FOLDERS", ())
    monkeypatch.setattr(service, "_required_files", lambda file: iter([file]))
    monkeypatch.setattr(service, "_unreadable_part", lambda path: path if path.name == "closed" else None)
    (tmp_path / "closed").touch()
    with pytest.raises(UsageError, match=f"The service's user cannot read {tmp_path}/closed .* Move it, or use --user"):
        service.install(write(tmp_path / "p.yaml", **{key: str(tmp_path / "closed")}))
    assert not machine.exists()


def test_service_can_read_a_video_in_a_home_folder(machine: Path, tmp_path: Path) -> None:
    service.install(write(tmp_path / "p.yaml", source="/home/me/walk.mp4"))
    assert "ProtectHome=read-only" in lines(machine / "remi-stream.service")


def test_folders_that_the_service_may_write_are_allowed(machine: Path, units: Path, tmp_path: Path) -> None:
    service.install(write(tmp_path / "p.yaml", record="takes"))
    service.install(write(tmp_path / "q.yaml", record="/data/takes", source="clip.mp4"), user=True)


def test_installation_that_others_may_not_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "TEMPORARY_FOLDERS", ())
    monkeypatch.setattr(service, "_required_files", lambda file: iter([file]))
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    file = write(closed / "p.yaml")
    with pytest.raises(UsageError, match=r"cannot read .*p.yaml \(.* is not readable by others\). Move it, or use --user"):
        service.install(file)


def test_file_in_the_temporary_folder_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(service, "TEMPORARY_FOLDERS", (tmp_path,))
    with pytest.raises(UsageError, match=r"has a private /tmp and cannot see .*p.yaml"):
        service.install(write(tmp_path / "p.yaml"))


def test_uninstall_removes_only_our_disabled_units(units: Path) -> None:
    with pytest.raises(UsageError, match="No such unit"):
        service.uninstall(user=True)
    service.install(WEBCAM, user=True)
    unit = units / "remi-stream.service"
    wants = units / "default.target.wants"
    wants.mkdir()
    (wants / unit.name).symlink_to(unit)
    with pytest.raises(UsageError, match="First: systemctl --user disable --now remi-stream"):
        service.uninstall(user=True)
    (wants / unit.name).unlink()
    text = unit.read_text()
    unit.write_text("[Unit]\n")
    with pytest.raises(UsageError, match="was not written by"):
        service.uninstall(user=True)
    unit.write_text(text)
    service.uninstall(user=True)
    assert not unit.exists()


def test_folder_that_cannot_be_written_is_named(machine: Path) -> None:
    machine.write_text("a file is in the way")
    with pytest.raises(RemiError, match=rf"Cannot write {machine}/remi-stream.service: .*sudo .*remi-stream"):
        service.install(WEBCAM)


def test_next_steps_mention_that_systemd_is_not_running(units: Path, capsys: pytest.CaptureFixture[str]) -> None:
    service.install(WEBCAM, user=True)
    assert ("systemd is not running on this machine" in capsys.readouterr().out) == (not os.path.isdir("/run/systemd/system"))


@pytest.mark.parametrize("user", [True, False])
def test_service_is_not_done_until_the_passwords_of_its_cameras_are_there(
    user: bool, units: Path, machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(service, "SYSTEM_CONFIG_FOLDER", tmp_path / "etc")
    monkeypatch.setenv("FRONT_PASSWORD", "of my shell")  # which the service does not see
    file = tmp_path / ("config" if user else "etc") / "remi-stream/remi-stream-hall.env"
    cameras = [
        {"name": name, "source": f"rtsp://{name}/1", "password_env": f"{name.upper()}_PASSWORD"} for name in ("front", "back")
    ]
    pipeline = tmp_path / "p.yaml"
    pipeline.write_text(f"cameras: {cameras}\n")
    message = rf"cannot start: {file} has no FRONT_PASSWORD \(camera front\), BACK_PASSWORD \(camera back\)\. Write"
    with pytest.raises(RemiError, match=message) as error:
        service.install(pipeline, user=user, name="hall")
    assert (error.value.exit_code, "next:" in capsys.readouterr().out) == (3, False)
    file.parent.mkdir(parents=True)
    file.write_text("# FRONT_PASSWORD=no\nFRONT_PASSWORD='a b'\n")
    with pytest.raises(RemiError, match=r"has no BACK_PASSWORD \(camera back\)\."):
        service.install(pipeline, user=user, name="hall")
    with file.open("a") as more:
        more.write("  BACK_PASSWORD = c\n")
    service.install(pipeline, user=user, name="hall")
    assert "next:" in capsys.readouterr().out
