"""The health check of containers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from remi_stream.cli.container import healthcheck
from remi_stream.config import METRICS_SERVICE, daemon_port
from remi_stream.paths import run_folder
from remi_stream.sinks.page_server import HttpPage, HttpPageServer
from tests.pipeline.daemon import SYNTHETIC, running

CAMERA = {"name": "front", "source": "synthetic:?fps=30"}


def health(runtime: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "remi_stream.cli.container.healthcheck"]
    done = subprocess.run(command, env={"XDG_RUNTIME_DIR": str(runtime)}, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout + done.stderr


def test_command_without_a_daemon_is_healthy(tmp_path: Path) -> None:
    assert health(tmp_path) == (0, "no running daemon\n")


@pytest.mark.parametrize("metrics", [True, False])
def test_running_daemon_is_healthy_with_and_without_metrics(metrics: bool, tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA], metrics=metrics, **SYNTHETIC) as daemon:
        daemon.more_bodies(1)
        if metrics:
            daemon.listen(lambda: daemon.stages.get("exporter") and daemon.stages["exporter"].state == "ready")
        code, text = health(daemon.runtime)
        assert (code, text.startswith(f"{daemon.name}: ")) == (0, True), text
        assert ('"status": "ok"' in text, "no metrics" in text) == (metrics, not metrics)


def test_unhealthy_daemon_is_reported_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    server = HttpPageServer(daemon_port("failing", METRICS_SERVICE), {"/healthz": lambda: HttpPage(b"pose failed", 503)})
    server.start()
    try:
        with run_folder("failing"):
            assert healthcheck.main() == 1
        assert capsys.readouterr().out == "failing: pose failed\n"
        assert healthcheck.main() == 0
    finally:
        server.stop()


def test_unreachable_daemon_is_unhealthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with run_folder("mute"):
        assert healthcheck.main() == 1


def test_hung_daemon_is_unhealthy_though_its_ports_are_open(tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA], metrics=False, **SYNTHETIC) as daemon:
        daemon.more_bodies(1)
        relay = daemon.pid("relay")
        for pid in (daemon.process.pid, relay):
            os.kill(pid, signal.SIGSTOP)
        try:
            assert health(daemon.runtime)[0] == 1
        finally:
            for pid in (relay, daemon.process.pid):
                os.kill(pid, signal.SIGCONT)


def test_health_is_ok_without_a_run_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/proc/nope")
    assert healthcheck.main() == 0


def test_killed_daemon_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with run_folder("dead"):
        dead = subprocess.Popen(["true"])
        dead.wait()
        (tmp_path / "remi-stream" / ".dead.lock").write_text(str(dead.pid))
        assert healthcheck.main() == 0
