"""`bench`: how fast this machine is: each stage alone, then the whole pipeline live, on the sample clip."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import numpy as np
import typer

from remi_stream import config as configuration
from remi_stream.cli.options import Boxes, Detector, Engine, Threads
from remi_stream.cli.ready import make_ready
from remi_stream.config import BUS, Config
from remi_stream.messages import Bodies, Frame, View
from remi_stream.sample import FOCAL_PX, sample_clip

NAME = "bench"
WARM_UP = 30
LOOK_EVERY = 10


def bench(
    name: Annotated[
        str | None, typer.Argument(metavar="ENGINE", help="The same as --engine; with --peers a detector, too.")
    ] = None,
    engine: Engine = "blazepose",
    detector: Detector = "blazepose",
    threads: Threads = None,
    boxes: Annotated[
        Boxes, typer.Option(help="truth: take the boxes from the clip's truth; nobody is followed.")
    ] = Boxes.tracked,
    seconds: Annotated[float, typer.Option(help="How long to run the pipeline live.", min=3)] = 20.0,
    peers: Annotated[
        bool, typer.Option("--peers", help="Time the network alone instead, beside PyTorch; ENGINE-trt always does.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure this machine on the sample clip: each stage alone, then everything live; or a network beside PyTorch."""
    engine = name or engine
    from remi_stream.cli.bench_network import TENSORRT, bench_network

    if peers or engine.endswith(TENSORRT):
        return bench_network(engine, threads, as_json)
    camera = {"name": "sample", "source": str(sample_clip()), "loop": True, "focal_px": FOCAL_PX}
    values = {"name": NAME, "cameras": [camera], "engine": engine, "detector": detector, "threads": threads, "boxes": boxes.value}
    config = configuration.check({**values, "metrics": False})
    make_ready(config)
    figures = {"cores": os.cpu_count(), **stages_alone(config), "live": live(config, seconds)}
    if as_json:
        print(json.dumps(figures))
    else:
        _print_table(figures)


def stages_alone(config: Config) -> dict[str, dict[str, Any]]:
    """The stages as one chain over the clip, each timed by itself."""
    from remi_stream.capture.stage import CaptureStage
    from remi_stream.capture.view import render
    from remi_stream.detect.stage import DetectStage
    from remi_stream.pose.stage import PoseStage

    camera = msgspec.structs.replace(config.cameras[0], realtime=False, loop=False)
    capture, detect, pose = CaptureStage(camera), DetectStage(config.detector), PoseStage(config)
    for stage in (capture, detect, pose):
        stage.open()
    watches = {name: Stopwatch() for name in ("capture", "detect", "pose")}
    while (messages := watches["capture"].time(capture.step)) is not None:
        for frame in (message for message in messages if isinstance(message, Frame)):
            if frame.frame_id % LOOK_EVERY == 0:
                view = detect.request(camera.name).view or View()
                found = watches["detect"].time(lambda seen: list(detect.step(seen)), render(frame, view))
                list(pose.step(found[0]))
            watches["pose"].time(lambda seen: list(pose.step(seen)), frame)
    return {name: watch.figures() for name, watch in watches.items()}


def live(config: Config, seconds: float) -> dict[str, Any]:
    """Run the pipeline for so many seconds and listen to it."""
    from remi_stream.folder import run_folder
    from remi_stream.link import Context, Subscriber
    from remi_stream.supervisor import Supervisor

    context = Context()
    bus = Subscriber(context, config.port(BUS), ["bodies/"])
    heard: list[Bodies] = []
    with run_folder(config.name) as folder:

        def listen(_: object) -> None:
            while (item := bus.read(0)) is not None:
                heard.append(item[1])
            if len(heard) > WARM_UP and heard[-1].captured_at - heard[WARM_UP].captured_at > seconds:
                supervisor.stop()

        supervisor = Supervisor(config, folder, on_log=lambda line: None, on_tick=listen)
        supervisor.run()
    context.close()
    return flow(heard[WARM_UP:])


def flow(bodies: list[Bodies]) -> dict[str, Any]:
    """Rate, latency and books of a camera's consecutive bodies."""
    if len(bodies) < 2:
        return {"bodies_per_second": 0.0}
    latency = np.array([body.stamps["relay"] - body.captured_at for body in bodies]) * 1000
    age = np.array([body.stamps["pose_in"] - body.captured_at for body in bodies]) * 1000
    dropped = sum(sum(body.skipped.values()) for body in bodies[1:])
    span = bodies[-1].captured_at - bodies[0].captured_at
    return {
        "bodies_per_second": round((len(bodies) - 1) / span, 2),
        "with_somebody": round(float(np.mean([bool(body.people) for body in bodies])), 4),
        "latency_ms": percentiles(latency),
        "frame_age_ms": {**percentiles(age), "max": round(float(age.max()), 2)},
        "dropped": dropped,
        "unexplained": bodies[-1].frame_id - bodies[0].frame_id - (len(bodies) - 1) - dropped,
    }


class Stopwatch:
    """Wall and processor time of many calls of one kind."""

    def __init__(self) -> None:
        self._wall: list[float] = []
        self._cpu: list[float] = []

    def time(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call it, and note how long it took."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = call(*arguments)
        self._wall.append((time.perf_counter() - wall) * 1000)
        self._cpu.append((time.process_time() - cpu) * 1000)
        return result

    def figures(self) -> dict[str, Any]:
        """Percentiles of the wall time, and the median of the processor time, ms; without the first call, which warms up."""
        return {"wall_ms": percentiles(np.array(self._wall[1:])), "cpu_ms": round(float(np.median(self._cpu[1:])), 2)}


def percentiles(values: np.ndarray) -> dict[str, float]:
    """p50, p95 and p99."""
    return {f"p{p}": round(float(np.percentile(values, p)), 2) for p in (50, 95, 99)}


def _print_table(figures: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("stage alone", "p50 ms", "p95 ms", "p99 ms", "processor ms", box=None, title=f"{figures['cores']} cores")
    for name in ("capture", "detect", "pose"):
        wall = figures[name]["wall_ms"]
        table.add_row(name, *(f"{wall[p]:.1f}" for p in ("p50", "p95", "p99")), f"{figures[name]['cpu_ms']:.1f}")
    Console().print(table)
    whole = figures["live"]
    latency = whole["latency_ms"]
    print(
        f"live: {whole['bodies_per_second']:.1f} bodies/s, {whole['dropped']} frames dropped, {whole['unexplained']} unexplained"
    )
    print("picture to relay: " + ", ".join(f"{name} {value:.1f} ms" for name, value in latency.items()))
