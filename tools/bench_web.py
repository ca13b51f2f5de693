"""What the web viewer costs: CPU time of its process for each frame, while nobody looks and while somebody does.

    python tools/bench_web.py                    on a quiet machine: the figures of docs/viewer.md
    python tools/bench_web.py --seconds 10 --people 3

The sample clip is worked through once and then played again, 30 frames a second, so that nothing else is at work. Who looks is no
browser, which would take more of the machine than the viewer: a client that takes everything that is sent, and draws nothing.
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

import msgspec
import yaml
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from remi_stream.capture.replay import Options, source_of
from remi_stream.config import BUS, WEB, port
from remi_stream.link import Context, Subscriber
from remi_stream.messages import Bodies, Health
from remi_stream.offline.opening import open_kept
from remi_stream.offline.results import Index, write_chunk, write_index
from remi_stream.resources import data_file

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
"""What a browser says first; before that viser does not count it."""


class Spent(NamedTuple):
    """Over a while: CPU seconds of the viewer, frames with people, bytes that it sent to who looks, seconds."""

    cpu_s: float
    frames: int
    sent: int
    seconds: float


class Client:
    """Takes what the viewer sends. received: bytes so far."""

    def __init__(self, socket: Connection) -> None:
        self.received = 0
        self._socket = socket
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            for data in self._socket:
                self.received += len(data)


def recorded(folder: Path, people: int) -> Path:
    """What was made of the sample clip; more people than one are the same one beside themselves."""
    command = [sys.executable, "-m", "remi_stream", "video", str(data_file("sample.mp4")), "--out", str(folder)]
    subprocess.run([*command, "--focal", "1150"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    take = open_kept(folder / "sample")
    frames = [crowded(bodies, people) for bodies in take.frames]
    found = folder / "crowd"
    (found / "take").mkdir(parents=True)
    write_chunk(found, 0, frames)
    told = Index(
        name="crowd",
        size=take.size,
        fps=take.fps,
        count=len(frames),
        chunk=len(frames),
        engine=frames[0].engine,
        detector="none",
        source=str(take.source),
    )
    write_index(found, told)
    return found


def crowded(bodies: Bodies, people: int) -> Bodies:
    """So many people, a metre from each other."""
    crowd = []
    for person in bodies.people[:1]:
        for number in range(people):
            away = [float(number), 0.0, 0.0]
            smpl = person.smpl and msgspec.structs.replace(person.smpl, transl=(person.smpl.transl + away).astype("float32"))
            joints = (person.joints_m + away).astype("float32")
            crowd.append(msgspec.structs.replace(person, track_id=number + 1, smpl=smpl, joints_m=joints))
    return msgspec.structs.replace(bodies, people=crowd)


@contextlib.contextmanager
def playing(recording: Path, folder: Path) -> Iterator[Subscriber]:
    """A pipeline with a viewer; what is given hears its bodies and stages."""
    camera = {"name": "crowd", "source": source_of(recording, Options()), "loop": True}
    file = folder / "pipeline.yaml"
    file.write_text(yaml.safe_dump({"cameras": [camera], "metrics": False, "viewer": "web", "filter": "none"}))
    command = [sys.executable, "-m", "remi_stream", "run", str(file), "--name", NAME, "--log-format", "text"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    context = Context()
    try:
        yield Subscriber(context, port(NAME, BUS), ["bodies/", "health/web"])
    finally:
        process.terminate()
        process.wait()
        context.close()


@contextlib.contextmanager
def looking() -> Iterator[Client]:
    """Look at the viewer while the block runs."""
    protocol = f"viser-v{importlib.metadata.version('viser')}"
    with connect(f"ws://127.0.0.1:{port(NAME, WEB)}", subprotocols=[protocol], max_size=None) as socket:  # type: ignore[list-item]
        socket.send(msgspec.msgpack.encode(CAMERA))
        yield Client(socket)


def spent(bus: Subscriber, seconds: float, client: Client | None = None) -> Spent:
    """What the viewer takes in so many seconds, from one of its heartbeats to another; after a while in which it settles."""
    begun_at = time.monotonic()
    first: Spent | None = None
    frames = 0
    while time.monotonic() < begun_at + WARM_UP_S + 4 * seconds + 30:
        item = bus.read(0.5)
        now = time.monotonic()
        if item is None or now < begun_at + WARM_UP_S:
            continue
        message = item[1]
        if isinstance(message, Bodies):
            frames += bool(message.people)
        elif isinstance(message, Health) and message.state == "ready":
            here = Spent(message.cpu_s, frames, client.received if client else 0, now)
            first = first if first and first.frames else here
            if here.seconds >= first.seconds + seconds:
                return less(here, first)
    raise SystemExit("bench_web: no bodies came, or the viewer is not ready; run `remi-stream demo` to see why")


def less(end: Spent, begin: Spent) -> Spent:
    """What was spent between two moments."""
    return Spent(end.cpu_s - begin.cpu_s, end.frames - begin.frames, end.sent - begin.sent, end.seconds - begin.seconds)


def row(who: str, people: int, found: Spent) -> str:
    """A line of the table."""
    rate, cpu_ms, sent = found.frames / found.seconds, 1000 * found.cpu_s, found.sent / found.seconds / 1e6
    return f"{who:<16}{people:>6}{rate:>10.1f}{cpu_ms / found.frames:>12.2f}{cpu_ms / found.seconds / 10:>10.1f}{sent:>10.2f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="for each row")
    parser.add_argument("--people", type=int, nargs="+", default=[1, 3])
    arguments = parser.parse_args()
    print(f"{'':16}{'people':>6}{'frames/s':>10}{'ms a frame':>12}{'% a core':>10}{'MB/s':>10}")
    for people in arguments.people:
        with tempfile.TemporaryDirectory(prefix="remi-bench") as made:
            folder = Path(made)
            with playing(recorded(folder, people), folder) as bus:
                print(row("nobody looks", people, spent(bus, arguments.seconds)), flush=True)
                with looking() as client:
                    print(row("somebody looks", people, spent(bus, arguments.seconds, client)), flush=True)


if __name__ == "__main__":
    main()
