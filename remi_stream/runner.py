"""One stage's process: its loop, heartbeats, stamps and signals. `python -m remi_stream stage NAME` lands here.

The order (what to run) comes over standard input, the heartbeats leave through an inherited pipe, the log through stderr.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import logging
import os
import resource
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import msgspec

from remi_stream.errors import CRASHED, DONE, RemiError
from remi_stream.log import start_log
from remi_stream.messages import Health
from remi_stream.models.listed import learn_listed_skeletons
from remi_stream.order import BEAT_S, Order
from remi_stream.pipeline import Row, is_source, listens, row_of

_PR_SET_PDEATHSIG = 1

log = logging.getLogger("remi_stream")


class Loop(Protocol):
    """What a stage's process does: links to messages, messages to the stage."""

    @property
    def counts(self) -> Counter[str]:
        """Running totals."""
        ...

    @property
    def facts(self) -> dict[str, str]:
        """What the stage tells people about itself."""
        ...

    def open(self) -> None:
        """Open the stage, then its links."""
        ...

    def turn(self, now: float) -> bool:
        """Do what is to be done, or sleep a tenth of a second; False at the end of a finite source."""
        ...

    def drain(self) -> None:
        """Finish what has arrived, after a request to stop."""
        ...

    def close(self) -> None:
        """Close the stage and its links."""
        ...


class Pulse:
    """The heartbeat: a Health at most half a second apart, written by the loop that does the work."""

    def __init__(self, fd: int, label: str) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._label = label
        self._next = 0.0

    def beat(self, now: float, counts: Counter[str], facts: dict[str, str]) -> None:
        """Send a heartbeat if one is due."""
        if now >= self._next:
            self._next = now + BEAT_S
            self.say("ready", counts=dict(counts), facts=facts)

    def say(self, state: Any, **more: Any) -> None:
        """Send a Health now. A supervisor that does not read loses it."""
        health = Health(
            stage=self._label,
            state=state,
            pid=os.getpid(),
            cpu_s=time.process_time(),
            memory_bytes=_resident_bytes(),
            **more,
        )
        packed = msgspec.msgpack.encode(health)
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._fd, len(packed).to_bytes(4, "little") + packed)


def main(arguments: list[str]) -> int:
    """Run the stage whose order comes over standard input; arguments: its label and the heartbeat's file descriptor."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    start_log(order.label, order.config.log_format)
    row = row_of(order.stage)
    _tie_to_supervisor(order, row)
    stop = _catch_signals()
    os.nice(row.nice)
    learn_listed_skeletons()
    pulse = Pulse(int(arguments[-1]), order.label)
    try:
        return _run(_make_loop(order, row), pulse, stop)
    except RemiError as error:
        pulse.say("failed", reason=str(error), exit_code=error.exit_code)
        return error.exit_code
    except Exception:
        log.exception("stopped by an error of its own")
        return CRASHED


def _run(loop: Loop, pulse: Pulse, stop: threading.Event) -> int:
    loop.open()
    with contextlib.closing(loop):
        state = "stopping"
        while not stop.is_set():
            now = time.monotonic()
            pulse.beat(now, loop.counts, loop.facts)
            if not loop.turn(now):
                state = "done"
                break
        loop.drain()
        pulse.say(state, counts=dict(loop.counts))
    return DONE


def _make_loop(order: Order, row: Row) -> Loop:
    from remi_stream.loops.sink import SinkLoop
    from remi_stream.loops.source import SourceLoop
    from remi_stream.loops.work import WorkLoop

    module, function = row.make.split(":")
    stage = getattr(importlib.import_module(module), function)(order)
    if is_source(row):
        return SourceLoop(order, row, stage)
    return SinkLoop(order, row, stage) if listens(row) else WorkLoop(order, row, stage)


def _catch_signals() -> threading.Event:
    """SIGTERM asks to drain and stop; SIGINT is the supervisor's business (a terminal sends it to everybody)."""
    stop = threading.Event()

    def on_term(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_term)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return stop


def _tie_to_supervisor(order: Order, row: Row) -> None:
    """Die with the supervisor. The kernel kills the others; the relay lives for a moment longer and clears the run's folder."""
    if row.name == "relay":
        threading.Thread(target=_clear_after, args=(order,), daemon=True).start()
    else:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != order.supervisor:
        os._exit(CRASHED)


def _clear_after(order: Order) -> None:
    while os.getppid() == order.supervisor:
        time.sleep(0.2)
    shutil.rmtree(order.folder, ignore_errors=True)
    Path(order.folder + ".lock").unlink(missing_ok=True)
    os.kill(os.getpid(), signal.SIGKILL)


def _resident_bytes() -> int:
    with contextlib.suppress(OSError), open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
