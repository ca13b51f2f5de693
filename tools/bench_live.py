"""Benchmark the live pipeline: bodies per second, latency, and recovery time after a stage is killed or stopped.

    python tools/bench_live.py [--seconds 30] [--rows default slow crowd cameras] [--json FILE]

Each value comes from the bus of a daemon that this tool starts. The sample clip is played at 30 fps, 1280x720; other rows use an
engine that takes 200 ms, a clip of three people, and four cameras.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import extras_hint  # noqa: F401  # first: a missing package is one line
import numpy as np
import yaml

from remi_stream.messages import Bodies, Health
from remi_stream.paths import data_file
from remi_stream.transport.address import daemon_address
from remi_stream.transport.link import LinkContext, Subscriber

NAME = "bench"
CAMERA = {"name": "sample", "source": str(data_file("sample.mp4")), "loop": True, "focal_px": 1150.0}
STAGES = ("capture/sample", "detect", "pose", "relay")


class BusListener:
    """Subscriber of the daemon's bus."""

    def __init__(self, context: LinkContext) -> None:
        self._bus = Subscriber(context, daemon_address(NAME), ["bodies/", "health/"])
        self.pids: dict[str, int] = {}

    def bodies(self, timeout_s: float = 30.0) -> tuple[float, Bodies]:
        """Wait for the next bodies; return their arrival time and them."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            item = self._bus.receive(0.2)
            if item is not None and isinstance(item[1], Bodies):
                return time.monotonic(), item[1]
            if item is not None and isinstance(item[1], Health):
                self.pids[item[1].stage] = item[1].pid
        raise SystemExit("bench_live: no bodies came; run `remi-stream demo` to see why")

    def flush(self) -> None:
        """Discard all messages received so far."""
        while self._bus.receive(0.0) is not None:
            pass


@contextlib.contextmanager
def daemon(**config: Any) -> Iterator[BusListener]:
    """Run a pipeline and wait for a steady flow of bodies."""
    with tempfile.TemporaryDirectory(prefix="remi-bench") as folder:
        file = Path(folder) / "pipeline.yaml"
        file.write_text(yaml.safe_dump({"cameras": [CAMERA], "metrics": True, **config}))
        command = [sys.executable, "-m", "remi_stream", "run", str(file), "--name", NAME, "--log-format", "text"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        context = LinkContext()
        try:
            listener = BusListener(context)
            for _ in range(60):
                listener.bodies()
            yield listener
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
            context.close()


def listen(listener: BusListener, seconds: float) -> list[Bodies]:
    """Collect the bodies of some seconds."""
    listener.flush()
    start, received = time.monotonic(), []
    while time.monotonic() - start < seconds:
        received.append(listener.bodies()[1])
    return received


def flow(messages: list[Bodies]) -> dict[str, float]:
    """Frame rate, latency and ledger of one camera."""
    latency = np.array([body.stamps["relay"] - body.captured_at for body in messages]) * 1000
    age = np.array([body.stamps["pose_in"] - body.captured_at for body in messages]) * 1000
    # the first message's drops are of the time before
    dropped = sum(sum(body.skipped.values()) for body in messages[1:])
    unexplained = messages[-1].frame_id - messages[0].frame_id - (len(messages) - 1) - dropped
    p50, p95, p99 = np.percentile(latency, [50, 95, 99])
    return {
        "bodies_per_second": round((len(messages) - 1) / (messages[-1].captured_at - messages[0].captured_at), 2),
        "with_a_person": round(float(np.mean([bool(body.people) for body in messages])), 4),
        "people": round(float(np.mean([len(body.people) for body in messages])), 2),
        "latency_p50_ms": round(float(p50), 1),
        "latency_p95_ms": round(float(p95), 1),
        "latency_p99_ms": round(float(p99), 1),
        "frame_age_max_ms": round(float(age.max()), 1),
        "dropped": dropped,
        "unexplained": unexplained,
    }


def measure_return(listener: BusListener, stage: str, how: signal.Signals) -> float:
    """Measure the time from a signal until bodies with a person come again, s; 0 without a pause of 0.1 s."""
    listener.flush()
    while stage not in listener.pids:
        listener.bodies()
    listener.flush()
    pid, at = listener.pids[stage], time.monotonic()
    os.kill(pid, how)
    last, pause_end = at, 0.0
    while time.monotonic() - at < 6.0:
        arrived_at, body = listener.bodies()
        if arrived_at - last > 0.1:
            pause_end = arrived_at - at
        if body.people:
            last = arrived_at
    # the next measurement needs the new process's id, which comes with its first heartbeat
    while listener.pids[stage] == pid:
        listener.bodies()
    return round(pause_end, 2)


def bench_default(seconds: float) -> dict[str, Any]:
    """Benchmark the sample clip, and recovery when stages die or hang."""
    with daemon() as listener:
        figures: dict[str, Any] = {"default engine": flow(listen(listener, seconds))}
        for stage in STAGES:
            for how in (signal.SIGKILL, signal.SIGSTOP):
                figures[f"bodies back after {how.name} of {stage}, s"] = measure_return(listener, stage, how)
    return figures


def bench_slow(seconds: float) -> dict[str, Any]:
    """Benchmark an engine that is slower than the camera."""
    with daemon(engine="synthetic", engine_options={"delay_s": 0.2}) as listener:
        return {"engine of 200 ms": flow(listen(listener, seconds))}


def bench_crowd(seconds: float) -> dict[str, Any]:
    """Benchmark three people in one camera; rendering their clip needs moderngl."""
    from render_sample import render_scene

    with tempfile.TemporaryDirectory(prefix="remi-bench") as folder:
        clip = render_scene("three", 0, Path(folder))[0]
        with daemon(cameras=[{**CAMERA, "source": str(clip)}]) as listener:
            return {"three people": flow(listen(listener, seconds))}


def bench_cameras(seconds: float) -> dict[str, Any]:
    """Benchmark four cameras with one person each, one detector and one pose process."""
    names = ["north", "east", "south", "west"]
    with daemon(cameras=[{**CAMERA, "name": name} for name in names]) as listener:
        messages = listen(listener, seconds)
    return {f"camera {name} of 4": flow([bodies for bodies in messages if bodies.camera == name]) for name in names}


ROWS = {"default": bench_default, "slow": bench_slow, "crowd": bench_crowd, "cameras": bench_cameras}


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each measurement")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), help="what to measure (default: everything)")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {"cores": os.cpu_count(), "load before": round(os.getloadavg()[0], 2)}
    for row in arguments.rows:
        figures |= ROWS[row](arguments.seconds)
    for name, value in figures.items():
        print(f"{name:<48} {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
