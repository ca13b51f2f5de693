"""Measure a network camera: from the clock in the picture to the published bodies, and how fast bodies are back after a fault.

    python tools/bench_rtsp.py [--seconds 20] [--engine blazepose] [--json FILE]

A GStreamer server on loopback plays the sample clip at 30 fps, 1280x720 (H.265: 640x360), with the monotonic time burned into
each picture; the daemon is heard over its bus, as any client would hear it. The clock is read from the preview, which has its
bodies' frame_id.
Needs Debian's python3-gi, gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-{base,good,bad,ugly}, gstreamer1.0-rtsp, ffmpeg.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from remi_stream.config import BUS, port
from remi_stream.link import Context, Subscriber
from remi_stream.messages import Bodies, CameraFacts, Frame
from remi_stream.resources import data_file

NAME = "bench-rtsp"
SERVER = Path(__file__).parents[1] / "tests" / "pipeline" / "rtsp_server.py"
PICTURE = ("--clip", str(data_file("sample.mp4")), "--width", "1280", "--height", "720")
SMALLER = ("--clip", str(data_file("sample.mp4")), "--width", "640", "--height", "360")
BLOCK, BITS = 8, 32


class Server:
    """The camera, on one port for all its lives."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = str(probe.getsockname()[1])
        self.url = f"rtsp://127.0.0.1:{self._port}/camera"

    def start(self, *options: str) -> float:
        """Start it; give the moment at which clients may come."""
        self.process = subprocess.Popen(
            ["/usr/bin/python3", str(SERVER), self._port, *options], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit("bench_rtsp: no RTSP server; what it needs stands at the top of this file")
        return time.monotonic()

    def kill(self) -> float:
        """End it; give the moment."""
        self.process.kill()
        self.process.wait()
        return time.monotonic()


class Ear:
    """Listens to the daemon's bus."""

    def __init__(self, context: Context) -> None:
        self._bus = Subscriber(context, port(NAME, BUS), ["bodies/", "preview/", "camera/"])

    def messages(self, seconds: float) -> Iterator[Any]:
        """Give what comes during so many seconds."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            item = self._bus.read(min(0.2, end - now))
            if item is not None:
                yield item[1]

    def bodies_after(self, since: float, seconds: float = 30.0) -> float:
        """Wait for a body with a person, of a picture captured after this moment; give how long it took."""
        for message in self.messages(seconds):
            if isinstance(message, Bodies) and message.captured_at > since and message.people:
                return time.monotonic() - since
        raise SystemExit("bench_rtsp: no bodies came")

    def lost_after(self, since: float) -> float:
        """Wait until the camera is said to be away; give how long it took."""
        for message in self.messages(10):
            if isinstance(message, CameraFacts) and message.state == "reconnecting":
                return time.monotonic() - since
        raise SystemExit("bench_rtsp: the loss was not noticed")


@contextlib.contextmanager
def daemon(url: str, engine: str) -> Iterator[Ear]:
    """Run a pipeline and wait until bodies come steadily."""
    with tempfile.TemporaryDirectory(prefix="remi-bench") as folder:
        file = Path(folder) / "pipeline.yaml"
        file.write_text(yaml.safe_dump({"cameras": [{"name": "camera", "source": url}], "engine": engine}))
        command = [sys.executable, "-m", "remi_stream", "run", str(file), "--name", NAME, "--log-format", "text"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        context = Context()
        try:
            ear = Ear(context)
            ear.bodies_after(0.0, 60.0)
            for _ in ear.messages(2.0):
                pass
            yield ear
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
            context.close()


def measure_flow(ear: Ear, seconds: float) -> dict[str, float]:
    """Rate, and the time from the picture's clock to the capture and to the relay."""
    bodies: dict[int, Bodies] = {}
    made_at: dict[int, float] = {}
    for message in ear.messages(seconds):
        if isinstance(message, Bodies):
            bodies[message.frame_id] = message
        elif isinstance(message, Frame):
            made_at[message.frame_id] = burned_clock(message)
    both = [(made_at[key], bodies[key]) for key in made_at.keys() & bodies.keys()]
    captured = np.array([body.captured_at - made for made, body in both]) * 1000
    relayed = np.array([body.stamps["relay"] - made for made, body in both]) * 1000
    return {
        "bodies_per_second": round(len(bodies) / seconds, 1),
        "pictures_measured": len(both),
        "glass_to_capture_p50_ms": round(float(np.percentile(captured, 50)), 1),
        "glass_to_capture_p95_ms": round(float(np.percentile(captured, 95)), 1),
        "glass_to_relay_p50_ms": round(float(np.percentile(relayed, 50)), 1),
        "glass_to_relay_p95_ms": round(float(np.percentile(relayed, 95)), 1),
    }


def measure_return(ear: Ear, server: Server, seconds_away: float = 3.0) -> dict[str, float]:
    """Seconds until a loss is noticed, and until bodies are back once the server is."""
    lost = ear.lost_after(server.kill())
    back = ear.bodies_after(_restart(ear, server, seconds_away, PICTURE))
    server.kill()
    resized = ear.bodies_after(_restart(ear, server, seconds_away, SMALLER))
    server.kill()
    ear.bodies_after(_restart(ear, server, seconds_away, PICTURE))
    server.process.send_signal(signal.SIGSTOP)
    stalled = ear.lost_after(time.monotonic())
    for _ in ear.messages(seconds_away):
        pass
    server.process.send_signal(signal.SIGCONT)
    resumed = ear.bodies_after(time.monotonic())
    figures = {"killed_noticed_s": lost, "killed_back_s": back, "other_size_back_s": resized}
    return {**figures, "stopped_noticed_s": stalled, "stopped_back_s": resumed}


def _restart(ear: Ear, server: Server, seconds_away: float, options: tuple[str, ...]) -> float:
    for _ in ear.messages(seconds_away):
        pass
    return server.start(*options)


def burned_clock(preview: Frame) -> float:
    """Read the clock in the picture's top left corner, monotonic s."""
    image = cv2.imdecode(preview.image, cv2.IMREAD_GRAYSCALE)
    assert image is not None
    scale = image.shape[1] / preview.size[0]
    at = ((np.arange(BITS) + 0.5) * BLOCK * scale).astype(int)
    return sum(1 << int(bit) for bit in np.flatnonzero(image[int(BLOCK / 2 * scale), at] > 128)) / 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--engine", default="blazepose")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    table: dict[str, dict[str, float]] = {}
    server = Server()
    for codec, picture in (("h264", PICTURE), ("h265", SMALLER)):
        server.start(*picture, "--codec", codec)
        try:
            with daemon(server.url, options.engine) as ear:
                table[codec] = measure_flow(ear, options.seconds)
                if codec == "h264":
                    table["return"] = measure_return(ear, server)
        finally:
            server.kill()
    for row, figures in table.items():
        print(row)
        for name, value in figures.items():
            print(f"  {name:<26}{value:>9.2f}")
    if options.json:
        options.json.write_text(json.dumps(table, indent=2))


if __name__ == "__main__":
    main()
