"""The measure tab: measures for five seconds, writes the rows and shows the numbers."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from functools import partial
from html import escape
from pathlib import Path

import viser

from remi_stream.config import CONTROL, Config
from remi_stream.errors import RemiError
from remi_stream.link import ask_control
from remi_stream.measure.meters import LONGEST_CONDITION, Meters, Sheet
from remi_stream.measure.pose_program import CONDITIONS
from remi_stream.measure.window import WINDOW_S
from remi_stream.messages import Bodies
from remi_stream.sinks.web.errands import Errands
from remi_stream.sinks.web.words import box, number, row

CUSTOM = CONDITIONS[-1]
BUTTON = f"Measure {WINDOW_S:g} s"

log = logging.getLogger("remi_stream")


class Noting(Meters):
    """Meters that keep the last written sheets for display."""

    sheets: Sequence[Sheet] = ()

    def measure(self, camera: str, condition: str, now: float) -> list[Sheet]:
        """Measure, and keep the sheets."""
        found = super().measure(camera, condition, now)
        self.sheets = found
        return found


class Measuring:
    """Widgets of the tab. The button starts a measurement of five seconds; only then are bodies collected."""

    def __init__(self, gui: viser.GuiApi, config: Config, errands: Errands) -> None:
        self._tasks, self._folder = errands, Path(config.measurements)
        self._meters = Noting(config.makers, partial(ask_control, config.port(CONTROL)))
        self._choice = gui.add_dropdown("Condition", CONDITIONS)
        self._custom_text = gui.add_text("Description", "", visible=False, hint=f"At most {LONGEST_CONDITION} characters")
        self._button = gui.add_button(BUTTON)
        self._status = gui.add_html("")
        self._requested = False
        self._camera, self._ends_at = "", float("-inf")
        self._writing = False
        self._status_html = said_nothing(self._folder)

        @self._button.on_click
        def _(_: viser.GuiEvent[viser.GuiButtonHandle]) -> None:
            self._requested = True

    @property
    def busy(self) -> bool:
        """Whether a measurement or its writing is in progress."""
        return self._ends_at > float("-inf") or self._writing

    def take(self, bodies: Bodies, now: float) -> None:
        """Collect bodies that arrived now, during a measurement."""
        if self._ends_at > float("-inf") and bodies.camera == self._camera:
            self._meters.take(bodies, now)

    def turn(self, camera: str, now: float) -> None:
        """Start a requested measurement of the selected camera, end one that is due. now: monotonic s."""
        if self._requested and not self.busy:
            self._camera, self._ends_at = camera, now + WINDOW_S
        self._requested = False
        if now >= self._ends_at > float("-inf"):
            self._ends_at, self._writing = float("-inf"), True
            condition = condition_of(self._choice.value, self._custom_text.value)
            self._tasks.run("measure", partial(self._write, self._camera, condition, now))

    def show(self, now: float) -> None:
        """Show the progress or the result. now: monotonic s."""
        self._custom_text.visible = self._choice.value == CUSTOM
        left_s = math.ceil(self._ends_at - now) if self._ends_at > float("-inf") else 0
        self._button.disabled = self.busy
        self._button.label = f"Measuring, {left_s} s left" if left_s > 0 else "Writing" if self._writing else BUTTON
        self._status.content = self._status_html

    def _write(self, camera: str, condition: str, now: float) -> None:
        try:
            paths = self._meters.record(camera, condition, self._folder, now)
            self._status_html = said(camera, condition, self._meters.sheets, paths)
            log.info("measured %s (%s): a row each in %s", camera, condition, ", ".join(map(str, paths)))
        except RemiError as error:
            self._status_html = said_error(str(error))
        finally:
            self._writing = False


def condition_of(chosen: str, own: str) -> str:
    """The condition's label: one of REMI's conditions, or the user's own text, cleaned."""
    if chosen != CUSTOM:
        return chosen if chosen in CONDITIONS else CUSTOM
    return cleaned(own) or CUSTOM


def cleaned(text: str) -> str:
    """One printable line of limited length, without leading signs that make a formula in a spreadsheet (CSV injection)."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split()).lstrip("=+-@ ")[:LONGEST_CONDITION].strip()


def said(camera: str, condition: str, sheets: Sequence[Sheet], paths: Sequence[Path]) -> str:
    """HTML of a measurement: the numbers of each sheet and the file they were written to."""
    head = f"<b>{escape(condition)}</b>, {escape(camera)}"
    return box(head + "".join(_sheet(sheet, path) for sheet, path in zip(sheets, paths)), "remi-measured")


def said_error(error: str) -> str:
    """HTML of a failed measurement."""
    return box(f'<span class="error">{escape(error)}</span>', "remi-measured")


def said_nothing(folder: Path) -> str:
    """HTML of what the button will do."""
    return box(f'<span class="dim wrap">Adds a row to the tables in {escape(str(folder))}</span>', "remi-measured")


def _sheet(sheet: Sheet, path: Path) -> str:
    lines = [
        row(escape(each.name), f"<b>{number(value, 2)}</b> {escape(each.unit)}")
        for each, value in zip(sheet.kind.quantities, sheet.numbers)
    ]
    return f'<div class="head">{escape(sheet.kind.name)}</div>{"".join(lines)}<div class="dim wrap">{escape(str(path))}</div>'
