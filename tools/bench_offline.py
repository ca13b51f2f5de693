#!/usr/bin/env python3
"""How much of an offline run is the networks' own time: the sample clip, every frame, detector and pose.

    python tools/bench_offline.py [--engine blazepose] [--frames 240] [--runs 3] [--peers]

For each run: frames a second of the chain (decoding, detector, identities, engine), and of its networks alone: the same number of
calls of each network, with the inputs of this very run, in the same threads, with nothing in between. The goal is 0.8.

--peers: beside the engine's network in PyTorch eager, one frame and one person at a time, on all cores, as the reference programs
run it: alone, without anything around it, and after YOLOv3 on every frame. Both have to be in the model store.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections import defaultdict
from typing import Any

import cv2
import numpy as np

from remi_stream.detect.detector import load_detector
from remi_stream.models.manifest import ModelFile, find_manifest
from remi_stream.offline.ahead import ahead
from remi_stream.offline.chain import DETECTORS, Chain
from remi_stream.offline.film import Film
from remi_stream.offline.following import Following
from remi_stream.offline.footage import Selection
from remi_stream.offline.job import DECODED_AHEAD
from remi_stream.pose.engine import load_engine
from remi_stream.runtimes.openvino import OpenVino
from remi_stream.runtimes.peers import Peer, compare
from remi_stream.sample import FOCAL_PX, sample_clip


class Watch:
    """Notes how often each network was called, with its first input."""

    def __init__(self) -> None:
        self.calls: dict[OpenVino, int] = defaultdict(int)
        self.inputs: dict[OpenVino, dict[str, Any]] = {}
        self._run = OpenVino.run

    def __enter__(self) -> Watch:
        def noted(network: OpenVino, tensors: dict[str, Any]) -> dict[str, Any]:
            self.calls[network] += 1
            self.inputs.setdefault(network, {name: values.copy() for name, values in tensors.items()})
            return self._run(network, tensors)

        OpenVino.run = noted  # type: ignore[method-assign, assignment]
        return self

    def __exit__(self, *error: object) -> None:
        OpenVino.run = self._run  # type: ignore[method-assign]

    def alone(self) -> float:
        """Seconds that the same calls take with nothing in between, each network in a thread of its own."""

        def call(network: OpenVino) -> None:
            for _ in range(self.calls[network]):
                self._run(network, self.inputs[network])

        threads = [threading.Thread(target=call, args=(network,)) for network in self.calls]
        begun_at = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - begun_at


def main() -> None:
    """Print a line for each run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default="blazepose")
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", action="store_true")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    chain = Chain(load_engine(arguments.engine), [load_detector("blazepose") for _ in range(DETECTORS)], 16, 1)
    for _ in range(arguments.runs):
        film = Film(sample_clip(), "sample", Selection(most=arguments.frames), FOCAL_PX)
        film.open()
        with Watch() as watch:
            begun_at = time.perf_counter()
            count = len(list(chain.run(ahead(film.frames(0), DECODED_AHEAD), Following(), apart=False)))
            whole = time.perf_counter() - begun_at
            alone = watch.alone()
        film.close()
        print(
            f"{count} frames: {count / whole:.1f} fps, networks alone {count / alone:.1f} fps, ratio {alone / whole:.2f}",
            flush=True,
        )
    chain.close()
    if arguments.peers:
        beside_eager(arguments.engine, count / whole)


def beside_eager(engine: str, fps: float) -> None:
    """Print how fast PyTorch is with the engine's network, and with YOLOv3 before it; fps: of the chain."""
    pose_ms = eager_ms(find_manifest(engine, "pose").weights[0])
    both_ms = pose_ms + eager_ms(find_manifest("yolov3", "detector").weights[0])
    for what, took_ms in ((f"{engine}'s network alone", pose_ms), ("with YOLOv3 before it", both_ms)):
        print(f"PyTorch eager, one at a time, {what}: {1000 / took_ms:.1f} fps; the chain: {fps * took_ms / 1000:.1f} times that")


def eager_ms(file: ModelFile) -> float:
    """Median time of a call with one picture, ms."""
    [found] = compare(file, [Peer("torch", {"threads": os.cpu_count() or 1})], rounds=2)
    return float(np.median(found.times_ms))


if __name__ == "__main__":
    main()
