"""What smooths people: chosen here, changed by the relay."""

from __future__ import annotations

import time
from html import escape
from typing import Any, NamedTuple

import viser

from remi_stream.filters.choice import FILTERS
from remi_stream.filters.presets import PRESETS
from remi_stream.messages import CameraFacts
from remi_stream.sinks.web.errands import Errands
from remi_stream.sinks.web.words import box

NAMES = (*FILTERS, *(name for name, preset in PRESETS.items() if preset.kind != "none"))
"""Ours, then REMI's presets; its one for no filter is ours."""
PATIENCE_S = 10.0
"""A filter that was chosen is shown as chosen for so long, although people are still smoothed by the one before."""


class Knob(NamedTuple):
    """A slider for an option of a filter. unit: in its label."""

    label: str
    least: float
    most: float
    step: float


KNOBS = {
    ("one_euro", "min_cutoff"): Knob("At rest, Hz", 0.1, 5.0, 0.1),
    ("one_euro", "beta_turn"): Knob("Turning, Hz", 0.0, 10.0, 0.1),
    ("one_euro", "beta_move"): Knob("Moving, Hz", 0.0, 20.0, 0.5),
    ("single_exp", "time_s"): Knob("Time, s", 0.01, 0.5, 0.01),
    ("double_exp", "time_s"): Knob("Time, s", 0.01, 0.5, 0.01),
    ("double_exp", "trend_time_s"): Knob("Trend, s", 0.01, 0.5, 0.01),
    ("moving_avg", "window_s"): Knob("Window, s", 0.05, 1.0, 0.01),
}
"""What is worth turning while one looks."""

Options = dict[str, float]


class Filters:
    """Widgets. A choice holds for all cameras; the lag is that of the camera that is looked through."""

    def __init__(self, gui: viser.GuiApi, errands: Errands) -> None:
        self._errands = errands
        self._choice = gui.add_dropdown("Filter", NAMES)
        self._knobs = {of: self._knob(gui, of) for of in KNOBS}
        self._told = gui.add_html("")
        self._on = self._error = ""
        self._wish, self._wished_at = "", float("-inf")
        self._answer: dict[str, Any] | None = None
        self._options: tuple[str, Options] = ("", {})

        @self._choice.on_update
        def _(event: viser.GuiEvent[viser.GuiDropdownHandle[str]]) -> None:
            if event.client is not None and self._choice.value in NAMES:
                self._ask(self._choice.value, {})

    def show(self, facts: CameraFacts | None) -> None:
        """Show what is on, how late it makes people, and what came of a choice."""
        if facts is None:
            return
        answer, self._answer = self._answer, None
        if answer is not None:
            self._hear(answer, facts.camera)
        if facts.filter == self._wish or time.monotonic() - self._wished_at > PATIENCE_S:
            self._wish = ""
        if facts.filter != self._on:
            self._on = facts.filter
            self._errands.ask({"ask": "filter"}, self._keep)
        self._turn(self._wish or facts.filter)
        self._told.content = told(facts, self._wish, self._error)

    def _ask(self, name: str, options: Options) -> None:
        """Ask for a filter; an answer of before does not count any more."""
        self._answer, self._error = None, ""
        self._wish, self._wished_at = name, time.monotonic()
        self._errands.ask({"ask": "filter", "name": name, "options": options}, self._keep)

    def _keep(self, answer: dict[str, Any]) -> None:
        self._answer = answer

    def _hear(self, answer: dict[str, Any], camera: str) -> None:
        self._error = str(answer.get("error", ""))
        if self._error:
            self._wish = ""
        told = answer.get("filters", {}).get(camera, {})
        if told:
            self._set(str(told["name"]), told["options"])

    def _set(self, name: str, options: Options) -> None:
        """Put the sliders where the relay says that they are."""
        for (owner, option), slider in self._knobs.items():
            if owner == name and option in options:
                knob = KNOBS[owner, option]
                slider.value = min(knob.most, max(knob.least, float(options[option])))  # type: ignore[misc]  # mypy misses its setter

    def _turn(self, name: str) -> None:
        """Show a filter as chosen, with its sliders; one that is not in the list is told in words only."""
        if name in NAMES:
            self._choice.value = name  # type: ignore[misc]
        for (owner, _), slider in self._knobs.items():
            slider.visible = owner == name

    def _knob(self, gui: viser.GuiApi, of: tuple[str, str]) -> viser.GuiSliderHandle[float]:
        name, option = of
        knob = KNOBS[of]
        slider = gui.add_slider(knob.label, knob.least, knob.most, knob.step, float(FILTERS[name].options[option]), visible=False)

        @slider.on_update
        def _(event: viser.GuiEvent[viser.GuiSliderHandle[float]]) -> None:
            if event.client is not None:
                self._ask(name, {each: float(self._knobs[owner, each].value) for owner, each in KNOBS if owner == name})

        return slider


def told(facts: CameraFacts, wish: str, error: str) -> str:
    """What is on and how late it makes people; what is waited for; why it is not."""
    lag = "lag not measured yet" if facts.filter_lag_s is None else f"lag <b>{facts.filter_lag_s * 1000:.0f} ms</b>, as measured"
    lines = [
        f"<b>{escape(facts.filter)}</b> is on, {lag}" if facts.filter != "none" else "<b>none</b>: people as the engine sees them"
    ]
    if wish and wish != facts.filter:
        lines.append(f"waiting for {escape(wish)}")
    if error:
        lines.append(f'<span class="error">{escape(error)}</span>')
    return box("<br>".join(lines), "remi-filter")
