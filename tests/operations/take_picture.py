"""Takes the picture of docs/operate/operations.md: python -m tests.operations.take_picture CLIP OUT.png [ENGINE]

Two cameras at work beside a real Prometheus, while somebody keeps leaving, pose is killed, the network camera is switched off and
on again, and its filter is changed. The clip is made by: python tools/render_sample.py --scene leave --seed 1 DIR
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from remi_stream.config import METRICS_SERVICE, daemon_port
from remi_stream.paths import data_file
from remi_stream.transport.link import send_control_request
from tests.operations.server import prometheus
from tests.pipeline.camera import rtsp_server
from tests.pipeline.daemon import Daemon, running

TOOL = Path(__file__).parents[2] / "tools/draw_dashboard.py"
FILM = ("--width", "640", "--height", "360", "--fps", "10", "--clip", str(data_file("sample.mp4")))
PLAY_S = 150


def wait_until(daemon: Daemon, moment: float) -> None:
    """Listen, so that the bus is not full, until this moment (monotonic s)."""
    while time.monotonic() < moment:
        daemon.take(0.5)
        daemon.bodies.clear()
        daemon.came_at.clear()


def main() -> None:
    """Play, then draw."""
    clip, out, engine = [*sys.argv[1:], "blazepose"][:3]
    folder = Path(tempfile.mkdtemp(prefix="picture"))
    with rtsp_server(*FILM) as server:
        cameras = [{"name": "hall", "source": clip, "loop": True, "max_fps": 10}, {"name": "door", "source": server.url}]
        sinks = {"metrics": True, "viewer": "web", "record": str(folder / "takes")}
        with running(folder, cameras=cameras, engine=engine, **sinks) as daemon:
            daemon.listen(lambda: {"hall", "door"} <= {body.camera for body in daemon.bodies}, 60)
            target = daemon_port(daemon.name, METRICS_SERVICE)
            with prometheus(folder, target) as beside:
                start = time.monotonic()
                wait_until(daemon, start + PLAY_S * 0.3)
                os.kill(daemon.pid("pose"), signal.SIGKILL)
                wait_until(daemon, start + PLAY_S * 0.5)
                server.kill()
                wait_until(daemon, start + PLAY_S * 0.62)
                server.start(*FILM)
                wait_until(daemon, start + PLAY_S * 0.8)
                send_control_request(
                    daemon.address,
                    {"ask": "filter", "name": "moving_avg", "options": {}, "camera": "door"},
                )
                wait_until(daemon, start + PLAY_S)
                drawn = [sys.executable, TOOL, "--prometheus", beside.address, "--daemon", f"127.0.0.1:{target}"]
                subprocess.run([*drawn, "--minutes", str(PLAY_S / 60 - 0.1), out], check=True, timeout=120)


if __name__ == "__main__":
    main()
