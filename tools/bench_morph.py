#!/usr/bin/env python3
"""Benchmark `remi-stream morph`: 18,024 vertices, 41 frames, images only, on the CPU.

    python tools/bench_morph.py [--runs 3] [--frames 41] [--size 720x720] [--all]

Prints wall time of the command, including Python's start, and CPU time, which is the better measure on a busy machine. The goal
is 12 s on two cores.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import extras_hint  # noqa: F401  # first: a missing package is one line
import numpy as np

from remi_stream.body.smpl import load_default_body
from remi_stream.morph.obj_file import encode_obj, encode_obj_faces

VERTICES = 18_024
GOAL_S = 12.0


def main() -> None:
    """Run the benchmark and print a line per run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--frames", type=int, default=41)
    parser.add_argument("--size", default="720x720")
    parser.add_argument("--all", action="store_true", help="all outputs, not only images")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        meshes = [write_mesh(Path(folder) / f"{name}.obj", bend) for name, bend in (("straight", 0.0), ("bent", 1.0))]
        arguments = [
            *map(str, meshes),
            "--out",
            f"{folder}/out",
            "--overwrite",
            "--frames",
            str(options.frames),
            "--size",
            options.size,
        ]
        for _ in range(options.runs):
            wall_s, cpu_s = time_morph([*arguments] if options.all else [*arguments, "--minimal"])
            print(f"{wall_s:.1f} s, {wall_s / GOAL_S:.2f} of the goal; {cpu_s:.1f} s of CPU time", flush=True)


def time_morph(arguments: list[str]) -> tuple[float, float]:
    """Run a morph; return wall time and CPU time, s."""
    before, started_at = children_cpu_s(), time.perf_counter()
    subprocess.run([sys.executable, "-m", "remi_stream", "morph", *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started_at, children_cpu_s() - before


def children_cpu_s() -> float:
    """CPU time of finished child processes, s."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def write_mesh(path: Path, bend: float) -> Path:
    """Write the default body with its arms lowered by `bend`, rad, and some faces split in three to reach VERTICES."""
    body, pose, zero = load_default_body(), np.zeros((23, 3), np.float32), np.zeros(3, np.float32)
    pose[[15, 16], 2] = -bend, bend
    vertices = body.vertices(zero, pose.ravel(), np.zeros(10, np.float32), zero).astype(float)
    extra = VERTICES - len(vertices)
    split, middles = body.faces[:extra], np.arange(len(vertices), VERTICES)
    parts = [np.column_stack([split[:, [k, (k + 1) % 3]], middles]) for k in range(3)]
    faces = np.concatenate([body.faces[extra:], *parts])
    path.write_bytes(encode_obj(np.concatenate([vertices, vertices[split].mean(1)]), encode_obj_faces(faces)))
    return path


if __name__ == "__main__":
    main()
