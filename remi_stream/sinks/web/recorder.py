"""The record switch: turns recording on and off, and shows the recorder's state."""

from __future__ import annotations

from html import escape
from typing import Any

import viser

from remi_stream.messages import Health
from remi_stream.sinks.web.errands import TaskQueue
from remi_stream.sinks.web.words import format_count, panel_box

RECORDER_STATE_TEXTS = {
    "": "no recorder: start with --record DIR",
    "waiting": "waiting for bodies",
    "on": "recording",
    "off": "switched off",
    "failed": "recording failed: see the log",
}
"""Text of each recorder state; "" without a recorder."""


class RecordSwitch:
    """A checkbox that follows the recorder's state; disabled without a recorder."""

    def __init__(self, gui: viser.GuiApi, tasks: TaskQueue) -> None:
        self._switch = gui.add_checkbox("Record", False, disabled=True)
        self._status = gui.add_html("")
        self._error = ""
        self._state = ""

        @self._switch.on_update
        def _(event: viser.GuiEvent[viser.GuiCheckboxHandle]) -> None:
            if event.client is not None and not self._switch.disabled:
                tasks.ask_control({"ask": "record", "on": bool(self._switch.value)}, self._store_error)

    def show(self, health: Health | None) -> None:
        """Show the recorder's state. health: None without a recorder."""
        state = health.facts.get("recording", "waiting") if health else ""
        self._switch.disabled = state in ("", "failed")
        if state != self._state:
            self._state = state
            self._switch.value = state in ("on", "waiting")  # type: ignore[misc]  # mypy misses viser's setter
        self._status.content = recorder_html(state, health, self._error)

    def _store_error(self, answer: dict[str, Any]) -> None:
        self._error = str(answer.get("error", ""))


def recorder_html(state: str, health: Health | None, error: str) -> str:
    """HTML of the recorder's state, of how much it has written, and of the last error."""
    counts = health.counts if health else {}
    written = f", {format_count(counts.get('bodies', 0))} bodies" if state == "on" else ""
    text = f"{escape(RECORDER_STATE_TEXTS.get(state, state))}{written}"
    return panel_box(text + (f'<br><span class="error">{escape(error)}</span>' if error else ""), "remi-recorder")
