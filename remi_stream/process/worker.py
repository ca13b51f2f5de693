"""Worker process of a stage: loop, heartbeats, signals. `python -m remi_stream stage NAME` runs `run_worker`.

The StageSpec comes over standard input; heartbeats go to an inherited pipe, the log to stderr.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Literal, Protocol

import msgspec

from remi_stream.errors import EXIT_CRASHED, EXIT_DONE, RemiError
from remi_stream.log import configure_logging
from remi_stream.models.manifest import register_custom_skeletons
from remi_stream.paths import read_run_marker, remove_dead_run_folder
from remi_stream.pipeline import StageRow, find_stage
from remi_stream.plugins import import_from_string
from remi_stream.process.outputs import HeartbeatSender
from remi_stream.redaction import redact
from remi_stream.stage import StageSpec

PR_SET_PDEATHSIG = 1  # linux/prctl.h

log = logging.getLogger("remi_stream")


class WorkerLoop(Protocol):
    """Loop of a worker process: passes messages between the links and the stage."""

    @property
    def counts(self) -> Counter[str]:
        """Counters since the start."""
        ...

    @property
    def facts(self) -> dict[str, str]:
        """Static information of the stage."""
        ...

    def open(self) -> None:
        """Open the stage, then its links."""
        ...

    def run_once(self, now: float) -> bool:
        """Run one iteration, or sleep for a tenth of a second at most; False at the end of a finite source."""
        ...

    def drain(self) -> None:
        """Finish the work already received, then stop."""
        ...

    def close(self) -> None:
        """Close the stage and its links."""
        ...


def run_worker(arguments: list[str]) -> int:
    """Run the stage of the StageSpec on standard input. arguments: label, ..., file descriptor for heartbeats."""
    spec = msgspec.json.decode(sys.stdin.buffer.read(), type=StageSpec)
    configure_logging(spec.label, spec.config.log_format)
    row = find_stage(spec.stage)
    _tie_to_supervisor(spec, row)
    stop = _catch_signals()
    os.nice(row.nice)
    register_custom_skeletons()
    heartbeats = HeartbeatSender(int(arguments[-1]), spec.label)
    try:
        return _run(_make_loop(spec, row), heartbeats, stop)
    except RemiError as error:
        heartbeats.send("failed", reason=redact(str(error)), exit_code=error.exit_code, retry_after_s=error.retry_after_s)
        return error.exit_code
    except Exception:
        log.exception("crashed")
        return EXIT_CRASHED


def _run(loop: WorkerLoop, heartbeats: HeartbeatSender, stop: threading.Event) -> int:
    loop.open()
    with contextlib.closing(loop):
        state: Literal["stopping", "done"] = "stopping"
        while not stop.is_set():
            now = time.monotonic()
            heartbeats.send_if_due(now, loop.counts, loop.facts)
            if not loop.run_once(now):
                state = "done"
                break
        heartbeats.send("stopping", counts=dict(loop.counts))  # the drain may take longer than a silence is allowed to
        loop.drain()
        heartbeats.send(state, counts=dict(loop.counts))
    return EXIT_DONE


def _make_loop(spec: StageSpec, row: StageRow) -> WorkerLoop:
    from remi_stream.process.source_loop import SourceLoop
    from remi_stream.process.stage_loop import SinkLoop, StageLoop

    stage = import_from_string(row.factory)(spec)
    if row.is_source:
        return SourceLoop(spec, row, stage)
    return SinkLoop(spec, row, stage) if row.is_sink else StageLoop(spec, row, stage)


def _catch_signals() -> threading.Event:
    """Drain and stop on SIGTERM. Ignore SIGINT: a terminal sends it to all processes, and the supervisor stops them in order."""
    stop = threading.Event()

    def on_term(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_term)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return stop


def _tie_to_supervisor(spec: StageSpec, row: StageRow) -> None:
    """End when the supervisor dies: by PR_SET_PDEATHSIG, or after removing the run folder if the row says so."""
    if row.outlives_supervisor:
        threading.Thread(target=_remove_run_folder_after, args=(spec,), daemon=True).start()
    else:  # sent when the thread that started this process ends: the supervisor starts workers from its main thread
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != spec.supervisor_pid:  # it died before the signal was set
        os._exit(EXIT_CRASHED)


def _remove_run_folder_after(spec: StageSpec) -> None:
    """Wait until the supervisor is dead, remove what it left behind, and end."""
    marker = read_run_marker(Path(spec.run_folder))
    while os.getppid() == spec.supervisor_pid:
        time.sleep(0.2)
    remove_dead_run_folder(Path(spec.run_folder), marker)
    os.kill(os.getpid(), signal.SIGKILL)
