"""What happens when processes are killed, stopped or hang: bodies come back, the books balance, nothing is left."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.pipeline.daemon import SYNTHETIC, Daemon, check_books, gone, running

CAMERA = {"name": "front", "source": "synthetic:?fps=30"}
BACK_S = 10.0


def bodies_again(daemon: Daemon, since: float) -> float:
    """Wait for a body of a picture that was captured after this moment; give how long it took, s."""
    daemon.listen(lambda: daemon.bodies and daemon.bodies[-1].captured_at > since, BACK_S)
    return daemon.came_at[-1] - since


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("stage", ["capture/front", "detect", "pose", "relay"])
def test_killed_or_stopped_stage_is_restarted_and_bodies_come_back(stage: str, how: int, tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA], **SYNTHETIC) as daemon:
        daemon.more_bodies(30)
        old = daemon.pid(stage)
        os.kill(old, how)
        daemon.listen(lambda: daemon.stages[stage].state == "ready" and daemon.stages[stage].pid != old, BACK_S)
        bodies_again(daemon, time.monotonic())
        assert daemon.stages[stage].restarts == 1
        daemon.more_bodies(10)
        if stage in ("detect", "pose"):
            check_books(daemon.bodies)
        assert daemon.stop() == 0


def test_killed_detector_costs_no_body(tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA], **SYNTHETIC) as daemon:
        daemon.more_bodies(30)
        os.kill(daemon.pid("detect"), signal.SIGKILL)
        bodies = daemon.more_bodies(60)
        assert not check_books(bodies)
        assert daemon.stop() == 0


def test_frames_lost_with_a_killed_pose_stage_are_counted_as_such(tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA], **SYNTHETIC) as daemon:
        daemon.more_bodies(30)
        os.kill(daemon.pid("pose"), signal.SIGKILL)
        time_of_death = time.monotonic()
        bodies_again(daemon, time_of_death + 0.5)
        daemon.more_bodies(10)
        dropped = check_books(daemon.bodies)
        assert dropped["capture/superseded"] > 0
        assert set(dropped) <= {"capture/superseded", "lost_in_crash", "pose/unasked"}
        assert dropped["lost_in_crash"] + dropped["pose/unasked"] <= 3
        assert {p.track_id for b in daemon.bodies[:20] for p in b.people}.isdisjoint(p.track_id for p in daemon.bodies[-1].people)


def test_books_in_the_status_balance_over_deaths_of_the_relay(tmp_path: Path) -> None:
    film = {"name": "film", "source": "synthetic:?fps=20", "frames": 150, "lossless": True}
    with running(tmp_path, cameras=[film, CAMERA], **SYNTHETIC) as daemon:  # the other one keeps the daemon alive
        for _ in range(2):
            daemon.listen(lambda: len(published_frames(daemon)) >= 10)
            old = daemon.pid("relay")
            os.kill(old, signal.SIGKILL)
            daemon.listen(lambda old=old: daemon.stages["relay"].pid != old and daemon.stages["relay"].state == "ready", BACK_S)
        daemon.listen(lambda: 149 in published_frames(daemon))
        facts = daemon.status()["cameras"]["film"]
        assert facts["captured"] == 150 == facts["published"] + sum(facts["dropped"].values())
        assert set(facts["dropped"]) <= {"lost_in_crash"}
        assert facts["published"] >= len(published_frames(daemon)), "of the first relays, too"


def published_frames(daemon: Daemon) -> set[int]:
    """Frames of the camera "film" whose bodies were heard."""
    return {body.frame_id for body in daemon.bodies if body.camera == "film"}


def test_killed_capture_process_of_one_camera_costs_the_other_camera_nothing(tmp_path: Path) -> None:
    cameras = [{**CAMERA, "name": name, "source": "synthetic:?fps=15"} for name in ("left", "right")]
    with running(tmp_path, cameras=cameras, **SYNTHETIC) as daemon:
        daemon.listen(lambda: {b.camera for b in daemon.bodies} == {"left", "right"})
        daemon.more_bodies(20)
        os.kill(daemon.pid("capture/left"), signal.SIGKILL)
        old = {body.epoch for body in daemon.bodies if body.camera == "left"}
        daemon.listen(lambda: {b.epoch for b in daemon.bodies if b.camera == "left"} - old, BACK_S)
        right = [body for body in daemon.bodies if body.camera == "right"]
        assert not check_books(right)


def test_source_that_hangs_inside_a_call_is_killed_and_restarted(tmp_path: Path) -> None:
    camera = {**CAMERA, "source": "synthetic:?fps=30&hang_at=20"}
    with running(tmp_path, cameras=[camera], **SYNTHETIC) as daemon:
        daemon.more_bodies(10)
        daemon.listen(lambda: len({body.epoch for body in daemon.bodies}) == 2, 15)
        assert "one call of the source has taken" in daemon.log()


def test_engine_that_hangs_is_killed_and_restarted(tmp_path: Path) -> None:
    config = {**SYNTHETIC, "engine_options": {"hang_after": 20}}
    with running(tmp_path, cameras=[CAMERA], **config) as daemon:
        daemon.listen(lambda: daemon.stages.get("pose") and daemon.stages["pose"].restarts == 1, 15)
        daemon.more_bodies(10)
        assert "pose is silent" in daemon.log()


def test_stage_that_dies_again_and_again_ends_the_daemon_with_exit_code_4(tmp_path: Path) -> None:
    config = {**SYNTHETIC, "engine_options": {"crash_after": 3}}
    with running(tmp_path, cameras=[CAMERA], **config) as daemon:
        assert daemon.process.wait(40) == 4
        last = daemon.log().strip().splitlines()[-1]
        assert last.startswith("remi-stream: pose died 5 times in a minute, last: it died by SIGKILL")


def test_killed_supervisor_takes_everything_with_it(tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA], **SYNTHETIC) as daemon:
        daemon.more_bodies(10)
        daemon.stop(signal.SIGKILL)
        assert gone(daemon.name)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_drains_and_ends_with_exit_code_0(how: int, tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA], **SYNTHETIC) as daemon:
        daemon.more_bodies(10)
        assert daemon.stop(how) == 0
        assert "Traceback" not in daemon.log()
