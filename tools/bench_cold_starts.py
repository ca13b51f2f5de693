#!/usr/bin/env python3
"""Count how many cold starts of `remi-stream video` hang, with the first two frames of the sample clip.

    python tools/bench_cold_starts.py 1000 [--core 0] [--limit 60] [--engine blazepose]

Each run is a process of its own, so that libraries initialise anew and both detector threads infer for the first time.
--core: pin the runs to one core, where threads are interrupted at more places. A run over the limit, s, counts as hung and is
killed. Prints the progress every 25 runs; the exit code is 1 if a run hung or failed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from remi_stream.paths import sample_clip

FRAMES = 2
"""One for each detector thread."""
REPORT_EVERY = 25


def run_once(out: Path, engine: str, limit_s: float) -> str:
    """Run one cold start: "" if it went well, else what happened."""
    command = [sys.executable, "-m", "remi_stream", "video", str(sample_clip()), "--frames", str(FRAMES)]
    command += ["--engine", engine, "--out", str(out), "--overwrite"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        return "hung"
    return "" if done.returncode == 0 else f"failed with exit code {done.returncode}: {done.stderr.strip()[-300:]}"


def main() -> int:
    """Run the cold starts and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=int)
    parser.add_argument("--core", type=int, help="pin the runs to this core")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds after which a run counts as hung")
    parser.add_argument("--engine", default="blazepose")
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    started_at, counts = time.monotonic(), {"hung": 0, "failed": 0}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, arguments.runs + 1):
            fault = run_once(Path(folder), arguments.engine, arguments.limit)
            if fault:
                counts[fault.split()[0]] += 1
                print(f"run {number} {fault}", flush=True)
            if number % REPORT_EVERY == 0 or number == arguments.runs:
                each_s = (time.monotonic() - started_at) / number
                print(f"{number} runs, {counts['hung']} hung, {counts['failed']} failed, {each_s:.1f} s each", flush=True)
    return 1 if any(counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
