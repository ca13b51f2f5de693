"""`remi-stream bench`: throughput and latency on the sample clip, per stage and for the live pipeline."""

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
from remi_stream.cli.console import plain_table, table_console
from remi_stream.cli.options import BoxSource, DetectorOption, EngineOption, ThreadsOption
from remi_stream.cli.ready import prepare_pipeline
from remi_stream.config import Config
from remi_stream.messages import Bodies, Frame, FrameView
from remi_stream.paths import SAMPLE_FOCAL_PX, sample_clip

DAEMON_NAME = "bench"
"""Name of the daemon that is measured, so that it does not meet the default one's ports."""
WARM_UP_BODIES = 30
"""Bodies that are not counted: caches, threads and the tracker settle first."""
DETECTION_INTERVAL = 10
"""Frames between two detections of the stage benchmark."""


def bench(
    name: Annotated[
        str | None, typer.Argument(metavar="ENGINE", help="Same as --engine; with --runtimes also a detector.")
    ] = None,
    engine: EngineOption = "blazepose",
    detector: DetectorOption = "blazepose",
    threads: ThreadsOption = None,
    boxes: Annotated[
        BoxSource, typer.Option(help="truth: use the clip's ground-truth boxes, without tracking.")
    ] = BoxSource.tracked,
    seconds: Annotated[float, typer.Option(help="How long to run the live pipeline.", min=3)] = 20.0,
    runtimes: Annotated[
        bool, typer.Option("--runtimes", help="Time only the network, against PyTorch; always the case for ENGINE-trt.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Benchmark each stage and the live pipeline on the sample clip, or one network against PyTorch."""
    engine = name or engine
    from remi_stream.cli.bench_network import TENSORRT_SUFFIX, bench_network

    if runtimes or engine.endswith(TENSORRT_SUFFIX):
        return bench_network(engine, threads, as_json)
    camera = {"name": "sample", "source": str(sample_clip()), "loop": True, "focal_px": SAMPLE_FOCAL_PX}
    values = {
        "name": DAEMON_NAME,
        "cameras": [camera],
        "engine": engine,
        "detector": detector,
        "threads": threads,
        "boxes": boxes.value,
    }
    config = configuration.parse_config({**values, "metrics": False})
    prepare_pipeline(config)
    results = {"cores": os.cpu_count(), **time_stages(config), "live": run_live(config, seconds)}
    if as_json:
        print(json.dumps(results))
    else:
        _print_table(results)


def time_stages(config: Config) -> dict[str, dict[str, Any]]:
    """Run capture, detection and pose in one process over the clip and time each of them."""
    from remi_stream.capture.preprocess import render_view
    from remi_stream.capture.stage import CaptureStage
    from remi_stream.detect.stage import DetectStage
    from remi_stream.pose.stage import PoseStage

    # Not in real time: capture would wait for the clip's frame rate.
    camera = msgspec.structs.replace(config.cameras[0], realtime=False, loop=False)
    capture, detect, pose = CaptureStage(camera), DetectStage(config.detector, config.posture), PoseStage(config)
    for stage in (capture, detect, pose):
        stage.open()
    stopwatches = {name: Stopwatch() for name in ("capture", "detect", "pose")}
    while (messages := stopwatches["capture"].time(capture.step)) is not None:
        for frame in (message for message in messages if isinstance(message, Frame)):
            if frame.frame_id % DETECTION_INTERVAL == 0:
                view = detect.request(camera.name).view or FrameView()
                detections = stopwatches["detect"].time(lambda image: list(detect.step(image)), render_view(frame, view))
                list(pose.step(detections[0]))
            stopwatches["pose"].time(lambda message: list(pose.step(message)), frame)
    return {name: stopwatch.statistics() for name, stopwatch in stopwatches.items()}


def run_live(config: Config, seconds: float) -> dict[str, Any]:
    """Run the pipeline for the given time and measure what it publishes on the bus."""
    from remi_stream.paths import run_folder
    from remi_stream.process.supervisor import Supervisor
    from remi_stream.transport.address import daemon_address
    from remi_stream.transport.link import LinkContext, Subscriber

    context = LinkContext()
    bus = Subscriber(context, daemon_address(config.name), ["bodies/"])
    received: list[Bodies] = []
    with run_folder(config.name) as folder:

        def listen(_: object) -> None:
            while (item := bus.receive(0)) is not None:
                received.append(item[1])
            if len(received) > WARM_UP_BODIES and received[-1].captured_at - received[WARM_UP_BODIES].captured_at > seconds:
                supervisor.stop()

        supervisor = Supervisor(config, folder, on_log=lambda line: None, on_tick=listen)
        supervisor.run()
    context.close()
    return bus_statistics(received[WARM_UP_BODIES:])


def bus_statistics(bodies: list[Bodies]) -> dict[str, Any]:
    """Rate, latency (ms) and frame account of consecutive bodies of one camera."""
    if len(bodies) < 2:
        return {"bodies_per_second": 0.0}
    latency = np.array([body.stamps["relay"] - body.captured_at for body in bodies]) * 1000
    age = np.array([body.stamps["pose_in"] - body.captured_at for body in bodies]) * 1000
    dropped = sum(sum(body.skipped.values()) for body in bodies[1:])
    span = bodies[-1].captured_at - bodies[0].captured_at
    return {
        "bodies_per_second": round((len(bodies) - 1) / span, 2),
        "with_people": round(float(np.mean([bool(body.people) for body in bodies])), 4),
        "latency_ms": percentiles(latency),
        "frame_age_ms": {**percentiles(age), "max": round(float(age.max()), 2)},
        "dropped": dropped,
        "unexplained": bodies[-1].frame_id - bodies[0].frame_id - (len(bodies) - 1) - dropped,
    }


class Stopwatch:
    """Wall time and CPU time of repeated calls, ms."""

    def __init__(self) -> None:
        self._wall: list[float] = []
        self._cpu: list[float] = []

    def time(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call the function and record its duration."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = call(*arguments)
        self._wall.append((time.perf_counter() - wall) * 1000)
        self._cpu.append((time.process_time() - cpu) * 1000)
        return result

    def statistics(self) -> dict[str, Any]:
        """Percentiles of the wall time and the median CPU time, ms; the first call is a warm-up and is left out."""
        return {"wall_ms": percentiles(np.array(self._wall[1:])), "cpu_ms": round(float(np.median(self._cpu[1:])), 2)}


def percentiles(values: np.ndarray) -> dict[str, float]:
    """The 50th, 95th and 99th percentile."""
    return {f"p{p}": round(float(np.percentile(values, p)), 2) for p in (50, 95, 99)}


def _print_table(results: dict[str, Any]) -> None:
    table = plain_table("stage alone", "p50 ms", "p95 ms", "p99 ms", "CPU ms", title=f"{results['cores']} cores")
    for name in ("capture", "detect", "pose"):
        wall = results[name]["wall_ms"]
        table.add_row(name, *(f"{wall[p]:.1f}" for p in ("p50", "p95", "p99")), f"{results[name]['cpu_ms']:.1f}")
    table_console().print(table)
    live = results["live"]
    latency = live["latency_ms"]
    print(f"live: {live['bodies_per_second']:.1f} bodies/s, {live['dropped']} frames dropped, {live['unexplained']} unexplained")
    print("capture to relay: " + ", ".join(f"{name} {value:.1f} ms" for name, value in latency.items()))
