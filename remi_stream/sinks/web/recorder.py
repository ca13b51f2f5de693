"""The record switch: turns recording on and off, and shows the recorder's state."""

from __future__ import annotations

from html import escape
from typing import Any

import viser

from remi_stream.messages import Health
from remi_stream.sinks.web.errands import Errands
from remi_stream.sinks.web.words import box, count

STATES = {
    "": "no recorder: start with --record DIR",
    "waiting": "waiting for bodies",
    "on": "recording",
    "off": "switched off",
    "failed": "recording failed: see the log",
}
"""Text of each recorder state; "" without a recorder."""


class Recorder:
    """A checkbox that follows the recorder's state; disabled without a recorder."""

    def __init__(self, gui: viser.GuiApi, errands: Errands) -> None:
        self._switch = gui.add_checkbox("Record", False, disabled=True)
        self._status = gui.add_html("")
        self._error = ""
        self._state = ""

        @self._switch.on_update
        def _(event: viser.GuiEvent[viser.GuiCheckboxHandle]) -> None:
            if event.client is not None and not self._switch.disabled:
                errands.ask({"ask": "record", "on": bool(self._switch.value)}, self._store_error)

    def show(self, health: Health | None) -> None:
        """Show the recorder's state. health: None without a recorder."""
        state = health.facts.get("recording", "waiting") if health else ""
        self._switch.disabled = state in ("", "failed")
        if state != self._state:
            self._state = state
            self._switch.value = state in ("on", "waiting")  # type: ignore[misc]  # mypy misses viser's setter
        self._status.content = told(state, health, self._error)

    def _store_error(self, answer: dict[str, Any]) -> None:
        self._error = str(answer.get("error", ""))


def told(state: str, health: Health | None, error: str) -> str:
    """HTML of the recorder's state, of how much it has written, and of the last error."""
    counts = health.counts if health else {}
    written = f", {count(counts.get('bodies', 0))} bodies" if state == "on" else ""
    text = f"{escape(STATES.get(state, state))}{written}"
    return box(text + (f'<br><span class="error">{escape(error)}</span>' if error else ""), "remi-recorder")
