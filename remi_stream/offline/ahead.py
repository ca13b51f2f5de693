"""Work that is done ahead in threads of their own, in order, without changing what comes out."""

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
    """What comes last: an error, or nothing."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(source: Iterable[T], depth: int) -> Generator[T, None, None]:
    """Give what a source gives, read in a thread up to `depth` ahead. Its error comes where it would have come."""
    given: queue.Queue[T | _End] = queue.Queue(depth)
    stopped = threading.Event()
    reader = threading.Thread(target=_read, args=(source, given, stopped), name="ahead", daemon=True)
    reader.start()
    try:
        while not isinstance(item := given.get(), _End):
            yield item
        if item.error:
            raise item.error
    finally:
        stopped.set()
        while reader.is_alive():
            _drain(given)
            reader.join(0.01)


def _read(source: Iterable[T], given: queue.Queue[T | _End], stopped: threading.Event) -> None:
    error = None
    try:
        for item in source:
            given.put(item)
            if stopped.is_set():
                return
    except Exception as found:  # noqa: BLE001  it is raised again where it is read
        error = found
    given.put(_End(error))


def _drain(given: queue.Queue[T | _End]) -> None:
    while not given.empty():
        given.get_nowait()


def in_order(pool: Executor, work: Callable[[T], R], items: Iterable[T], depth: int) -> Iterator[R]:
    """Give work's results in the order of the items, up to `depth` of which are under way."""
    under_way: deque[Future[R]] = deque()
    try:
        for item in items:
            under_way.append(pool.submit(work, item))
            if len(under_way) > depth:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        for future in under_way:
            future.cancel()
