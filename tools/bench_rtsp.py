"""Benchmark a network camera: latency from a clock in the image to published bodies, and recovery time after faults.

    python tools/bench_rtsp.py [--seconds 20] [--engine blazepose] [--json FILE]

A GStreamer server on loopback plays the sample clip at 30 fps, 1280x720 (H.265: 640x360), with the monotonic time drawn into
each image. Results come from the daemon's bus. The clock is read from the preview, which has the frame_id of its bodies.
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
import extras_hint  # noqa: F401  # first: a missing package is one line
import numpy as np
import yaml

from remi_stream.messages import Bodies, CameraFacts, Frame
from remi_stream.paths import data_file
from remi_stream.transport.address import daemon_address
from remi_stream.transport.link import LinkContext, Subscriber

NAME = "bench-rtsp"
SERVER = Path(__file__).parents[1] / "tests" / "pipeline" / "rtsp_server.py"
FULL_SIZE = ("--clip", str(data_file("sample.mp4")), "--width", "1280", "--height", "720")
SMALL_SIZE = ("--clip", str(data_file("sample.mp4")), "--width", "640", "--height", "360")
BLOCK, BITS = 8, 32
"""The clock in the image: bits, and side of each in px (tests/pipeline/rtsp_server.py)."""


class Server:
    """RTSP server that keeps its port across restarts."""

    def __init__(self) -> None:
        # a free port, which the restarted server uses again: the camera's URL must not change
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = str(probe.getsockname()[1])
        self.url = f"rtsp://127.0.0.1:{self._port}/camera"

    def start(self, *options: str) -> float:
        """Start it; return the time when it is ready."""
        self.process = subprocess.Popen(
            ["/usr/bin/python3", str(SERVER), self._port, *options], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit("bench_rtsp: no RTSP server; its requirements are listed in --help")
        return time.monotonic()

    def kill(self) -> float:
        """Kill it; return the time."""
        self.process.kill()
        self.process.wait()
        return time.monotonic()


class BusListener:
    """Subscriber of the daemon's bus."""

    def __init__(self, context: LinkContext) -> None:
        self._bus = Subscriber(context, daemon_address(NAME), ["bodies/", "preview/", "camera/"])

    def messages(self, seconds: float) -> Iterator[Any]:
        """Yield the messages of the next seconds."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            item = self._bus.receive(min(0.2, end - now))
            if item is not None:
                yield item[1]

    def bodies_after(self, since: float, seconds: float = 30.0) -> float:
        """Wait for bodies with a person of a frame captured after a time; return the delay, s."""
        for message in self.messages(seconds):
            if isinstance(message, Bodies) and message.captured_at > since and message.people:
                return time.monotonic() - since
        raise SystemExit("bench_rtsp: no bodies came")

    def lost_after(self, since: float) -> float:
        """Wait until the camera is reported as reconnecting; return the delay, s."""
        for message in self.messages(10):
            if isinstance(message, CameraFacts) and message.state == "reconnecting":
                return time.monotonic() - since
        raise SystemExit("bench_rtsp: the loss was not detected")


@contextlib.contextmanager
def daemon(url: str, engine: str) -> Iterator[BusListener]:
    """Run a pipeline and wait for a steady flow of bodies."""
    with tempfile.TemporaryDirectory(prefix="remi-bench") as folder:
        file = Path(folder) / "pipeline.yaml"
        file.write_text(yaml.safe_dump({"cameras": [{"name": "camera", "source": url}], "engine": engine}))
        command = [sys.executable, "-m", "remi_stream", "run", str(file), "--name", NAME, "--log-format", "text"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        context = LinkContext()
        try:
            listener = BusListener(context)
            listener.bodies_after(0.0, 60.0)
            for _ in listener.messages(2.0):
                pass
            yield listener
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
            context.close()


def measure_flow(listener: BusListener, seconds: float) -> dict[str, float]:
    """Measure frame rate, and latency from the image's clock to capture and relay."""
    bodies: dict[int, Bodies] = {}
    shown_at: dict[int, float] = {}
    for message in listener.messages(seconds):
        if isinstance(message, Bodies):
            bodies[message.frame_id] = message
        elif isinstance(message, Frame):
            shown_at[message.frame_id] = burned_clock(message)
    both = [(shown_at[key], bodies[key]) for key in shown_at.keys() & bodies.keys()]
    captured = np.array([body.captured_at - shown for shown, body in both]) * 1000
    relayed = np.array([body.stamps["relay"] - shown for shown, body in both]) * 1000
    return {
        "bodies_per_second": round(len(bodies) / seconds, 1),
        "images_measured": len(both),
        "glass_to_capture_p50_ms": round(float(np.percentile(captured, 50)), 1),
        "glass_to_capture_p95_ms": round(float(np.percentile(captured, 95)), 1),
        "glass_to_relay_p50_ms": round(float(np.percentile(relayed, 50)), 1),
        "glass_to_relay_p95_ms": round(float(np.percentile(relayed, 95)), 1),
    }


def measure_return(listener: BusListener, server: Server, seconds_away: float = 3.0) -> dict[str, float]:
    """Measure the time, s, until a loss is detected, and until bodies come back after the server does."""
    lost = listener.lost_after(server.kill())
    back = listener.bodies_after(_restart(listener, server, seconds_away, FULL_SIZE))
    server.kill()
    resized = listener.bodies_after(_restart(listener, server, seconds_away, SMALL_SIZE))
    server.kill()
    listener.bodies_after(_restart(listener, server, seconds_away, FULL_SIZE))
    server.process.send_signal(signal.SIGSTOP)
    stalled = listener.lost_after(time.monotonic())
    for _ in listener.messages(seconds_away):
        pass
    server.process.send_signal(signal.SIGCONT)
    resumed = listener.bodies_after(time.monotonic())
    figures = {"killed_detected_s": lost, "killed_back_s": back, "other_size_back_s": resized}
    return {**figures, "stopped_detected_s": stalled, "stopped_back_s": resumed}


def _restart(listener: BusListener, server: Server, seconds_away: float, options: tuple[str, ...]) -> float:
    for _ in listener.messages(seconds_away):
        pass
    return server.start(*options)


def burned_clock(preview: Frame) -> float:
    """Read the clock in the image's top left corner, monotonic time, s."""
    image = cv2.imdecode(preview.image, cv2.IMREAD_GRAYSCALE)
    assert image is not None
    scale = image.shape[1] / preview.size[0]
    # the middle of each block: JPEG blurs the edges
    at = ((np.arange(BITS) + 0.5) * BLOCK * scale).astype(int)
    return sum(1 << int(bit) for bit in np.flatnonzero(image[int(BLOCK / 2 * scale), at] > 128)) / 1000


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--engine", default="blazepose")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    table: dict[str, dict[str, float]] = {}
    server = Server()
    for codec, options_of_size in (("h264", FULL_SIZE), ("h265", SMALL_SIZE)):
        server.start(*options_of_size, "--codec", codec)
        try:
            with daemon(server.url, options.engine) as listener:
                table[codec] = measure_flow(listener, options.seconds)
                if codec == "h264":
                    table["return"] = measure_return(listener, server)
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
