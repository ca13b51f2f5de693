"""The supervisor of a real daemon: stages that others stop, pauses, a part that never works, a system without resources."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from remi_stream.config import parse_config
from remi_stream.messages import Health
from remi_stream.pipeline import find_stage
from remi_stream.process.outputs import HeartbeatSender
from remi_stream.process.stage_process import BACK_OFF_S, DEATH_WINDOW_S, StageProcess
from remi_stream.stage import StageSpec, WatchdogClock
from tests.pipeline.daemon import SYNTHETIC, Daemon, running

CAMERA = {"name": "front", "source": "synthetic:?width=320&height=240&fps=20"}
BACK_S = 20.0


def wait_for_restart(daemon: Daemon, stage: str, old: int) -> None:
    daemon.listen(lambda: daemon.stages[stage].state == "ready" and daemon.stages[stage].pid != old, BACK_S)


def bodies_after(daemon: Daemon, since: float) -> None:
    daemon.listen(lambda: daemon.bodies and daemon.bodies[-1].captured_at > since, BACK_S)


def every_pid(daemon: Daemon) -> dict[str, int]:
    daemon.listen(lambda: all(health.state == "ready" for health in daemon.stages.values()), BACK_S)
    return {stage: health.pid for stage, health in daemon.stages.items()}


def test_stage_that_another_program_stops_comes_back(tmp_path: Path) -> None:
    config = {**SYNTHETIC, "record": str(tmp_path / "takes")}
    with running(tmp_path, cameras=[CAMERA], metrics=True, **config) as daemon:  # type: ignore[arg-type]
        daemon.more_bodies(5)
        for stage in ("capture/front", "detect", "pose", "exporter", "recorder", "relay"):
            old = daemon.pid(stage)
            os.kill(old, signal.SIGTERM)
            wait_for_restart(daemon, stage, old)
            assert f"{stage} was stopped by another process (SIGTERM): restarting" in daemon.log()
        bodies_after(daemon, time.monotonic())
        assert "silent" not in daemon.log()
        assert daemon.stop() == 0


def test_pause_of_the_supervisor_costs_no_stage(tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA], **SYNTHETIC) as daemon:
        daemon.more_bodies(5)
        pids = every_pid(daemon)
        for _ in range(3):
            daemon.process.send_signal(signal.SIGSTOP)
            time.sleep(1.8)
            daemon.process.send_signal(signal.SIGCONT)
            bodies_after(daemon, time.monotonic())
        daemon.take(1.0)
        assert every_pid(daemon) == pids
        assert daemon.log().count("the supervisor itself was paused for") == 3
        assert daemon.stop() == 0


def test_pause_of_everything_costs_no_stage(tmp_path: Path) -> None:
    """As `docker pause` does, for longer than a call of a source may take."""
    with running(tmp_path, cameras=[CAMERA], **SYNTHETIC) as daemon:
        daemon.more_bodies(5)
        pids = every_pid(daemon)
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid in (daemon.process.pid, *pids.values()):
                os.kill(pid, number)
            time.sleep(7.0 if number == signal.SIGSTOP else 0)
        bodies_after(daemon, time.monotonic())
        daemon.take(1.0)
        assert every_pid(daemon) == pids
        assert daemon.stop() == 0


def test_sink_that_dies_again_and_again_fails_alone(tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA], remi_relay="127.0.0.1:9", **SYNTHETIC) as daemon:
        daemon.more_bodies(5)
        killed: set[int] = set()
        while len(killed) < 6:
            daemon.listen(lambda: daemon.stages["remi"].pid not in {*killed, 0}, BACK_S)
            killed.add(daemon.stages["remi"].pid)
            os.kill(daemon.stages["remi"].pid, signal.SIGKILL)
        daemon.listen(lambda: daemon.stages["remi"].state == "failed")
        assert daemon.stages["remi"].reason == "died by SIGKILL"
        assert "next try in" in daemon.log()
        bodies_after(daemon, time.monotonic())
        daemon.listen(lambda: daemon.stages["remi"].state == "ready", BACK_S)
        assert {health.restarts for stage, health in daemon.stages.items() if stage != "remi"} == {0}
        assert daemon.stop() == 0


def test_camera_that_cannot_start_costs_the_others_nothing(tmp_path: Path) -> None:
    missing = {"name": "missing", "source": str(tmp_path / "missing.mp4")}
    with running(tmp_path, cameras=[missing, CAMERA], **SYNTHETIC) as daemon:
        daemon.more_bodies(20)
        daemon.listen(lambda: daemon.stages["capture/missing"].state == "failed")
        assert "No such video file" in daemon.stages["capture/missing"].reason
        daemon.listen(lambda: daemon.stages["capture/missing"].restarts >= 2, BACK_S)
        assert daemon.log().count("No such video file") == 1, "each reason is logged once"
        assert daemon.status()["stages"]["capture/missing"]["state"] == "failed"
        assert daemon.stop() == 0


def test_cameras_that_all_cannot_start_end_the_daemon_with_their_reasons(tmp_path: Path) -> None:
    cameras = [{"name": name, "source": str(tmp_path / f"{name}.mp4")} for name in ("left", "right")]
    with running(tmp_path, cameras=cameras, **SYNTHETIC) as daemon:
        assert daemon.process.wait(BACK_S) == 2
        last = daemon.log().strip().splitlines()[-1]
        assert "left.mp4" in last
        assert "right.mp4" in last


def test_missing_camera_ends_the_daemon_when_the_others_are_at_their_end(tmp_path: Path) -> None:
    short = {**CAMERA, "frames": 10}
    missing = {"name": "missing", "source": str(tmp_path / "missing.mp4")}
    with running(tmp_path, cameras=[short, missing], **SYNTHETIC) as daemon:
        assert daemon.process.wait(BACK_S) == 2
        assert daemon.log().strip().splitlines()[-1].startswith("remi-stream: No such video file")


def test_system_without_descriptors_delays_a_restart_and_ends_nothing(tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA], remi_relay="127.0.0.1:9", **SYNTHETIC) as daemon:
        daemon.more_bodies(5)
        old = daemon.pid("remi")
        pid = daemon.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        open_files = max(int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir())
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_files - 3, limits[1]))
        os.kill(old, signal.SIGKILL)
        daemon.listen(lambda: "remi cannot be started (Too many open files)" in daemon.log(), BACK_S)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        wait_for_restart(daemon, "remi", old)
        bodies_after(daemon, time.monotonic())
        assert daemon.stop() == 0


def test_run_folder_that_is_removed_is_made_again_and_the_stages_restart(tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA], **SYNTHETIC) as daemon:
        daemon.more_bodies(5)
        pids = every_pid(daemon)
        shutil.rmtree(daemon.runtime / "remi-stream")
        for stage, old in pids.items():
            wait_for_restart(daemon, stage, old)
        bodies_after(daemon, time.monotonic())
        assert "was removed by another program: made again, all stages restart" in daemon.log()
        os.kill(daemon.pid("capture/front"), signal.SIGKILL)
        bodies_after(daemon, time.monotonic() + 0.5)
        assert daemon.stop() == 0


def test_clock_of_a_watchdog_stands_still_in_a_pause() -> None:
    clock = WatchdogClock(0.5)
    assert [clock.advance(at) for at in (100.0, 100.1, 160.1, 160.2)] == pytest.approx([0, 0.1, 60, 0.1])
    assert clock.now == pytest.approx(0.1 + 0.5 + 0.1)


@pytest.fixture
def stage() -> Iterator[StageProcess]:
    config = parse_config({"cameras": [CAMERA]})
    spec = StageSpec(stage="remi", camera="", run_folder="/nowhere", supervisor_pid=os.getpid(), config=config)
    made = StageProcess(find_stage("remi"), spec)
    yield made
    if made.heartbeats:
        made.heartbeats.close()


@pytest.mark.parametrize(("names", "kept"), [(500, 500), (50_000, 0)])
def test_heartbeat_of_any_size_arrives_whole_or_without_its_counts(names: int, kept: int, stage: StageProcess) -> None:
    """A pipe cut what was larger than 4096 bytes."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    stage.heartbeats = ours
    sender = HeartbeatSender(theirs.detach(), "remi")
    for _ in range(2):
        sender.send("ready", counts={f"count {number}": number for number in range(names)}, reason="x" * 3000)
    stage.read_heartbeats(1.0)
    assert (stage.health.state, len(stage.health.counts)) == ("ready", kept)


def test_heartbeat_that_cannot_be_read_is_reported_and_ignored(stage: StageProcess, caplog: pytest.LogCaptureFixture) -> None:
    stage.heartbeats, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stage.heartbeats.setblocking(False)
    for data in (b"\x93" * 1000, b"junk", msgspec.msgpack.encode(Health(stage="forged", state="ready", pid=1))):
        theirs.send(data)
    stage.read_heartbeats(1.0)
    theirs.close()
    assert caplog.text.count("a heartbeat that cannot be read") == 2
    assert (stage.health.stage, stage.health.state) == ("remi", "ready")
    assert not stage.read_heartbeats(2.0)


def test_back_off_grows_to_half_a_minute_and_starts_over_after_a_good_minute(stage: StageProcess) -> None:
    waits = []
    for _ in range(12):
        stage.note_failure(100.0)
        stage.plan_restart(100.0, "died by SIGKILL", is_error=False)
        waits.append((stage.start_at or 0.0) - 100.0)
    assert waits[:9] == list(BACK_OFF_S)
    assert set(waits[9:]) == {30.0}
    assert stage.health.state == "failed"
    stage.process = object()  # type: ignore[assignment]
    stage._take(Health(stage="remi", state="ready", pid=1), 200.0)
    stage.note_time(200.0 + DEATH_WINDOW_S)
    assert stage.failures == 12
    stage.note_time(201.0 + DEATH_WINDOW_S)
    assert stage.failures == 0


def test_rejected_password_is_tried_again_half_a_minute_later(stage: StageProcess) -> None:
    stage._take(Health(stage="remi", state="failed", pid=1, exit_code=3, reason="rejects", retry_after_s=30.0), 1.0)
    stage.note_failure(100.0)
    stage.plan_restart(100.0, "failed: rejects", is_error=True)
    assert stage.start_at == 130.0
