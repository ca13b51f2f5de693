"""Benchmark many cameras on one machine: bodies per second, latency, CPU time of each stage, memory.

    python tools/bench_cameras.py [--cameras 1 2 4 8 16] [--seconds 20] [--max-fps 10] [--clip VIDEO] [--json FILE]

Each camera plays the sample clip (H.264, 1280x720, 30 fps), or another one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import extras_hint  # noqa: F401  # first: a missing package is one line
import numpy as np
import yaml

from remi_stream.messages import Bodies, CameraFacts, Health
from remi_stream.paths import data_file
from remi_stream.transport.address import daemon_address
from remi_stream.transport.link import LinkContext, Subscriber

START_TIMEOUT_S = 120.0
"""Timeout from the start of the daemon to the first bodies of every camera, s."""
WARM_UP_S = 4.0
"""Time before the measurement, s: the detector has found every person by then."""


class BusListener:
    """Everything that the daemon publishes."""

    def __init__(self, context: LinkContext, name: str) -> None:
        self._bus = Subscriber(context, daemon_address(name), ["bodies/", "health/", "camera/"])
        self.bodies: list[Bodies] = []
        self.pids: dict[str, int] = {}
        self.cameras: dict[str, CameraFacts] = {}

    def listen(self, seconds: float) -> None:
        """Take in what is published."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            item = self._bus.receive(left)
            message = None if item is None else item[1]
            if isinstance(message, Bodies):
                self.bodies.append(message)
            elif isinstance(message, Health):
                self.pids[message.stage] = message.pid
            elif isinstance(message, CameraFacts):
                self.cameras[message.camera] = message


@contextlib.contextmanager
def daemon(cameras: list[dict[str, Any]], **config: Any) -> Iterator[BusListener]:
    """Run a pipeline until every camera has bodies."""
    name = f"bench{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory(prefix="remi-bench") as folder:
        file = Path(folder) / "pipeline.yaml"
        file.write_text(yaml.safe_dump({"cameras": cameras, **config}))
        command = [sys.executable, "-m", "remi_stream", "run", str(file), "--name", name, "--log-format", "text"]
        with open(Path(folder) / "log", "w") as log:
            process = subprocess.Popen(command, stderr=log)
        context = LinkContext()
        try:
            listener = BusListener(context, name)
            end = time.monotonic() + START_TIMEOUT_S
            while {body.camera for body in listener.bodies} != {camera["name"] for camera in cameras}:
                listener.listen(0.2)
                if time.monotonic() > end or process.poll() is not None:
                    raise SystemExit(f"bench_cameras: not every camera has bodies:\n{(Path(folder) / 'log').read_text()}")
            listener.listen(WARM_UP_S)
            parent = int(Path(f"/proc/{listener.pids['capture/cam00']}/stat").read_text().rpartition(")")[2].split()[1])
            listener.pids |= {"supervisor": process.pid} | ({"fork server": parent} if parent != process.pid else {})
            yield listener
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
            context.close()


def cpu_seconds(pids: dict[str, int]) -> dict[str, float]:
    """CPU time so far by stage, s; cameras are summed."""
    times: dict[str, float] = defaultdict(float)
    for stage, pid in pids.items():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        times[stage.partition("/")[0]] += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return times


def waited_seconds(pids: dict[str, int]) -> dict[str, float]:
    """Time so far that the main thread of each stage was ready to run but had no core, s; cameras are summed."""
    times: dict[str, float] = defaultdict(float)
    for stage, pid in pids.items():
        times[stage.partition("/")[0]] += int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    return times


def memory_mb(pids: dict[str, int]) -> dict[str, Counter[str]]:
    """Resident and proportional memory by stage, MB; cameras are summed. Shared pages count once in the proportional one."""
    sums: dict[str, Counter[str]] = {"rss": Counter(), "pss": Counter()}
    for stage, pid in pids.items():
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            kind = line.partition(":")[0].lower()
            if kind in sums:
                sums[kind][stage.partition("/")[0]] += int(line.split()[1]) * 1024 // 10**6
    return sums


def measure(count: int, seconds: float, clip: Path, max_fps: float | None, config: dict[str, Any]) -> dict[str, Any]:
    """Run a pipeline of `count` cameras and measure it for some seconds."""
    camera = {"source": str(clip), "loop": True, "focal_px": 1150.0, **({"max_fps": max_fps} if max_fps else {})}
    with daemon([{**camera, "name": f"cam{number:02d}"} for number in range(count)], **config) as listener:
        listener.bodies.clear()
        before, waited_before, start = cpu_seconds(listener.pids), waited_seconds(listener.pids), time.monotonic()
        listener.listen(seconds)
        length = time.monotonic() - start
        cpu = {stage: (spent - before[stage]) / length for stage, spent in cpu_seconds(listener.pids).items()}
        waited = {stage: (spent - waited_before[stage]) / length for stage, spent in waited_seconds(listener.pids).items()}
        memory = memory_mb(listener.pids)
        return {**flow(listener.bodies, count, length), **costs(cpu, waited, memory)}


def flow(bodies: list[Bodies], count: int, length: float) -> dict[str, Any]:
    """Rates and latency of all cameras, and whether their books balance."""
    by_camera: dict[str, list[Bodies]] = defaultdict(list)
    for body in bodies:
        by_camera[body.camera].append(body)
    rates = [len(by_camera[name]) / length for name in by_camera] + [0.0] * (count - len(by_camera))
    latency = np.array([body.stamps["relay"] - body.captured_at for body in bodies]) * 1000
    hops = {
        hop: np.array([body.stamps[hop] - body.captured_at for body in bodies]) * 1000 for hop in ("capture", "pose_in", "pose")
    }
    dropped: Counter[str] = Counter()
    unexplained = 0
    for messages in by_camera.values():
        dropped.update({reason: n for body in messages[1:] for reason, n in body.skipped.items()})
        counted = sum(sum(body.skipped.values()) for body in messages[1:])
        unexplained += messages[-1].frame_id - messages[0].frame_id - (len(messages) - 1) - counted
    return {
        "bodies_per_second": round(len(bodies) / length, 1),
        "per_camera_min_max": (round(min(rates), 2), round(max(rates), 2)),
        "people": round(float(np.mean([len(body.people) for body in bodies])), 2),
        "latency_p50_p95_max_ms": [round(float(x)) for x in np.percentile(latency, [50, 95, 100])],
        "hops_p50_ms": {hop: round(float(np.median(values)), 1) for hop, values in hops.items()},
        "dropped": dict(dropped),
        "unexplained": unexplained,
    }


def costs(cpu: dict[str, float], waited: dict[str, float], memory: dict[str, Counter[str]]) -> dict[str, Any]:
    """CPU time by stage, in cores, and memory by stage, MB."""
    return {
        "cores": round(sum(cpu.values()), 2),
        "cores_by_stage": {stage: round(cores, 3) for stage, cores in sorted(cpu.items(), key=lambda item: -item[1])},
        "waited_for_a_core": {stage: round(waited[stage], 3) for stage in ("pose", "detect", "relay", "capture")},
        "pss_mb": memory["pss"].total(),
        "rss_mb": memory["rss"].total(),
        "pss_mb_by_stage": dict(memory["pss"].most_common()),
        "rss_mb_by_stage": dict(memory["rss"].most_common()),
    }


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cameras", type=int, nargs="+", default=[1, 2, 4, 8, 16], help="numbers of cameras")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each measurement")
    parser.add_argument("--max-fps", type=float, default=10.0, help="limit of each camera's frame rate; 0: none")
    parser.add_argument("--clip", type=Path, default=data_file("sample.mp4"), help="video that every camera plays")
    parser.add_argument("--max-people", type=int, default=4, help="as in a pipeline file")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    arguments = parser.parse_args()
    results = {}
    for count in arguments.cameras:
        load = os.getloadavg()[0]
        figures = measure(count, arguments.seconds, arguments.clip, arguments.max_fps, {"max_people": arguments.max_people})
        results[count] = {"load_before": round(load, 2), **figures}
        print(f"{count} cameras")
        for name, value in results[count].items():
            print(f"    {name:<24} {value}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
