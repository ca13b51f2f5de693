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

from remi_stream import config
from remi_stream.capture.replay import Options, source_of
from remi_stream.config import CONTROL, port
from remi_stream.link import ask_control
from remi_stream.pipeline import rows
from tests.formats.dance import FRAMES, record, take
from tests.pipeline.daemon import check_books, running


def source(folder: Path, **options: float) -> dict[str, Any]:
    return {"name": "again", "source": source_of(folder, Options(**options)), "loop": True}


def test_recording_takes_the_place_of_camera_detector_and_engine(tmp_path: Path) -> None:
    cameras = [{"name": "front", "source": "synthetic:"}, {"name": "again", "source": "recording:somewhere"}]
    made = [config.check({"cameras": chosen, "metrics": False}) for chosen in (cameras[1:], cameras)]
    alone, beside = ([f"{row.name}/{camera}".rstrip("/") for row, camera in rows(each)] for each in made)
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
        changed = ask_control(port(daemon.name, CONTROL), {"ask": "filter", "name": "one_euro"})
        assert changed["filters"]["again"]["name"] == "one_euro"
        daemon.listen(lambda: daemon.bodies[-1].filter == "one_euro")
        epoch = daemon.bodies[-1].epoch
        os.kill(daemon.pid("replay/again"), signal.SIGKILL)
        daemon.listen(lambda: daemon.bodies[-1].epoch != epoch)
        assert {each.track_id for each in seen[-1].people}.isdisjoint({each.track_id for each in daemon.bodies[-1].people})
        check_books(daemon.bodies)
        assert daemon.stop(signal.SIGINT) == 0


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
