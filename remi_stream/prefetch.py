"""Prefetching in threads, with results in order."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


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
        while reader.is_alive():
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
