"""Watchdog of an offline run: reports where the run stands still, and calls for its end."""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping

REPORT_AFTER_S, END_AFTER_S = 60.0, 600.0
"""Time without progress until the report and until the end, s. The slowest healthy step is one batch of a large network on one
core: 256 crops of POCO take 80 s."""
TICK_S = 1.0
"""Between two looks. Ticks are counted instead of asking a clock: while the process itself is stopped (Ctrl-Z, a suspended
machine), nothing stands still."""


class StallWatchdog:
    """Watches a run's counters in a thread of its own.

    report: called once per stall with one text: where the run stands still, and the stacks of all threads. end: called with one
    line if the stall lasts.
    """

    def __init__(
        self,
        report: Callable[[str], object],
        end: Callable[[str], object],
        report_after_s: float = REPORT_AFTER_S,
        end_after_s: float = END_AFTER_S,
    ) -> None:
        self._report, self._end = report, end
        self._report_after_s, self._end_after_s = report_after_s, end_after_s

    @contextlib.contextmanager
    def watching(self, counts: Callable[[], Mapping[str, int]]) -> Iterator[None]:
        """Watch while the block runs. counts: what has been done so far; any change is progress."""
        stop = threading.Event()
        threading.Thread(target=self._watch, args=(counts, stop), name="watchdog", daemon=True).start()
        try:
            yield
        finally:
            stop.set()

    def _watch(self, counts: Callable[[], Mapping[str, int]], stop: threading.Event) -> None:
        seen, stalled_s, is_reported = counts(), 0.0, False
        while not stop.wait(TICK_S):
            now = counts()
            if now != seen:
                seen, stalled_s, is_reported = now, 0.0, False
                continue
            stalled_s += TICK_S
            where = f"no progress for {stalled_s:.0f} s; frames so far: {format_counts(seen)}"
            if stalled_s >= self._report_after_s and not is_reported:
                is_reported = True
                self._report(f"{where}. Threads:\n{thread_stacks()}")
            if stalled_s >= self._end_after_s:
                self._end(where)
                return


def format_counts(counts: Mapping[str, int]) -> str:
    """Format counters: "17 decoded, 15 detected"."""
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def thread_stacks() -> str:
    """Stacks of all threads but this one, the innermost call last."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    stacks = [
        f"thread {names.get(ident, ident)}:\n{''.join(traceback.format_stack(frame))}"
        for ident, frame in sys._current_frames().items()
        if ident != threading.get_ident()
    ]
    return "".join(stacks).rstrip()
