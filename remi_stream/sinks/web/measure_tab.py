"""The measure tab: measures for five seconds, writes the rows and shows the numbers."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from functools import partial
from html import escape
from pathlib import Path

import viser

from remi_stream.config import Config
from remi_stream.errors import RemiError
from remi_stream.measure.meters import MAX_CONDITION_LENGTH, CameraMeters, MeasurementRow
from remi_stream.measure.motion import WINDOW_S
from remi_stream.measure.remi_metrics import CONDITIONS
from remi_stream.messages import Bodies
from remi_stream.sinks.web.html import format_number, panel_box, panel_row
from remi_stream.sinks.web.task_queue import TaskQueue
from remi_stream.transport.link import send_control_request

CUSTOM_CONDITION = CONDITIONS[-1]
BUTTON_LABEL = f"Measure {WINDOW_S:g} s"

log = logging.getLogger("remi_stream")


class MeasureTab:
    """Widgets of the tab. The button starts a measurement of five seconds; only then are bodies collected."""

    def __init__(self, gui: viser.GuiApi, config: Config, tasks: TaskQueue) -> None:
        self._tasks, self._folder = tasks, Path(config.measurements)
        self._meters = CameraMeters(config.body_sources, partial(send_control_request, tasks.daemon))
        self._choice = gui.add_dropdown("Condition", CONDITIONS)
        self._custom_text = gui.add_text("Description", "", visible=False, hint=f"At most {MAX_CONDITION_LENGTH} characters")
        self._button = gui.add_button(BUTTON_LABEL)
        self._status = gui.add_html("")
        self._requested = False
        self._camera, self._ends_at = "", float("-inf")
        self._writing = False
        self._status_html = intro_html(self._folder)

        @self._button.on_click
        def _(_: viser.GuiEvent[viser.GuiButtonHandle]) -> None:
            self._requested = True

    @property
    def is_busy(self) -> bool:
        """Whether a measurement or its writing is in progress."""
        return self._ends_at > float("-inf") or self._writing

    def add(self, bodies: Bodies, now: float) -> None:
        """Collect bodies that arrived now, during a measurement."""
        if self._ends_at > float("-inf") and bodies.camera == self._camera:
            self._meters.add(bodies, now)

    def tick(self, camera: str, now: float) -> None:
        """Start a requested measurement of the selected camera, end one that is due. now: monotonic s."""
        if self._requested and not self.is_busy:
            self._camera, self._ends_at = camera, now + WINDOW_S
        self._requested = False
        if now >= self._ends_at > float("-inf"):
            self._ends_at, self._writing = float("-inf"), True
            condition = chosen_condition(self._choice.value, self._custom_text.value)
            self._tasks.submit("measure", partial(self._write, self._camera, condition, now))

    def show(self, now: float) -> None:
        """Show the progress or the result. now: monotonic s."""
        self._custom_text.visible = self._choice.value == CUSTOM_CONDITION
        left_s = math.ceil(self._ends_at - now) if self._ends_at > float("-inf") else 0
        self._button.disabled = self.is_busy
        self._button.label = f"Measuring, {left_s} s left" if left_s > 0 else "Writing" if self._writing else BUTTON_LABEL
        self._status.content = self._status_html

    def _write(self, camera: str, condition: str, now: float) -> None:
        try:
            rows = self._meters.measure(camera, condition, now)
            paths = self._meters.append(rows, camera, self._folder)
            self._status_html = result_html(camera, condition, rows, paths)
            log.info("measured %s (%s): a row each in %s", camera, condition, ", ".join(map(str, paths)))
        except RemiError as error:
            self._status_html = error_html(str(error))
        finally:
            self._writing = False


def chosen_condition(chosen: str, custom_text: str) -> str:
    """The condition's label: one of REMI's conditions, or the user's own text, cleaned."""
    if chosen != CUSTOM_CONDITION:
        return chosen if chosen in CONDITIONS else CUSTOM_CONDITION
    return clean_text(custom_text) or CUSTOM_CONDITION


def clean_text(text: str) -> str:
    """One printable line of limited length, without leading signs that make a formula in a spreadsheet (CSV injection)."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split()).lstrip("=+-@ ")[:MAX_CONDITION_LENGTH].strip()


def result_html(camera: str, condition: str, rows: Sequence[MeasurementRow], paths: Sequence[Path]) -> str:
    """HTML of a measurement: the numbers of each row and the file they were written to."""
    head = f"<b>{escape(condition)}</b>, {escape(camera)}"
    return panel_box(head + "".join(_row_html(row, path) for row, path in zip(rows, paths)), "remi-measured")


def error_html(error: str) -> str:
    """HTML of a failed measurement."""
    return panel_box(f'<span class="error">{escape(error)}</span>', "remi-measured")


def intro_html(folder: Path) -> str:
    """HTML of what the button will do."""
    return panel_box(f'<span class="dim wrap">Adds a row to the tables in {escape(str(folder))}</span>', "remi-measured")


def _row_html(row: MeasurementRow, path: Path) -> str:
    lines = [
        panel_row(escape(each.name), f"<b>{format_number(value, 2)}</b> {escape(each.unit)}")
        for each, value in zip(row.kind.quantities, row.numbers)
    ]
    return f'<div class="head">{escape(row.kind.name)}</div>{"".join(lines)}<div class="dim wrap">{escape(str(path))}</div>'
