"""Measuring for five seconds, and what came of it."""

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
BEFORE_S = 1.0
"""Frames before the first measured one that it is compared with come from here."""

log = logging.getLogger("remi_stream")


class Noting(Meters):
    """Meters that keep the sheets that they have written, to be shown."""

    sheets: Sequence[Sheet] = ()

    def measure(self, camera: str, condition: str, now: float) -> list[Sheet]:
        """Measure, and keep it."""
        found = super().measure(camera, condition, now)
        self.sheets = found
        return found


class Measuring:
    """Widgets, and the five seconds that a press of the button begins; messages are looked at only while they last."""

    def __init__(self, gui: viser.GuiApi, config: Config, errands: Errands) -> None:
        self._errands, self._folder = errands, Path(config.measurements)
        self._meters = Noting(config.makers, partial(ask_control, config.port(CONTROL)))
        self._choice = gui.add_dropdown("Condition", CONDITIONS)
        self._own = gui.add_text("In words", "", visible=False, hint=f"At most {LONGEST_CONDITION} characters")
        self._button = gui.add_button(BUTTON)
        self._told = gui.add_html("")
        self._asked = False
        self._camera, self._ends_at = "", float("-inf")
        self._writing = False
        self._said = said_nothing(self._folder)

        @self._button.on_click
        def _(_: viser.GuiEvent[viser.GuiButtonHandle]) -> None:
            self._asked = True

    @property
    def busy(self) -> bool:
        """Whether it measures or writes."""
        return self._ends_at > float("-inf") or self._writing

    def take(self, bodies: Bodies, now: float) -> None:
        """Take bodies that came now, while it measures."""
        if self._ends_at > float("-inf") and bodies.camera == self._camera:
            self._meters.take(bodies, now)

    def turn(self, camera: str, now: float) -> None:
        """Begin if the button was pressed, end when the time has come. camera: that is looked through."""
        if self._asked and not self.busy:
            self._camera, self._ends_at = camera, now + WINDOW_S
        self._asked = False
        if now >= self._ends_at > float("-inf"):
            self._ends_at, self._writing = float("-inf"), True
            condition = condition_of(self._choice.value, self._own.value)
            self._errands.run("measure", partial(self._write, self._camera, condition, now))

    def show(self, now: float) -> None:
        """Show how far it is, or what came of it."""
        self._own.visible = self._choice.value == CUSTOM
        left_s = math.ceil(self._ends_at - now) if self._ends_at > float("-inf") else 0
        self._button.disabled = self.busy
        self._button.label = f"Measuring, {left_s} s left" if left_s > 0 else "Writing" if self._writing else BUTTON
        self._told.content = self._said

    def _write(self, camera: str, condition: str, now: float) -> None:
        try:
            paths = self._meters.record(camera, condition, self._folder, now)
            self._said = said(camera, condition, self._meters.sheets, paths)
            log.info("measured %s (%s): a row each in %s", camera, condition, ", ".join(map(str, paths)))
        except RemiError as error:
            self._said = said_error(str(error))
        finally:
            self._writing = False


def condition_of(chosen: str, own: str) -> str:
    """What is said to go on: one of REMI's conditions, or a person's own words, cleaned."""
    if chosen != CUSTOM:
        return chosen if chosen in CONDITIONS else CUSTOM
    return cleaned(own) or CUSTOM


def cleaned(text: str) -> str:
    """A line that can be printed and is not too long; what a spreadsheet would take for a formula loses its sign."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split()).lstrip("=+-@ ")[:LONGEST_CONDITION].strip()


def said(camera: str, condition: str, sheets: Sequence[Sheet], paths: Sequence[Path]) -> str:
    """The numbers of each file, and where they were written."""
    head = f"<b>{escape(condition)}</b>, {escape(camera)}"
    return box(head + "".join(_sheet(sheet, path) for sheet, path in zip(sheets, paths)), "remi-measured")


def said_error(error: str) -> str:
    """Why nothing was measured."""
    return box(f'<span class="error">{escape(error)}</span>', "remi-measured")


def said_nothing(folder: Path) -> str:
    """What the button would do."""
    return box(f'<span class="dim wrap">Adds a row to the tables in {escape(str(folder))}</span>', "remi-measured")


def _sheet(sheet: Sheet, path: Path) -> str:
    lines = [
        row(escape(each.name), f"<b>{number(value, 2)}</b> {escape(each.unit)}")
        for each, value in zip(sheet.kind.quantities, sheet.numbers)
    ]
    return f'<div class="head">{escape(sheet.kind.name)}</div>{"".join(lines)}<div class="dim wrap">{escape(str(path))}</div>'
