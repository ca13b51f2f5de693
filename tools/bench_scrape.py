"""Measure what a scrape of the exporter costs, CPU time: python tools/bench_scrape.py [--cameras 16] [--scrapes 100]."""

from __future__ import annotations

import argparse
import statistics
import time

import extras_hint  # noqa: F401  # first: a missing package is one line

from remi_stream.config import CameraConfig, Config
from remi_stream.messages import Bodies, CameraFacts, Health
from remi_stream.pipeline import pipeline_processes
from remi_stream.sinks.counters import PipelineCounters
from remi_stream.sinks.metric_registry import MetricRegistry

HOPS = ("capture", "pose_in", "pose", "relay_in", "relay")
LIMIT_MS = 10.0


def main() -> None:
    """Print the cost of a scrape and of counting a message."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=16)
    parser.add_argument("--scrapes", type=int, default=100)
    options = parser.parse_args()
    cameras = tuple(CameraConfig(name=f"camera-{index}", source="synthetic:") for index in range(options.cameras))
    registry = MetricRegistry()
    counters = PipelineCounters(Config(cameras=cameras, engine="synthetic", detector="synthetic"), registry)
    for camera in cameras:
        start(counters, camera)
    scrapes, messages = [], []
    for frame_id in range(options.scrapes):
        began = time.thread_time()
        for camera in cameras:
            counters.count_message(bodies(camera.name, frame_id), 100.02)
        counted = time.thread_time()
        text = registry.render_text()
        scrapes.append(1000 * (time.thread_time() - counted))
        messages.append(1000 * (counted - began) / len(cameras))
    print(f"{options.cameras} cameras, {text.count(b'{')} series, {len(text) / 1000:.0f} kB")
    print(f"scrape: median {statistics.median(scrapes):.1f} ms, fastest {min(scrapes):.1f} ms (limit {LIMIT_MS:g} ms)")
    print(f"counting a message: median {statistics.median(messages):.3f} ms")


def start(counters: PipelineCounters, camera: CameraConfig) -> None:
    """Count what makes all series of a camera appear: its facts, a heartbeat of each stage."""
    facts = CameraFacts(camera=camera.name, epoch=1, state="live", source="synthetic", size=(640, 360), fps=30.0, captured=1)
    counters.count_message(facts, 100.0)
    for row, of_camera in pipeline_processes(Config(cameras=(camera,), engine="synthetic", detector="synthetic")):
        label = f"{row.name}/{camera.name}" if of_camera else row.name
        counters.count_message(Health(stage=label, state="ready", pid=1), 100.0)


def bodies(camera: str, frame_id: int) -> Bodies:
    """A frame without people, 2 ms at each hop."""
    stamps = {hop: 100.0 + 0.002 * (number + 1) for number, hop in enumerate(HOPS)}
    return Bodies(
        camera=camera,
        epoch=1,
        frame_id=frame_id,
        captured_at=100.0,
        stamps=stamps,
        engine="synthetic",
        size=(640, 360),
        intrinsics=(734.0, 734.0, 320.0, 180.0),
        people=[],
    )


if __name__ == "__main__":
    main()
