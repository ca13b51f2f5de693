#!/usr/bin/env python3
"""Benchmark an offline run against its networks alone: sample clip, every frame, detector and pose.

    python tools/bench_offline.py [--engine blazepose] [--frames 240] [--runs 3] [--peers]

Prints for each run the frames per second of the chain (decoding, detector, tracking, engine) and of its networks alone: the same
number of calls of each network, with inputs of that run, in the same threads, and nothing else. The goal is a ratio of 0.8.

--peers: also compares with the engine's network in PyTorch eager mode, one frame and person at a time, on all cores, as the
reference programs run it: alone, and after YOLOv3 on every frame. Both must be in the model store.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections import defaultdict
from typing import Any

import cv2
import extras_hint  # noqa: F401  # first: a missing package is one line
import numpy as np

from remi_stream.capture.footage import FrameSelection, VideoFootage
from remi_stream.detect.detector import load_detector
from remi_stream.inference.openvino import OpenVinoRuntime
from remi_stream.inference.runtime_benchmark import BenchmarkRuntime, benchmark_runtimes
from remi_stream.models.manifest import ModelFile, find_manifest
from remi_stream.offline.chain import DETECTOR_THREADS, OfflineChain
from remi_stream.offline.job import PREFETCHED_FRAMES
from remi_stream.paths import SAMPLE_FOCAL_PX, sample_clip
from remi_stream.pose.engine import load_engine
from remi_stream.prefetch import prefetch


class CallRecorder:
    """Counts the calls of each network and keeps its first input."""

    def __init__(self) -> None:
        self.calls: dict[OpenVinoRuntime, int] = defaultdict(int)
        self.inputs: dict[OpenVinoRuntime, dict[str, Any]] = {}
        self._run = OpenVinoRuntime.run

    def __enter__(self) -> CallRecorder:
        def record(network: OpenVinoRuntime, tensors: dict[str, Any]) -> dict[str, Any]:
            self.calls[network] += 1
            self.inputs.setdefault(network, {name: values.copy() for name, values in tensors.items()})
            return self._run(network, tensors)

        OpenVinoRuntime.run = record  # type: ignore[method-assign, assignment]
        return self

    def __exit__(self, *error: object) -> None:
        OpenVinoRuntime.run = self._run  # type: ignore[method-assign]

    def alone(self) -> float:
        """Repeat the same calls with nothing else, each network in its own thread; return the time, s."""

        def call(network: OpenVinoRuntime) -> None:
            for _ in range(self.calls[network]):
                self._run(network, self.inputs[network])

        threads = [threading.Thread(target=call, args=(network,)) for network in self.calls]
        started_at = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - started_at


def main() -> None:
    """Run the benchmark and print a line per run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default="blazepose")
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", action="store_true")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    chain = OfflineChain(load_engine(arguments.engine), [load_detector("blazepose") for _ in range(DETECTOR_THREADS)], 16, 1)
    for _ in range(arguments.runs):
        video = VideoFootage(sample_clip(), "sample", FrameSelection(max_frames=arguments.frames), SAMPLE_FOCAL_PX)
        video.open()
        with CallRecorder() as recorder:
            started_at = time.perf_counter()
            count = len(
                list(
                    chain.run(
                        prefetch(video.frames(0), PREFETCHED_FRAMES),
                        chain.make_tracker(None, independent=False),
                        independent=False,
                    )
                )
            )
            whole = time.perf_counter() - started_at
            alone = recorder.alone()
        video.close()
        print(
            f"{count} frames: {count / whole:.1f} fps, networks alone {count / alone:.1f} fps, ratio {alone / whole:.2f}",
            flush=True,
        )
    chain.close()
    if arguments.peers:
        beside_eager(arguments.engine, count / whole)


def beside_eager(engine: str, fps: float) -> None:
    """Compare with PyTorch eager: the engine's network alone, and after YOLOv3. fps: of the chain."""
    pose_ms = eager_ms(find_manifest(engine, "pose").weights[0])
    both_ms = pose_ms + eager_ms(find_manifest("yolov3", "detector").weights[0])
    for name, duration_ms in ((f"{engine}'s network alone", pose_ms), ("after YOLOv3", both_ms)):
        print(f"PyTorch eager, {name}: {1000 / duration_ms:.1f} fps; chain {fps * duration_ms / 1000:.1f} times as fast")


def eager_ms(file: ModelFile) -> float:
    """Median time of a call with one image, ms."""
    [result] = benchmark_runtimes(file, [BenchmarkRuntime("torch", {"threads": os.cpu_count() or 1})], rounds=2)
    return float(np.median(result.times_ms))


if __name__ == "__main__":
    main()
