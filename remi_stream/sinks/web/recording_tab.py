"""Widgets for recordings: the record switch, and the controls of a recording that is played."""

from __future__ import annotations

import time
from html import escape
from typing import Any

import viser

from remi_stream.messages import CameraFacts, Health
from remi_stream.sinks.web.html import format_count, panel_box
from remi_stream.sinks.web.task_queue import TaskQueue

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

        # async, as in filter_tab.py: `show` must not set the widget back before its value is read
        @self._switch.on_update
        async def _(event: viser.GuiEvent[viser.GuiCheckboxHandle]) -> None:
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


# Playback

KEEP_INPUT_S = 1.0
"""Time after user input in which widgets are not updated, s: playback needs a moment to follow."""
SEEK_STEP_S = 0.01


class PlaybackControls:
    """Position and pause; hidden unless the selected camera is a recording."""

    def __init__(self, gui: viser.GuiApi, tasks: TaskQueue) -> None:
        self._tasks = tasks
        self._second = gui.add_slider("Second", 0.0, 1.0, SEEK_STEP_S, 0.0, visible=False)
        self._pause = gui.add_checkbox("Pause", False, visible=False)
        self._error_html = gui.add_html("", visible=False)
        self._camera = self._error = ""
        self._input_at = float("-inf")

        @self._second.on_update
        async def _(event: viser.GuiEvent[viser.GuiSliderHandle[float]]) -> None:
            if event.client is not None:
                self._ask(seek_s=min(max(float(self._second.value), 0.0), float(self._second.max)))

        @self._pause.on_update
        async def _(event: viser.GuiEvent[viser.GuiCheckboxHandle]) -> None:
            if event.client is not None:
                self._ask(paused=bool(self._pause.value))

    def show(self, facts: CameraFacts | None) -> None:
        """Show the selected camera's playback position."""
        playing = facts.playing if facts else None
        for widget in (self._second, self._pause, self._error_html):
            widget.visible = playing is not None
        if facts is None or playing is None:
            return
        self._camera = facts.camera
        self._error_html.content = panel_box(f'<span class="error">{escape(self._error)}</span>', "remi-player")
        if time.monotonic() - self._input_at > KEEP_INPUT_S:
            self._second.max = round(playing.length_s + SEEK_STEP_S / 2, 2)
            self._second.value = round(min(playing.position_s, playing.length_s), 2)  # type: ignore[misc]  # mypy misses its setter
            self._pause.value = playing.paused  # type: ignore[misc]

    def _ask(self, **changes: Any) -> None:
        self._input_at = time.monotonic()
        self._tasks.ask_control(
            {"ask": "play", "camera": self._camera, **changes}, self._store_error, f"{self._camera} {' '.join(changes)}"
        )

    def _store_error(self, answer: dict[str, Any]) -> None:
        self._error = str(answer.get("error", ""))
