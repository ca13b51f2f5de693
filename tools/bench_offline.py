#!/usr/bin/env python3
"""How much of an offline run is the networks' own time: the sample clip, every frame, detector and pose.

    python tools/bench_offline.py [--engine blazepose] [--frames 240] [--runs 3]

For each run: frames a second of the chain (decoding, detector, identities, engine), and of its networks alone: the same number of
calls of each network, with the inputs of this very run, in the same threads, with nothing in between. The goal is 0.8.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections import defaultdict
from typing import Any

import cv2

from remi_stream.detect.detector import load_detector
from remi_stream.offline.ahead import ahead
from remi_stream.offline.chain import DETECTORS, Chain
from remi_stream.offline.film import Film
from remi_stream.offline.following import Following
from remi_stream.offline.footage import Selection
from remi_stream.offline.job import DECODED_AHEAD
from remi_stream.pose.engine import load_engine
from remi_stream.runtimes.openvino import OpenVino
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


if __name__ == "__main__":
    main()
