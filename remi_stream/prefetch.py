"""Prefetching in threads, with results in order."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

END_TIMEOUT_S = 2.0
"""Threads that have not ended after this time, s, are left behind: one that hangs in a C call must not keep the program alive."""


class _End:
    """End marker of the queue, with the source's error if there was one."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetch(source: Iterable[T], depth: int) -> Generator[T, None, None]:
    """Iterate over a source that a thread reads up to `depth` items ahead; its error is raised at its place."""
    items_read: queue.Queue[T | _End] = queue.Queue(depth)
    stop = threading.Event()
    reader = threading.Thread(target=_read, args=(source, items_read, stop), name="prefetch", daemon=True)
    reader.start()
    try:
        while not isinstance(item := items_read.get(), _End):
            yield item
        if item.error:
            raise item.error
    finally:
        stop.set()
        # the reader may be blocked in put(): drain until it sees the event
        end = time.monotonic() + END_TIMEOUT_S
        while reader.is_alive() and time.monotonic() < end:
            _drain(items_read)
            reader.join(0.01)


def _read(source: Iterable[T], items_read: queue.Queue[T | _End], stop: threading.Event) -> None:
    error = None
    try:
        for item in source:
            items_read.put(item)
            if stop.is_set():
                return
    except Exception as raised:  # noqa: BLE001  raised again by the consumer's thread
        error = raised
    items_read.put(_End(error))


def _drain(items_read: queue.Queue[T | _End]) -> None:
    while not items_read.empty():
        items_read.get_nowait()


def ordered_map(pool: Executor, work: Callable[[T], R], items: Iterable[T], depth: int) -> Iterator[R]:
    """Map `work` over items in a pool, results in order, at most `depth` + 1 items in flight."""
    in_flight: deque[Future[R]] = deque()
    try:
        for item in items:
            in_flight.append(pool.submit(work, item))
            if len(in_flight) > depth:
                yield in_flight.popleft().result()
        while in_flight:
            yield in_flight.popleft().result()
    finally:
        for future in in_flight:
            future.cancel()


class DaemonExecutor(Executor):
    """A thread pool whose threads do not keep the interpreter alive, as those of ThreadPoolExecutor do."""

    def __init__(self, threads: int, name: str) -> None:
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._run, name=f"{name}-{at}", daemon=True) for at in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """Run a function in a free thread."""
        future: Future[R] = Future()
        self._work.put(lambda: _fulfil(future, lambda: fn(*args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads once their work is done; wait for `END_TIMEOUT_S` at most. Futures are cancelled by who holds them."""
        for _ in self._threads:
            self._work.put(None)
        end = time.monotonic() + END_TIMEOUT_S
        for thread in self._threads if wait else []:
            thread.join(max(0.0, end - time.monotonic()))

    @property
    def is_running(self) -> bool:
        """Whether a thread has not ended, after `shutdown`: it hangs."""
        return any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while work := self._work.get():
            work()


def _fulfil(future: Future[R], work: Callable[[], R]) -> None:
    """Do the work of a future that was not cancelled."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001  raised again by the thread that asks for the result
        future.set_exception(error)
