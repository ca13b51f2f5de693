"""Benchmark the latency of the relay and its filter: the goal is at most 1 ms at the 99th percentile.

    python tools/bench_relay.py                  each filter, 1 and 3 people; then a running demo
    python tools/bench_relay.py --filters one_euro --seconds 0

The people are the sample clip's ground truth with noise. `step` is the relay stage alone; `demo` is the time from arrival at the
relay process to publication in a running pipeline (stamps relay_in and relay).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import extras_hint  # noqa: F401  # first: a missing package is one line
import numpy as np
import yaml

from remi_stream.body.smpl import load_default_body
from remi_stream.config import CameraConfig, Config
from remi_stream.filters.registry import FILTERS
from remi_stream.messages import Bodies, Person, Smpl
from remi_stream.paths import data_file
from remi_stream.relay.stage import RelayStage
from remi_stream.transport.address import daemon_address
from remi_stream.transport.link import LinkContext, Subscriber

LIMIT_MS = 1.0
WARM_UP = 60
"""Messages at the start that are not measured."""
NAME = "bench-relay"
CAMERA = {"name": "sample", "source": str(data_file("sample.mp4")), "loop": True, "focal_px": 1150.0}


def people(count: int, seed: int) -> list[list[Person]]:
    """Make `count` people in each frame of the sample clip, with noise of 10 mm and 3 degrees."""
    random, body = np.random.default_rng(seed), load_default_body()
    with np.load(data_file("sample_truth.npz")) as truth:
        poses, transl, betas = truth["poses"].reshape(-1, 72), truth["transl"], truth["betas"].astype(np.float32)
    frames = []
    for pose, position in zip(poses, transl):
        crowd = []
        for track_id in range(1, count + 1):
            vectors = (pose + random.normal(0, np.radians(3), 72)).astype(np.float32)
            moved = (position + random.normal(0, 0.01, 3) + [track_id, 0, 0]).astype(np.float32)
            joints = body.joints(vectors[:3], vectors[3:], betas, moved).astype(np.float32)
            crowd.append(person(track_id, vectors, betas, moved, joints))
        frames.append(crowd)
    return frames


def person(track_id: int, vectors: np.ndarray, betas: np.ndarray, transl: np.ndarray, joints: np.ndarray) -> Person:
    """Make a person as an engine publishes it."""
    smpl = Smpl(
        body="open",
        global_orient=vectors[:3],
        body_pose=vectors[3:],
        betas=betas,
        transl=transl,
        joint_confidence=np.ones(24, np.float32),
    )
    return Person(
        track_id=track_id,
        score=1.0,
        box_xyxy=np.array([0, 0, 100, 200], np.float32),
        skeleton="smpl24",
        keypoints_px=np.zeros((24, 2), np.float32),
        keypoint_scores=np.ones(24, np.float32),
        joints_m=joints,
        smpl=smpl,
    )


def step_ms(name: str, frames: list[list[Person]], rounds: int) -> np.ndarray:
    """Measure the relay stage per frame, ms."""
    relay = RelayStage(Config(cameras=(CameraConfig(name="sample", source="synthetic:"),), filter=name))
    relay.open()
    while relay.answer_control({"ask": "filter"})["filters"]["sample"]["state"] == "loading":
        time.sleep(0.01)
    spent = []
    for k in range(WARM_UP + rounds):
        bodies = Bodies(
            camera="sample",
            epoch=1,
            frame_id=k,
            captured_at=50 + k / 30,
            engine="bench",
            size=(1280, 720),
            intrinsics=(1150.0, 1150.0, 640.0, 360.0),
            people=frames[k % len(frames)],
        )
        started = time.perf_counter()
        [filtered] = relay.step(bodies)
        spent.append((time.perf_counter() - started) * 1000)
    assert isinstance(filtered, Bodies)
    if filtered.filter != name:
        raise SystemExit(f"bench_relay: {relay.answer_control({'ask': 'filter'})['filters']['sample']}")
    return np.array(spent[WARM_UP:])


def demo_ms(name: str, seconds: float) -> np.ndarray:
    """Measure arrival to publication in a running demo, ms."""
    with tempfile.TemporaryDirectory(prefix="remi-bench") as folder:
        file = Path(folder) / "pipeline.yaml"
        file.write_text(yaml.safe_dump({"cameras": [CAMERA], "metrics": False, "filter": name}))
        command = [sys.executable, "-m", "remi_stream", "run", str(file), "--name", NAME, "--log-format", "text"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        context = LinkContext()
        try:
            return listen(Subscriber(context, daemon_address(NAME), ["bodies/"]), seconds)
        finally:
            process.terminate()
            process.wait()
            context.close()


def listen(bus: Subscriber, seconds: float) -> np.ndarray:
    """Read the relay's latency of bodies with people, ms, after the warm-up."""
    spent: list[float] = []
    end = time.monotonic() + 60
    while time.monotonic() < end:
        item = bus.receive(0.5)
        if item and item[1].people:
            spent.append((item[1].stamps["relay"] - item[1].stamps["relay_in"]) * 1000)
            # the measured time begins after the warm-up
            end = end if len(spent) != WARM_UP else time.monotonic() + seconds
    if len(spent) <= WARM_UP:
        raise SystemExit("bench_relay: too few bodies came; run `remi-stream demo` to see why")
    return np.array(spent[WARM_UP:])


def row(what: str, name: str, count: str, spent_ms: np.ndarray) -> str:
    """Format a line of the table."""
    p50, p99 = np.percentile(spent_ms, [50, 99])
    verdict = "ok" if p99 <= LIMIT_MS else "too slow"
    return f"{what:<6}{name:<12}{count:>6}{len(spent_ms):>8}{p50:>10.3f}{p99:>10.3f}{p99 / LIMIT_MS:>10.2f}  {verdict}"


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    light = [name for name, known in FILTERS.items() if not known.weights]
    parser.add_argument("--filters", nargs="+", default=light, choices=FILTERS, help="smoothnet needs its weights")
    parser.add_argument("--frames", type=int, default=3000, help="frames per row of the stage")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the demo per filter; 0: no demo")
    arguments = parser.parse_args()
    print(f"{'':6}{'filter':<12}{'people':>6}{'frames':>8}{'p50 ms':>10}{'p99 ms':>10}{'of limit':>10}")
    for count in (1, 3):
        frames = people(count, seed=1)
        for name in arguments.filters:
            print(row("step", name, str(count), step_ms(name, frames, arguments.frames)), flush=True)
    for name in arguments.filters if arguments.seconds else ():
        print(row("demo", name, "1", demo_ms(name, arguments.seconds)), flush=True)


if __name__ == "__main__":
    main()
