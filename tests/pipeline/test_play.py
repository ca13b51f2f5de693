"""`remi-stream play`: a real daemon whose camera is a recording."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remi_stream import config
from remi_stream.errors import RemiError
from remi_stream.messages import Bodies
from remi_stream.pipeline import pipeline_processes
from remi_stream.recordings.playback import PlaybackOptions, playback_source
from remi_stream.transport.link import send_control_request
from tests.export.dance import FRAMES, record, take
from tests.pipeline.daemon import Daemon, check_books, running


def source(folder: Path, **options: float) -> dict[str, Any]:
    return {"name": "again", "source": playback_source(folder, PlaybackOptions(**options)), "loop": True}


def test_recording_takes_the_place_of_camera_detector_and_engine(tmp_path: Path) -> None:
    cameras = [{"name": "front", "source": "synthetic:"}, {"name": "again", "source": "recording:somewhere"}]
    made = [config.parse_config({"cameras": chosen, "metrics": False}) for chosen in (cameras[1:], cameras)]
    alone, beside = ([f"{row.name}/{camera}".rstrip("/") for row, camera in pipeline_processes(each)] for each in made)
    assert alone == ["replay/again", "relay"]
    assert beside == ["capture/front", "replay/again", "detect", "pose", "relay"]
    assert made[0].engine_names == "recording"


def test_recording_is_published_as_if_it_happened_now_and_lives_through_a_kill(tmp_path: Path) -> None:
    folder = record(tmp_path / "recordings", take().frames)
    with running(tmp_path, cameras=[source(folder)], filter="none") as daemon:
        seen = daemon.more_bodies(FRAMES + 20)
        known = {bodies.people[0].smpl.body_pose.tobytes() for bodies in take().frames if bodies.people[0].smpl}
        assert all(each.people[0].smpl and each.people[0].smpl.body_pose.tobytes() in known for each in seen)
        latency = [came_at - each.captured_at for each, came_at in zip(daemon.bodies, daemon.came_at)]
        assert 0 < np.median(latency) < 0.25
        assert list(seen[-1].stamps) == ["replay", "relay_in", "relay"]
        assert daemon.cameras["again"].source == f"recording:{folder.name}"
        changed = send_control_request(daemon.address, {"ask": "filter", "name": "one_euro"})
        assert changed["filters"]["again"]["name"] == "one_euro"
        daemon.listen(lambda: daemon.bodies[-1].filter == "one_euro")
        epoch = daemon.bodies[-1].epoch
        os.kill(daemon.pid("replay/again"), signal.SIGKILL)
        daemon.listen(lambda: daemon.bodies[-1].epoch != epoch)
        assert {each.track_id for each in seen[-1].people}.isdisjoint({each.track_id for each in daemon.bodies[-1].people})
        check_books(daemon.bodies)
        assert daemon.stop(signal.SIGINT) == 0


def control_play(daemon: Daemon, *options: str) -> list[str]:
    """The row that `remi-stream control play` tells of the only recording."""
    command = [sys.executable, "-m", "remi_stream", "control", "play", "--name", daemon.name, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=daemon.environment)
    assert (done.returncode, done.stderr) == (0, "")
    heads, row = done.stdout.splitlines()
    assert heads.split() == ["camera", "second", "of", "speed", "state"]
    return row.split()


def is_frame(bodies: Bodies, number: int) -> bool:
    ours, theirs = bodies.people[0].smpl, take().frames[number].people[0].smpl
    return ours is not None and theirs is not None and np.array_equal(ours.body_pose, theirs.body_pose)


def test_recording_is_steered_while_it_plays_and_no_frame_is_unexplained(tmp_path: Path) -> None:
    folder = record(tmp_path / "recordings", take().frames)
    beside = {"name": "again2", "source": playback_source(folder, PlaybackOptions(speed=0.5)), "loop": True}
    with running(tmp_path, cameras=[source(folder), beside], filter="one_euro") as daemon:
        daemon.listen(lambda: {each.camera for each in daemon.bodies} == {"again", "again2"})
        only = ("--camera", "again")
        assert control_play(daemon, "--seek", "1", "--pause", *only) == ["again", "1.00", "1.47", "1", "paused"]
        daemon.listen(lambda: is_frame(ours(daemon.bodies)[-1], 30))
        standing = len(ours(daemon.bodies))
        daemon.more_bodies(10)
        assert len(ours(daemon.bodies)) == standing, "the other recording goes on, this one stands"
        facts = daemon.status()["cameras"]
        assert (facts["again"]["playing"]["paused"], facts["again2"]["playing"]["paused"]) == (True, False)
        daemon.listen(lambda: "again: paused at 1.0 of 1.5 s" in daemon.log())
        before = ours(daemon.bodies)[-1]
        assert control_play(daemon, "--resume", "--speed", "2", "--seek", "0.2", *only)[3:] == ["2", "live"]
        daemon.listen(lambda: len(ours(daemon.bodies)) > standing + 20)
        after = ours(daemon.bodies)[standing:]
        assert is_frame(after[0], 6)
        assert (after[0].epoch, after[0].frame_id) == (before.epoch, before.frame_id + 1)
        assert {each.track_id for each in before.people}.isdisjoint({each.track_id for each in after[0].people})
        came_at = daemon.came_at[-20:]
        assert np.median(np.array(came_at) - [each.captured_at for each in daemon.bodies[-20:]]) < 0.25
        assert control_play(daemon, "--pause", "--camera", "again2")[-1] == "paused"
        going = len(ours(daemon.bodies))
        daemon.listen(lambda: len(ours(daemon.bodies)) > going + FRAMES)
        assert not check_books(ours(daemon.bodies)), "nothing was dropped"
        assert daemon.status()["cameras"]["again"]["dropped"] == {}
        for wrong, words in (({"seek_s": 2.0}, "Position 2 s is outside 'again'"), ({"speed": 0.0}, "from 0.01 to 100")):
            with pytest.raises(RemiError, match=words):
                send_control_request(daemon.address, {"ask": "play", **wrong})
        assert daemon.stop(signal.SIGINT) == 0


def ours(bodies: list[Bodies]) -> list[Bodies]:
    return [each for each in bodies if each.camera == "again"]


def test_command_plays_to_the_end_and_ends(tmp_path: Path) -> None:
    folder = record(tmp_path / "recordings", take().frames)
    command = [sys.executable, "-m", "remi_stream", "play", folder, "--from", "0.5", "--speed", "2", "--viewer", "none"]
    name = f"t{secrets.token_hex(4)}"
    done = subprocess.run(
        [*command, "--no-metrics", "--name", name, "--record", tmp_path / "again"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    (again,) = (tmp_path / "again").iterdir()
    with np.load(again / "frames.npz") as frames:
        assert frames["frame_ids"].tolist() == list(range(FRAMES - 15))
        assert 0.4 < np.ptp(frames["captured_at"]) < 1.5
