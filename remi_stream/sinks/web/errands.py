"""What takes time, done by a thread of its own: nobody who draws waits for the relay or for a disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from remi_stream.errors import RemiError
from remi_stream.link import ask_control

Heard = Callable[[dict[str, Any]], None]


class Errands:
    """One errand after another. Of those of a kind that wait only the newest is run: a slider that is dragged asks once.

    port: of the relay that is asked.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._waiting: dict[str, Callable[[], None]] = {}
        self._changed = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._work, name="errands", daemon=True)
        self._thread.start()

    def ask(self, question: dict[str, Any], heard: Heard, about: str = "") -> None:
        """Ask the relay; heard is given its answer, or {"error": one line}, on the errands' thread.

        about: what of the thing that is asked; of another one a question that waits is another kind, which is asked, too.
        """
        self.run(f"{question['ask']} {about}", lambda: heard(self._answer(question)))

    def run(self, kind: str, errand: Callable[[], None]) -> None:
        """Run it soon, instead of one of its kind that waits."""
        with self._changed:
            self._waiting[kind] = errand
            self._changed.notify()

    def check(self) -> None:
        """Raise RuntimeError if an errand has ended by an error of ours."""
        if not self._thread.is_alive() and not self._over:
            raise RuntimeError("the errands' thread has ended by an error; see the traceback above")

    def close(self) -> None:
        """Run no more, once the one that runs is done."""
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join(3.0)

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        try:
            return ask_control(self._port, question)
        except RemiError as error:
            return {"error": str(error)}

    def _work(self) -> None:
        while (errand := self._next()) is not None:
            errand()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._over)
            return None if self._over else self._waiting.pop(next(iter(self._waiting)))
