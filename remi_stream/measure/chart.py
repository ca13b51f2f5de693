"""Draw a comparison as PNG: a panel per quantity with a pair of bars per condition."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from remi_stream.errors import UsageError
from remi_stream.measure.canvas import Canvas, Rgb, shortened, text_width, wrapped
from remi_stream.measure.comparison import Comparison, Line
from remi_stream.measure.quantities import Quantity

WIDTH, MARGIN, GAP, INNER = 1380, 36, 18, 18
COLUMNS = 3
MOST_CONDITIONS = 20
HEAD = 92
PANEL_HEAD = 58
BAR, BETWEEN_BARS, BETWEEN_PAIRS = 15, 3, 13
SHORTEST = 1.5
"""Smallest width of a bar, px, so that any value above 0 is visible."""
PAIR = 2 * BAR + BETWEEN_BARS
LABEL_MOST, VALUE_ROOM = 118, 76
INK, FAINT, EDGE, PANEL = (31, 36, 48), (112, 120, 134), (206, 211, 220), (246, 247, 250)
COLOURS: tuple[Rgb, Rgb] = ((72, 130, 201), (235, 137, 84))
GOOD = (38, 148, 86)
TITLE_SIZE, NAME_SIZE, TEXT_SIZE = 25, 17, 13


class Panel(NamedTuple):
    """One quantity, with a pair of bars per condition."""

    quantity: Quantity
    labels: tuple[str, ...]
    lines: tuple[Line, ...]


def draw(comparison: Comparison, path: Path) -> None:
    """Draw a comparison into a PNG file. Raises RemiError if it cannot be written, UsageError for too many conditions."""
    if len(comparison.chapters) > MOST_CONDITIONS:
        raise UsageError(f"An image has room for {MOST_CONDITIONS} conditions, the files have {len(comparison.chapters)}.")
    panels = list(panels_of(comparison))
    rows = -(-len(panels) // COLUMNS)
    height = panel_height(comparison)
    canvas = Canvas(WIDTH, HEAD + rows * (height + GAP) - GAP + MARGIN)
    _head(canvas, comparison)
    width = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
    for number, panel in enumerate(panels):
        row, column = divmod(number, COLUMNS)
        _panel(canvas, panel, MARGIN + column * (width + GAP), HEAD + row * (height + GAP), width, height)
    canvas.save(path)


def panels_of(comparison: Comparison) -> Iterator[Panel]:
    """Yield a panel for each quantity that at least one file has."""
    labels = tuple(chapter.condition for chapter in comparison.chapters)
    for number, quantity in enumerate(comparison.kind.quantities):
        lines = tuple(chapter.lines[number] for chapter in comparison.chapters)
        if any(value == value for line in lines for value in (line.first, line.second)):
            yield Panel(quantity, labels if len(labels) > 1 else ("",), lines)


def panel_height(comparison: Comparison) -> float:
    """Return the height of a panel, px; all are equally high."""
    pairs = len(comparison.chapters)
    return PANEL_HEAD + pairs * PAIR + (pairs - 1) * BETWEEN_PAIRS + INNER


def _head(canvas: Canvas, comparison: Comparison) -> None:
    """Draw the legend and the subtitle."""
    x = float(MARGIN)
    for name, colour in zip(comparison.names, COLOURS):
        canvas.box((x, MARGIN + 1, x + 20, MARGIN + 21), colour, radius=5)
        canvas.text(x + 30, MARGIN + 11, name, TITLE_SIZE, INK, "lm")
        x += 30 + text_width(name, TITLE_SIZE) + 34
    subtitle = [comparison.kind.name, *_conditions(comparison)]
    canvas.text(MARGIN, MARGIN + 38, ", ".join(subtitle), TEXT_SIZE, FAINT, "lm")
    canvas.check(WIDTH - MARGIN - 10 - text_width("the better one", TEXT_SIZE) - 12, MARGIN + 11, GOOD)
    canvas.text(WIDTH - MARGIN, MARGIN + 11, "the better one", TEXT_SIZE, FAINT, "rm")


def _conditions(comparison: Comparison) -> list[str]:
    """Return subtitle texts of a single condition; several are labelled beside their bars."""
    if len(comparison.chapters) > 1:
        return ["means by condition"]
    chapter = comparison.chapters[0]
    return [f"condition {chapter.condition}", f"means of {chapter.rows[0]} and {chapter.rows[1]} rows"]


def _panel(canvas: Canvas, panel: Panel, x: float, y: float, width: float, height: float) -> None:
    """Draw a panel: the quantity's name, and bars from a common zero."""
    canvas.box((x, y, x + width, y + height), PANEL, radius=10)
    canvas.text(x + INNER, y + 20, panel.quantity.name, NAME_SIZE, INK, "lm")
    canvas.text(x + INNER, y + 40, direction(panel.quantity), TEXT_SIZE, FAINT, "lm")
    labels = min(LABEL_MOST, max(text_width(label, TEXT_SIZE) for label in panel.labels))
    start = x + INNER + (labels + 10 if labels else 0)
    most = max((value for line in panel.lines for value in (line.first, line.second) if value == value), default=0.0)
    per_unit = (x + width - VALUE_ROOM - start) / most if most > 0 else 0.0
    top = y + PANEL_HEAD
    canvas.box((start - 1, top - 4, start, y + height - INNER + 4), EDGE)
    for label, line in zip(panel.labels, panel.lines):
        _label(canvas, label, start - 10, top + PAIR / 2)
        _pair(canvas, line, start, top, per_unit)
        top += PAIR + BETWEEN_PAIRS


def _pair(canvas: Canvas, line: Line, start: float, top: float, per_unit: float) -> None:
    """Draw two bars, their numbers, and a check mark at the better one."""
    for number, value in enumerate((line.first, line.second)):
        y = top + number * (BAR + BETWEEN_BARS)
        middle = y + BAR / 2
        if value != value:
            canvas.text(start + 7, middle, "not measured", TEXT_SIZE - 1, FAINT, "lm")
            continue
        end = start + max(value * per_unit, SHORTEST if value > 0 else 0)
        if end > start:
            canvas.bar((start, y, end, y + BAR), COLOURS[number])
        better = line.better == number
        canvas.text(end + 7, middle, short(value), TEXT_SIZE, INK if better or line.better is None else FAINT, "lm")
        if better:
            canvas.check(end + 7 + text_width(short(value), TEXT_SIZE) + 12, middle, GOOD)


def _label(canvas: Canvas, label: str, x: float, y: float) -> None:
    """Draw a condition's label, right-aligned at x, in two lines at most."""
    lines = [shortened(line, TEXT_SIZE, LABEL_MOST) for line in wrapped(label, TEXT_SIZE, LABEL_MOST)[:2]]
    for number, line in enumerate(lines):
        canvas.text(x, y + (number - (len(lines) - 1) / 2) * (TEXT_SIZE + 3), line, TEXT_SIZE, INK, "rm")


def direction(quantity: Quantity) -> str:
    """Return the unit, and which direction is better."""
    better = f"{quantity.better} is better" if quantity.better else "neither way is better"
    return f"{quantity.unit}, {better}" if quantity.unit else better


def short(value: float) -> str:
    """Format a number with about three significant digits."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.2g}"
