"""The systemd unit, checked by systemd-analyze, and started, watched and restarted by a real systemd."""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from remi_stream.cli.service import _unreadable_part
from remi_stream.errors import EXIT_NOT_STARTED, EXIT_USAGE, UsageError
from remi_stream.paths import data_file
from remi_stream.pipeline import STAGES
from remi_stream.process.systemd import system_unit_text, unit_template, user_unit_text
from tests.containers.systemd import PROGRAM, booted

MOST_EXPOSED = 1.7
PIPELINE = f"record: takes\ncameras:\n  - {{name: sample, source: {data_file('sample.mp4')}, loop: true, max_fps: 5}}\n"

analysed = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="needs systemd-analyze (Debian: apt-get install systemd)"
)


def value(name: str) -> str:
    """Value of a setting in the shipped unit."""
    found = re.search(rf"^{name}=(.*)$", unit_template(), re.MULTILINE)
    assert found, f"no {name}"
    return found[1]


def analyse(*arguments: str) -> tuple[int, str]:
    """Exit code and output of systemd-analyze."""
    done = subprocess.run(["systemd-analyze", "--no-pager", *arguments], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


@analysed
def test_shipped_unit_passes_systemd_analyze(tmp_path: Path) -> None:
    unit = tmp_path / "remi-stream.service"
    unit.write_text(unit_template().replace("/opt/remi-stream/bin/remi-stream", sys.executable))
    assert analyse("verify", str(unit)) == (0, "")


@analysed
@pytest.mark.parametrize("folder", ["plain", "with space", "100%n", "a $b ${c}", "größe", "x;# y"])
def test_path_with_special_characters_is_quoted_for_systemd(folder: str, tmp_path: Path) -> None:
    parent = tmp_path / folder
    parent.mkdir()
    program = parent / "remi-stream"
    shutil.copy("/bin/true", program)
    for name, text in {
        "system.service": system_unit_text([str(program), "run", f"{parent}/\"x\" 'y'.yaml"], read_homes=False),
        "user.service": user_unit_text([str(program), "run", f"{parent}/\"x\" 'y'.yaml"], parent, parent),
    }.items():
        (tmp_path / name).write_text(text)
        assert analyse("verify", str(tmp_path / name)) == (0, "")


@pytest.mark.parametrize("letter", ['"', "'", "\\", "\n"])
def test_program_that_systemd_would_not_run_is_refused(letter: str) -> None:
    with pytest.raises(UsageError, match="systemd runs no program"):
        system_unit_text([f"/srv/a{letter}b/remi-stream", "run"], read_homes=False)


@analysed
def test_service_has_a_low_exposure_level() -> None:
    unit = Path(__file__).parents[2] / "configs/systemd/remi-stream.service"
    code, output = analyse("security", "--offline=true", f"--threshold={MOST_EXPOSED * 10:.0f}", str(unit))
    assert code == 0, output


def test_systemd_timeouts_exceed_our_own() -> None:
    assert value("TimeoutStopSec") == "2min"
    assert sum(row.stop_s for row in STAGES) < 120
    assert value("TimeoutStartSec") == "15min"
    assert value("TimeoutAbortSec") == "10"


def test_service_restarts_for_ever_except_after_a_usage_error() -> None:
    assert value("Restart") == "on-failure"
    assert value("RestartPreventExitStatus").split() == [str(EXIT_USAGE)]
    assert value("RestartSec") == "30"
    assert value("StartLimitIntervalSec") == "0"


def test_writable_executable_memory_is_allowed_for_openvino() -> None:
    assert "MemoryDenyWriteExecute" not in unit_template()


@pytest.fixture
def others_may_read() -> None:
    """Skip unless the service's own user can read this installation."""
    if not Path(PROGRAM).exists():
        pytest.skip(f"needs {PROGRAM} (Debian: apt-get install systemd)")
    if closed := _unreadable_part(Path(sys.prefix)):
        pytest.skip(f"the service's user could not read {sys.prefix}: {closed} is closed to others")


@pytest.mark.containers
@pytest.mark.usefixtures("others_may_read")
def test_systemd_starts_watches_restarts_and_stops_it(tmp_path: Path) -> None:
    with booted(tmp_path, PIPELINE, f"t{secrets.token_hex(4)}") as machine:
        machine.wait(lambda: machine.fact("ActiveState") == "active" and "stages running" in machine.fact("StatusText"))
        machine.wait(lambda: "bodies/s" in machine.log())
        pid = machine.fact("MainPID")
        assert machine.run("stat", "--format=%U", f"/proc/{pid}").strip() == "remi-stream"
        assert machine.fact("WatchdogTimestamp") != ""
        assert machine.fact("NRestarts") == "0"

        machine.run("kill", "-STOP", pid)
        machine.wait(lambda: machine.fact("NRestarts") == "1")
        machine.wait(lambda: machine.fact("ActiveState") == "active" and "stages running" in machine.fact("StatusText"))
        assert machine.fact("MainPID") != pid

        machine.run("systemctl", "stop", machine.service)
        assert machine.fact("ActiveState") == "inactive"
        assert machine.fact("Result") == "success"
        takes = machine.run("find", "/var/lib/private/remi-stream/takes", "-name", "*.jsonl", "-o", "-name", "index*")
        assert takes, machine.run("find", "/var/lib/private/remi-stream/takes")


@pytest.mark.containers
@pytest.mark.usefixtures("others_may_read")
def test_systemd_does_not_restart_after_a_usage_error(tmp_path: Path) -> None:
    with booted(tmp_path, "cameras: []\n", f"t{secrets.token_hex(4)}") as machine:
        machine.wait(lambda: machine.fact("ActiveState") == "failed")
        assert machine.fact("ExecMainStatus") == str(EXIT_USAGE)
        assert machine.fact("NRestarts") == "0"
        assert machine.log().count("remi-stream: ") == 1
        assert "`cameras`" in machine.log()


@pytest.mark.containers
@pytest.mark.usefixtures("others_may_read")
def test_systemd_restarts_until_the_only_camera_is_there(tmp_path: Path) -> None:
    missing = PIPELINE.replace(str(data_file("sample.mp4")), "/dev/video99")
    with booted(tmp_path, missing, f"t{secrets.token_hex(4)}") as machine:
        machine.wait(lambda: int(machine.fact("NRestarts")) >= 2)
        assert "No camera /dev/video99" in machine.log()
        machine.wait(lambda: machine.fact("SubState") == "auto-restart")
        assert machine.fact("ExecMainStatus") == str(EXIT_NOT_STARTED)
        machine.run("sh", "-c", f"sed -i s:/dev/video99:{data_file('sample.mp4')}: /run/try/*.yaml")
        machine.wait(lambda: machine.fact("ActiveState") == "active" and "stages running" in machine.fact("StatusText"))
