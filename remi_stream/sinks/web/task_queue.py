"""A background task queue, so that drawing never waits for the relay's control socket or a disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from remi_stream.errors import RemiError
from remi_stream.transport.address import DaemonAddress
from remi_stream.transport.link import send_control_request

OnAnswer = Callable[[dict[str, Any]], None]


class TaskQueue:
    """Runs tasks one by one on a thread. Of one kind only the newest pending one runs: a dragged slider sends one request."""

    def __init__(self, daemon: DaemonAddress) -> None:
        self.daemon = daemon
        """The daemon that control requests go to."""
        self._pending: dict[str, Callable[[], None]] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="tasks", daemon=True)
        self._thread.start()

    def ask_control(self, request: dict[str, Any], on_answer: OnAnswer, subject: str = "") -> None:
        """Send a control request; on_answer gets the answer, or {"error": one line}, on the queue's thread.

        subject: distinguishes requests of the same kind that must not replace each other, e.g. those of two cameras.
        """
        self.submit(f"{request['ask']} {subject}", lambda: on_answer(self._answer(request)))

    def submit(self, kind: str, task: Callable[[], None]) -> None:
        """Queue a task; it replaces a pending one of its kind."""
        with self._changed:
            self._pending[kind] = task
            self._changed.notify()

    def check_thread(self) -> None:
        """Raise RuntimeError if a task has died of an exception."""
        if not self._thread.is_alive() and not self._closed:
            raise RuntimeError("the task queue's thread has died of an exception; see the traceback above")

    def close(self) -> None:
        """Discard pending tasks and wait for the running one."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(3.0)

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        try:
            return send_control_request(self.daemon, question)
        except RemiError as error:
            return {"error": str(error)}

    def _work(self) -> None:
        while (task := self._next()) is not None:
            task()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._closed)
            # The kind that has waited longest: dicts keep the order of insertion, and a replacement keeps its place.
            return None if self._closed else self._pending.pop(next(iter(self._pending)))
