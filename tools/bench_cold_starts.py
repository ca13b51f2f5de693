#!/usr/bin/env python3
"""Count how many cold starts of `remi-stream video` hang, with the first two frames of the sample clip.

    python tools/bench_cold_starts.py 1000 [--core 0] [--limit 60] [--engine blazepose] [--fork]

Each run is a process of its own, so that libraries initialise anew and both detector threads infer for the first time.
--core: pin the runs to one core, where threads are interrupted at more places. A run over the limit, s, counts as hung and is
killed. Prints the progress every 25 runs; the exit code is 1 if a run hung or failed.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

CLIP = Path(__file__).resolve().parent.parent / "remi_stream/data/sample.mp4"
FRAMES = 2
"""One for each detector thread."""
REPORT_EVERY = 25


def run_once(out: Path, engine: str, limit_s: float, fork: bool) -> str:
    """Run one cold start: "" if it went well, else what happened."""
    arguments = ["video", str(CLIP), "--frames", str(FRAMES), "--engine", engine, "--out", str(out), "--overwrite"]
    # fork only with one thread: libraries must find themselves as in a new process
    child = os.fork() if fork else os.posix_spawn(sys.executable, [sys.executable, "-m", "remi_stream", *arguments], os.environ)
    if not child:
        from remi_stream import cli

        sys.argv[1:] = arguments
        os._exit(cli.main())
    end = time.monotonic() + limit_s
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "hung"
        time.sleep(0.02)
    return "" if ended[1] == 0 else f"failed with exit code {os.waitstatus_to_exitcode(ended[1])}"


def import_libraries() -> None:
    """Import what a run imports, without a thread or an inference, so that forked runs start with uninitialised libraries."""
    for name in ("cli.app", "cli.ready", "capture.footage", "offline.job", "detect.blazepose", "pose.blazepose"):
        importlib.import_module(f"remi_stream.{name}")
    importlib.import_module("remi_stream.inference.openvino")
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        raise SystemExit(f"an import has started {threads - 1} threads; run without --fork")


def main() -> int:
    """Run the cold starts and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=int)
    parser.add_argument("--core", type=int, help="pin the runs to this core")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds after which a run counts as hung")
    parser.add_argument("--engine", default="blazepose")
    parser.add_argument("--fork", action="store_true", help="import once and fork for each run: three times as fast")
    arguments = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as cli.main sets it, before NumPy is imported
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the runs' summaries
    if arguments.fork:
        import_libraries()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    started_at, counts = time.monotonic(), {"hung": 0, "failed": 0}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, arguments.runs + 1):
            fault = run_once(Path(folder), arguments.engine, arguments.limit, arguments.fork)
            if fault:
                counts[fault.split()[0]] += 1
                print(f"run {number} {fault}", file=sys.stderr, flush=True)
            if number % REPORT_EVERY == 0 or number == arguments.runs:
                each_s = (time.monotonic() - started_at) / number
                text = f"{number} runs, {counts['hung']} hung, {counts['failed']} failed, {each_s:.1f} s each"
                print(text, file=sys.stderr, flush=True)
    return 1 if any(counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
