"""Recording, off and on."""

from __future__ import annotations

from html import escape
from typing import Any

import viser

from remi_stream.messages import Health
from remi_stream.sinks.web.errands import Errands
from remi_stream.sinks.web.words import box, count

STATES = {
    "": "no recorder runs: start with --record DIR",
    "waiting": "waits for bodies",
    "on": "recording",
    "off": "switched off",
    "failed": "the recorder has given up: see the log",
}


class Recorder:
    """A switch; it shows what the recorder says, and nobody can turn it where none runs."""

    def __init__(self, gui: viser.GuiApi, errands: Errands) -> None:
        self._switch = gui.add_checkbox("Record", False, disabled=True)
        self._told = gui.add_html("")
        self._error = ""
        self._heard = ""

        @self._switch.on_update
        def _(event: viser.GuiEvent[viser.GuiCheckboxHandle]) -> None:
            if event.client is not None and not self._switch.disabled:
                errands.ask({"ask": "record", "on": bool(self._switch.value)}, self._keep)

    def show(self, health: Health | None) -> None:
        """Show how the recorder is (None: there is none)."""
        state = health.facts.get("recording", "waiting") if health else ""
        self._switch.disabled = state in ("", "failed")
        if state != self._heard:
            self._heard = state
            self._switch.value = state in ("on", "waiting")  # type: ignore[misc]  # mypy misses viser's setter
        self._told.content = told(state, health, self._error)

    def _keep(self, answer: dict[str, Any]) -> None:
        self._error = str(answer.get("error", ""))


def told(state: str, health: Health | None, error: str) -> str:
    """What the recorder does, and how much it has written."""
    counts = health.counts if health else {}
    written = f", {count(counts.get('bodies', 0))} bodies" if state == "on" else ""
    said = f"{escape(STATES.get(state, state))}{written}"
    return box(said + (f'<br><span class="error">{escape(error)}</span>' if error else ""), "remi-recorder")
