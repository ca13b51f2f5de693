"""Notifications that a service manager gets from a real daemon, and from no other process."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remi_stream.messages import Health
from remi_stream.process.systemd import MAX_STATUS_LENGTH, SystemdNotifier, systemd_status
from tests.pipeline.daemon import SYNTHETIC, Daemon, running

CAMERA = {"name": "cam", "source": "synthetic:?width=320&height=240&fps=20"}
WATCHDOG_S = 1.0


class Manager:
    """The socket that a service manager listens on."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)

    def hear(self, timeout_s: float = 20.0) -> list[str]:
        """The lines of the next datagram; none when nothing came in time."""
        self.socket.settimeout(timeout_s)
        try:
            return self.socket.recv(4096).decode().splitlines()
        except TimeoutError:
            return []

    def queued(self) -> list[str]:
        """Lines that were sent and not read yet."""
        lines: list[str] = []
        while more := self.hear(0.01):
            lines += more
        return lines

    def hear_until(self, line: str, timeout_s: float = 20.0) -> list[str]:
        """Everything up to the datagram that holds this line."""
        lines: list[str] = []
        end = time.monotonic() + timeout_s
        while line not in lines:
            assert time.monotonic() < end, f"never heard {line}, but {lines}"
            lines += self.hear(timeout_s)
        return lines


@contextlib.contextmanager
def managed(folder: Path, **config: Any) -> Iterator[tuple[Manager, Daemon]]:
    """A daemon that a service manager has started."""
    manager = Manager(str(folder / "n"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOTIFY_SOCKET", str(folder / "n"))
        patch.setenv("WATCHDOG_USEC", str(int(WATCHDOG_S * 1e6)))
        with running(folder, **{**SYNTHETIC, **config}) as daemon:
            yield manager, daemon
            if daemon.process.poll() is None:
                daemon.stop()
    manager.socket.close()


def test_ready_is_notified_once_every_stage_is_and_the_status_names_the_others(tmp_path: Path) -> None:
    with managed(tmp_path, cameras=[CAMERA]) as (manager, daemon):
        before = manager.hear_until("READY=1")
        states = [line for line in before if line.startswith("STATUS=")]
        assert "detect starting" in states[0]
        assert states[-1] == "STATUS=4 stages running"
        os.kill(daemon.pid("detect"), signal.SIGKILL)
        after = manager.hear_until("STATUS=4 stages running; 1 restarts")
        assert "STATUS=detect restarting" in after or any("detect starting" in line for line in after)
        assert "READY=1" not in after


def test_watchdog_is_fed_twice_a_period_but_not_by_a_hung_supervisor(tmp_path: Path) -> None:
    with managed(tmp_path, cameras=[CAMERA]) as (manager, daemon):
        manager.hear_until("READY=1")
        manager.hear_until("WATCHDOG=1")
        start = time.monotonic()
        for _ in range(3):
            manager.hear_until("WATCHDOG=1")
        assert time.monotonic() - start < 2 * WATCHDOG_S
        daemon.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, daemon.process.pid, os.WSTOPPED)
        manager.queued()
        assert manager.hear(1.5 * WATCHDOG_S) == []
        daemon.process.send_signal(signal.SIGCONT)
        manager.hear_until("WATCHDOG=1")


def test_stages_do_not_get_the_notify_socket_and_stopping_is_notified_first(tmp_path: Path) -> None:
    with managed(tmp_path, cameras=[CAMERA]) as (manager, daemon):
        manager.hear_until("READY=1")
        for stage in ("detect", "pose", "relay", "capture/cam"):
            variables = Path(f"/proc/{daemon.pid(stage)}/environ").read_bytes()
            assert b"NOTIFY_SOCKET" not in variables
            assert b"WATCHDOG_" not in variables
        assert daemon.stop() == 0
        assert manager.queued().count("STOPPING=1") == 1


def test_unavailable_camera_does_not_keep_the_service_from_being_ready(tmp_path: Path) -> None:
    away = {"name": "away", "source": "rtsp://127.0.0.1:9/nobody"}
    with managed(tmp_path, cameras=[away]) as (manager, _):
        manager.hear_until("READY=1")


def test_pipeline_that_cannot_start_is_never_ready(tmp_path: Path) -> None:
    missing = {"name": "missing", "source": "/dev/video_none"}
    with managed(tmp_path, cameras=[missing]) as (manager, daemon):
        assert daemon.process.wait(20) == 3
        assert "READY=1" not in manager.queued()


@pytest.mark.parametrize("form", ["@remi-test-{pid}", "{folder}/s"])
def test_abstract_sockets_and_files_are_both_understood(form: str, tmp_path: Path) -> None:
    address = form.format(pid=os.getpid(), folder=tmp_path)
    manager = Manager("\0" + address[1:] if address[0] == "@" else address)
    variables = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(os.getpid())}
    service = SystemdNotifier(variables)
    assert variables == {}
    service.notify([], True, False, now=10.0)
    assert manager.hear() == ["READY=1", "STATUS=0 stages running", "WATCHDOG=1"]
    service.notify([], True, False, now=11.9)
    service.notify([], True, False, now=12.0)
    assert manager.hear() == ["WATCHDOG=1"]
    manager.socket.close()


def test_without_a_manager_nothing_is_sent_and_nothing_fails() -> None:
    SystemdNotifier({}).notify([], True, True, now=0.0)


def test_watchdog_that_is_meant_for_another_process_is_not_fed(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "s"))
    service = SystemdNotifier({"NOTIFY_SOCKET": str(tmp_path / "s"), "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"})
    service.notify([], True, False, now=10.0)
    assert manager.hear() == ["READY=1", "STATUS=0 stages running"]
    manager.socket.close()


def test_lost_manager_does_not_stop_the_pipeline_and_is_notified_when_back(tmp_path: Path) -> None:
    service = SystemdNotifier({"NOTIFY_SOCKET": str(tmp_path / "s")})
    service.notify([], True, False, now=0.0)
    manager = Manager(str(tmp_path / "s"))
    service.notify([], True, False, now=0.1)
    assert "READY=1" in manager.hear()
    manager.socket.close()


@pytest.mark.parametrize(
    ("states", "stopping", "line"),
    [
        (["ready", "ready"], False, "2 stages running"),
        (["ready", "failed"], False, "s1 failed"),
        (["starting", "restarting"], False, "s0 starting, s1 restarting"),
        (["stopping", "ready"], True, "stopping: s1"),
        (["done", "done"], True, "stopping"),
    ],
)
def test_status_names_the_stages_that_are_not_ready(states: list[str], stopping: bool, line: str) -> None:
    stages = [Health(stage=f"s{number}", state=state, pid=1) for number, state in enumerate(states)]  # type: ignore[arg-type]
    assert systemd_status(stages, stopping) == line


def test_status_of_many_stages_stays_short() -> None:
    stages = [Health(stage=f"capture/camera{number}", state="starting", pid=1) for number in range(60)]
    assert len(systemd_status(stages, False)) <= MAX_STATUS_LENGTH
