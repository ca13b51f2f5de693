#!/usr/bin/env python3
"""How long a pair of meshes takes: 18,024 vertices, 41 frames, pictures only, on the CPU.

    python tools/bench_morph.py [--runs 3] [--frames 41] [--size 720x720] [--all]

Prints the whole command's seconds, with Python's start, and the seconds of the processor in it: on a machine that has other
things to do the second number is the one to look at. The goal is 12 s on two cores.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from remi_stream.body.smpl import load_open_body
from remi_stream.morph.obj_sequence import face_lines, mesh

VERTICES = 18_024
GOAL_S = 12.0


def main() -> None:
    """Measure, and print a line for each run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--frames", type=int, default=41)
    parser.add_argument("--size", default="720x720")
    parser.add_argument("--all", action="store_true", help="everything, not pictures only")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        meshes = [write(Path(folder) / f"{name}.obj", bend) for name, bend in (("straight", 0.0), ("bent", 1.0))]
        words = [*map(str, meshes), "--out", f"{folder}/out", "--overwrite", "--frames", str(asked.frames), "--size", asked.size]
        for _ in range(asked.runs):
            wall_s, cpu_s = timed([*words] if asked.all else [*words, "--minimal"])
            print(f"{wall_s:.1f} s, {wall_s / GOAL_S:.2f} of the goal; {cpu_s:.1f} s of the processor", flush=True)


def timed(words: list[str]) -> tuple[float, float]:
    """Seconds of a morph: by the clock, and of the processor."""
    before, begun_at = processor_s(), time.perf_counter()
    subprocess.run([sys.executable, "-m", "remi_stream", "morph", *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun_at, processor_s() - before


def processor_s() -> float:
    """Seconds of the processor that ended children have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def write(path: Path, bend: float) -> Path:
    """Write the open body with its arms lowered by so many radians, and some of its faces in three."""
    body, pose, zero = load_open_body(), np.zeros((23, 3), np.float32), np.zeros(3, np.float32)
    pose[[15, 16], 2] = -bend, bend
    vertices = body.vertices(zero, pose.ravel(), np.zeros(10, np.float32), zero).astype(float)
    more = VERTICES - len(vertices)
    split, middles = body.faces[:more], np.arange(len(vertices), VERTICES)
    parts = [np.column_stack([split[:, [k, (k + 1) % 3]], middles]) for k in range(3)]
    faces = np.concatenate([body.faces[more:], *parts])
    path.write_bytes(mesh(np.concatenate([vertices, vertices[split].mean(1)]), face_lines(faces)))
    return path


if __name__ == "__main__":
    main()
