"""Benchmark the web viewer: CPU time of its process per frame, with no client and with one.

    python tools/bench_web.py                    on an idle machine: the values in docs/use/viewer.md
    python tools/bench_web.py --seconds 10 --people 3

The sample clip is processed once and then played back at 30 fps, so that only the viewer works. The client is not a browser,
which would use more CPU than the viewer: it receives everything and draws nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import extras_hint  # noqa: F401  # first: a missing package is one line
import msgspec
import yaml
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from remi_stream.messages import Bodies, Health
from remi_stream.paths import data_file, run_folder_path
from remi_stream.recordings.playback import PlaybackOptions, playback_source
from remi_stream.recordings.reader import open_take
from remi_stream.recordings.results import ResultsIndex, write_chunk, write_results_index
from remi_stream.sinks.web.access import read_viewer_link
from remi_stream.transport.address import daemon_address
from remi_stream.transport.link import LinkContext, Subscriber

NAME = "bench-web"
WARM_UP_S = 3.0
CAMERA = {
    "type": "ViewerCameraMessage",
    "wxyz": (1.0, 0.0, 0.0, 0.0),
    "position": (0.0, 0.0, 0.0),
    "fov": 0.9,
    "near": 0.01,
    "far": 1000.0,
    "image_height": 720,
    "image_width": 1280,
    "look_at": (0.0, 0.0, 1.0),
    "up_direction": (0.0, -1.0, 0.0),
}
"""First message of a browser; before it, viser does not count the client."""


class Usage(NamedTuple):
    """Resources used over a time, or counters at one moment."""

    cpu_s: float
    """CPU time of the viewer, s."""
    frames: int
    """Frames with people."""
    sent: int
    """Bytes sent to the client."""
    seconds: float
    """Length of the measurement, or the moment, s."""


class Client:
    """Receives and discards everything that the viewer sends."""

    def __init__(self, socket: Connection) -> None:
        self.received = 0
        """Bytes so far."""
        self._socket = socket
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            for data in self._socket:
                self.received += len(data)


def make_recording(folder: Path, people: int) -> Path:
    """Process the sample clip to a recording; further people are copies of the one in it."""
    command = [sys.executable, "-m", "remi_stream", "video", str(data_file("sample.mp4")), "--out", str(folder)]
    subprocess.run([*command, "--focal", "1150"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    take = open_take(folder / "sample")
    frames = [add_copies(bodies, people) for bodies in take.frames]
    recording = folder / "crowd"
    (recording / "take").mkdir(parents=True)
    write_chunk(recording, 0, frames)
    index = ResultsIndex(
        name="crowd",
        size=take.size,
        fps=take.fps,
        count=len(frames),
        chunk=len(frames),
        engine=frames[0].engine,
        detector="none",
        source=str(take.source),
    )
    write_results_index(recording, index)
    return recording


def add_copies(bodies: Bodies, people: int) -> Bodies:
    """Copy the first person to `people` people, 1 m apart."""
    crowd = []
    for person in bodies.people[:1]:
        for number in range(people):
            offset = [float(number), 0.0, 0.0]
            smpl = person.smpl and msgspec.structs.replace(person.smpl, transl=(person.smpl.transl + offset).astype("float32"))
            joints = (person.joints_m + offset).astype("float32")
            crowd.append(msgspec.structs.replace(person, track_id=number + 1, smpl=smpl, joints_m=joints))
    return msgspec.structs.replace(bodies, people=crowd)


@contextlib.contextmanager
def run_pipeline(recording: Path, folder: Path) -> Iterator[Subscriber]:
    """Run a pipeline with a viewer; yield a subscriber to its bodies and heartbeats."""
    camera = {"name": "crowd", "source": playback_source(recording, PlaybackOptions()), "loop": True}
    file = folder / "pipeline.yaml"
    file.write_text(yaml.safe_dump({"cameras": [camera], "metrics": False, "viewer": "web", "filter": "none"}))
    command = [sys.executable, "-m", "remi_stream", "run", str(file), "--name", NAME, "--log-format", "text"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    context = LinkContext()
    try:
        yield Subscriber(context, daemon_address(NAME), ["bodies/", "health/web"])
    finally:
        process.terminate()
        process.wait()
        context.close()


@contextlib.contextmanager
def connect_client() -> Iterator[Client]:
    """Keep a client connected to the viewer during the block."""
    # viser accepts only clients of its own version
    protocol = f"viser-v{importlib.metadata.version('viser')}"
    link = read_viewer_link(run_folder_path(NAME)).replace("http", "ws", 1)
    with connect(link, subprotocols=[protocol], max_size=None) as socket:  # type: ignore[list-item]
        socket.send(msgspec.msgpack.encode(CAMERA))
        yield Client(socket)


def measure_usage(bus: Subscriber, seconds: float, client: Client | None = None) -> Usage:
    """Measure the viewer for some seconds, between two of its heartbeats, after a warm-up."""
    started_at = time.monotonic()
    first: Usage | None = None
    frames = 0
    while time.monotonic() < started_at + WARM_UP_S + 4 * seconds + 30:
        item = bus.receive(0.5)
        now = time.monotonic()
        if item is None or now < started_at + WARM_UP_S:
            continue
        message = item[1]
        if isinstance(message, Bodies):
            frames += bool(message.people)
        elif isinstance(message, Health) and message.state == "ready":
            current = Usage(message.cpu_s, frames, client.received if client else 0, now)
            # heartbeats carry the CPU time: measured from one to another, beginning when people are shown
            first = first if first and first.frames else current
            if current.seconds >= first.seconds + seconds:
                return subtract(current, first)
    raise SystemExit("bench_web: no bodies came, or the viewer is not ready; run `remi-stream demo` to see why")


def subtract(end: Usage, begin: Usage) -> Usage:
    """Difference of two counters."""
    return Usage(end.cpu_s - begin.cpu_s, end.frames - begin.frames, end.sent - begin.sent, end.seconds - begin.seconds)


def row(label: str, people: int, used: Usage) -> str:
    """Format a line of the table."""
    rate, cpu_ms, sent = used.frames / used.seconds, 1000 * used.cpu_s, used.sent / used.seconds / 1e6
    return f"{label:<16}{people:>6}{rate:>10.1f}{cpu_ms / used.frames:>12.2f}{cpu_ms / used.seconds / 10:>10.1f}{sent:>10.2f}"


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each measurement")
    parser.add_argument("--people", type=int, nargs="+", default=[1, 3])
    arguments = parser.parse_args()
    print(f"{'':16}{'people':>6}{'frames/s':>10}{'ms/frame':>12}{'% of core':>10}{'MB/s':>10}")
    for people in arguments.people:
        with tempfile.TemporaryDirectory(prefix="remi-bench") as temporary:
            folder = Path(temporary)
            with run_pipeline(make_recording(folder, people), folder) as bus:
                print(row("no client", people, measure_usage(bus, arguments.seconds)), flush=True)
                with connect_client() as client:
                    print(row("one client", people, measure_usage(bus, arguments.seconds, client)), flush=True)


if __name__ == "__main__":
    main()
