"""The filter tab: choose the filter and its options; the relay applies them."""

from __future__ import annotations

import time
from html import escape
from typing import Any, NamedTuple

import viser

from remi_stream.errors import RemiError, reading_answer
from remi_stream.filters.registry import FILTERS, PRESETS
from remi_stream.messages import CameraFacts
from remi_stream.sinks.web.html import panel_box
from remi_stream.sinks.web.task_queue import TaskQueue

FILTER_NAMES = (*FILTERS, *(name for name, preset in PRESETS.items() if preset.kind != "none"))
"""Our filters, then REMI's presets, except its preset without a filter, which is our `none`."""
PENDING_TIMEOUT_S = 10.0
"""Time that a requested filter is shown as chosen before the relay reports it as active, s."""


class FilterSlider(NamedTuple):
    """The settings of a slider for an option of a filter."""

    label: str
    """With the unit."""
    minimum: float
    maximum: float
    step: float


FILTER_SLIDERS = {
    ("one_euro", "min_cutoff"): FilterSlider("At rest, Hz", 0.1, 5.0, 0.1),
    ("one_euro", "beta_turn"): FilterSlider("Turning, Hz", 0.0, 10.0, 0.1),
    ("one_euro", "beta_move"): FilterSlider("Moving, Hz", 0.0, 20.0, 0.5),
    ("single_exp", "time_s"): FilterSlider("Time, s", 0.01, 0.5, 0.01),
    ("double_exp", "time_s"): FilterSlider("Time, s", 0.01, 0.5, 0.01),
    ("double_exp", "trend_time_s"): FilterSlider("Trend, s", 0.01, 0.5, 0.01),
    ("moving_avg", "window_s"): FilterSlider("Window, s", 0.05, 1.0, 0.01),
}
"""By (filter, option); all other options can be changed with `remi-stream control filter`."""

FilterOptions = dict[str, float]


class FilterTab:
    """Widgets of the tab. A choice applies to all cameras; the lag shown is the selected camera's."""

    def __init__(self, gui: viser.GuiApi, tasks: TaskQueue) -> None:
        self._tasks = tasks
        self._choice = gui.add_dropdown("Filter", FILTER_NAMES)
        self._sliders = {of: self._slider(gui, of) for of in FILTER_SLIDERS}
        self._status = gui.add_html("")
        self._active = self._error = ""
        self._pending, self._requested_at = "", float("-inf")
        self._answer: dict[str, Any] | None = None
        self._options: tuple[str, FilterOptions] = ("", {})

        # async: a plain function is called later in another thread, when `show` may have set the widget to the old value again
        @self._choice.on_update
        async def _(event: viser.GuiEvent[viser.GuiDropdownHandle[str]]) -> None:
            # Without a client the change comes from this program, not from a user.
            if event.client is not None and self._choice.value in FILTER_NAMES:
                self._ask(self._choice.value, {})

    def show(self, facts: CameraFacts | None) -> None:
        """Show the active filter, its lag, and the result of a request."""
        if facts is None:
            return
        answer, self._answer = self._answer, None
        if answer is not None:
            self._apply_answer(answer, facts.camera)
        if facts.filter == self._pending or time.monotonic() - self._requested_at > PENDING_TIMEOUT_S:
            self._pending = ""
        # Camera facts carry the filter's name only; its options are requested from the relay.
        if facts.filter != self._active:
            self._active = facts.filter
            self._tasks.ask_control({"ask": "filter"}, self._store_answer)
        self._show_choice(self._pending or facts.filter)
        self._status.content = filter_html(facts, self._pending, self._error)

    def _ask(self, name: str, options: FilterOptions) -> None:
        """Request a filter; an earlier answer is void."""
        self._answer, self._error = None, ""
        self._pending, self._requested_at = name, time.monotonic()
        self._tasks.ask_control({"ask": "filter", "name": name, "options": options}, self._store_answer)

    def _store_answer(self, answer: dict[str, Any]) -> None:
        self._answer = answer

    def _apply_answer(self, answer: dict[str, Any], camera: str) -> None:
        self._error = str(answer.get("error", ""))
        if self._error:
            self._pending = ""
        try:
            with reading_answer("The daemon"):
                filter_ = answer.get("filters", {}).get(camera, {})
                if filter_:
                    self._set_sliders(str(filter_["name"]), filter_["options"])
        except RemiError as error:
            self._error = str(error)

    def _set_sliders(self, name: str, options: FilterOptions) -> None:
        """Set the sliders to the options that the relay reports."""
        for (owner, option), slider in self._sliders.items():
            if owner == name and option in options:
                settings = FILTER_SLIDERS[owner, option]
                slider.value = min(settings.maximum, max(settings.minimum, float(options[option])))  # type: ignore[misc]  # mypy misses its setter

    def _show_choice(self, name: str) -> None:
        """Show a filter as chosen, with its sliders; one that is not in the list stands in the status only."""
        if name in FILTER_NAMES:
            self._choice.value = name  # type: ignore[misc]
        for (owner, _), slider in self._sliders.items():
            slider.visible = owner == name

    def _slider(self, gui: viser.GuiApi, of: tuple[str, str]) -> viser.GuiSliderHandle[float]:
        name, option = of
        settings = FILTER_SLIDERS[of]
        slider = gui.add_slider(
            settings.label, settings.minimum, settings.maximum, settings.step, float(FILTERS[name].options[option]), visible=False
        )

        @slider.on_update
        async def _(event: viser.GuiEvent[viser.GuiSliderHandle[float]]) -> None:
            if event.client is not None:
                self._ask(
                    name, {each: float(self._sliders[owner, each].value) for owner, each in FILTER_SLIDERS if owner == name}
                )

        return slider


def filter_html(facts: CameraFacts, pending: str, error: str) -> str:
    """HTML of the active filter with its measured lag, the requested filter and the last error."""
    lag = "lag not measured yet" if facts.filter_lag_s is None else f"measured lag <b>{facts.filter_lag_s * 1000:.0f} ms</b>"
    lines = [f"<b>{escape(facts.filter)}</b> is active, {lag}" if facts.filter != "none" else "<b>none</b>: the engine's output"]
    if pending and pending != facts.filter:
        lines.append(f"waiting for {escape(pending)}")
    if error:
        lines.append(f'<span class="error">{escape(error)}</span>')
    return panel_box("<br>".join(lines), "remi-filter")
