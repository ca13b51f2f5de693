"""Draw a comparison as PNG: a panel per quantity with a pair of bars per condition."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from remi_stream.errors import UsageError
from remi_stream.measure.canvas import Canvas, Rgb, text_width, truncate_text, wrap_text
from remi_stream.measure.comparison import ComparedQuantity, Comparison
from remi_stream.measure.table import Quantity

WIDTH, MARGIN, GAP, PADDING = 1380, 36, 18, 18
COLUMNS = 3
MAX_CONDITIONS = 20
HEAD_HEIGHT = 92
PANEL_HEAD_HEIGHT = 58
BAR_HEIGHT, BAR_GAP, PAIR_GAP = 15, 3, 13
MIN_BAR_PX = 1.5
"""Smallest width of a bar, px, so that any value above 0 is visible."""
PAIR_HEIGHT = 2 * BAR_HEIGHT + BAR_GAP
MAX_LABEL_WIDTH, VALUE_WIDTH = 118, 76
TEXT_COLOUR, MUTED_COLOUR, AXIS_COLOUR, PANEL_COLOUR = (31, 36, 48), (112, 120, 134), (206, 211, 220), (246, 247, 250)
BAR_COLOURS: tuple[Rgb, Rgb] = ((72, 130, 201), (235, 137, 84))
BETTER_COLOUR = (38, 148, 86)
TITLE_SIZE, NAME_SIZE, TEXT_SIZE = 25, 17, 13


class QuantityPanel(NamedTuple):
    """One quantity, with a pair of bars per condition."""

    quantity: Quantity
    labels: tuple[str, ...]
    lines: tuple[ComparedQuantity, ...]


def draw_comparison(comparison: Comparison, path: Path) -> None:
    """Draw a comparison into a PNG file. Raises RemiError if it cannot be written, UsageError for too many conditions."""
    if len(comparison.conditions) > MAX_CONDITIONS:
        raise UsageError(f"An image has room for {MAX_CONDITIONS} conditions, the files have {len(comparison.conditions)}.")
    panels = list(quantity_panels(comparison))
    rows = -(-len(panels) // COLUMNS)
    height = panel_height(comparison)
    canvas = Canvas(WIDTH, HEAD_HEIGHT + rows * (height + GAP) - GAP + MARGIN)
    _head(canvas, comparison)
    width = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
    for number, panel in enumerate(panels):
        row, column = divmod(number, COLUMNS)
        _panel(canvas, panel, MARGIN + column * (width + GAP), HEAD_HEIGHT + row * (height + GAP), width, height)
    canvas.save(path)


def quantity_panels(comparison: Comparison) -> Iterator[QuantityPanel]:
    """Yield a panel for each quantity that at least one file has."""
    labels = tuple(chapter.condition for chapter in comparison.conditions)
    for number, quantity in enumerate(comparison.kind.quantities):
        lines = tuple(chapter.quantities[number] for chapter in comparison.conditions)
        if any(value == value for line in lines for value in (line.first, line.second)):
            yield QuantityPanel(quantity, labels if len(labels) > 1 else ("",), lines)


def panel_height(comparison: Comparison) -> float:
    """Return the height of a panel, px; all are equally high."""
    pairs = len(comparison.conditions)
    return PANEL_HEAD_HEIGHT + pairs * PAIR_HEIGHT + (pairs - 1) * PAIR_GAP + PADDING


def _head(canvas: Canvas, comparison: Comparison) -> None:
    """Draw the legend and the subtitle."""
    x = float(MARGIN)
    for name, colour in zip(comparison.names, BAR_COLOURS):
        canvas.fill_box((x, MARGIN + 1, x + 20, MARGIN + 21), colour, radius=5)
        canvas.draw_text(x + 30, MARGIN + 11, name, TITLE_SIZE, TEXT_COLOUR, "lm")
        x += 30 + text_width(name, TITLE_SIZE) + 34
    subtitle = [comparison.kind.name, *_conditions(comparison)]
    canvas.draw_text(MARGIN, MARGIN + 38, ", ".join(subtitle), TEXT_SIZE, MUTED_COLOUR, "lm")
    canvas.draw_check_mark(WIDTH - MARGIN - 10 - text_width("the better one", TEXT_SIZE) - 12, MARGIN + 11, BETTER_COLOUR)
    canvas.draw_text(WIDTH - MARGIN, MARGIN + 11, "the better one", TEXT_SIZE, MUTED_COLOUR, "rm")


def _conditions(comparison: Comparison) -> list[str]:
    """Return subtitle texts of a single condition; several are labelled beside their bars."""
    if len(comparison.conditions) > 1:
        return ["means by condition"]
    chapter = comparison.conditions[0]
    return [f"condition {chapter.condition}", f"means of {chapter.rows[0]} and {chapter.rows[1]} rows"]


def _panel(canvas: Canvas, panel: QuantityPanel, x: float, y: float, width: float, height: float) -> None:
    """Draw a panel: the quantity's name, and bars from a common zero."""
    canvas.fill_box((x, y, x + width, y + height), PANEL_COLOUR, radius=10)
    canvas.draw_text(x + PADDING, y + 20, panel.quantity.name, NAME_SIZE, TEXT_COLOUR, "lm")
    canvas.draw_text(x + PADDING, y + 40, direction_text(panel.quantity), TEXT_SIZE, MUTED_COLOUR, "lm")
    labels = min(MAX_LABEL_WIDTH, max(text_width(label, TEXT_SIZE) for label in panel.labels))
    start = x + PADDING + (labels + 10 if labels else 0)
    most = max((value for line in panel.lines for value in (line.first, line.second) if value == value), default=0.0)
    per_unit = (x + width - VALUE_WIDTH - start) / most if most > 0 else 0.0
    top = y + PANEL_HEAD_HEIGHT
    canvas.fill_box((start - 1, top - 4, start, y + height - PADDING + 4), AXIS_COLOUR)
    for label, line in zip(panel.labels, panel.lines):
        _label(canvas, label, start - 10, top + PAIR_HEIGHT / 2)
        _pair(canvas, line, start, top, per_unit)
        top += PAIR_HEIGHT + PAIR_GAP


def _pair(canvas: Canvas, line: ComparedQuantity, start: float, top: float, per_unit: float) -> None:
    """Draw two bars, their numbers, and a check mark at the better one."""
    for number, value in enumerate((line.first, line.second)):
        y = top + number * (BAR_HEIGHT + BAR_GAP)
        middle = y + BAR_HEIGHT / 2
        if value != value:
            canvas.draw_text(start + 7, middle, "not measured", TEXT_SIZE - 1, MUTED_COLOUR, "lm")
            continue
        end = start + max(value * per_unit, MIN_BAR_PX if value > 0 else 0)
        if end > start:
            canvas.fill_bar((start, y, end, y + BAR_HEIGHT), BAR_COLOURS[number])
        better = line.better == number
        canvas.draw_text(
            end + 7,
            middle,
            format_number_short(value),
            TEXT_SIZE,
            TEXT_COLOUR if better or line.better is None else MUTED_COLOUR,
            "lm",
        )
        if better:
            canvas.draw_check_mark(end + 7 + text_width(format_number_short(value), TEXT_SIZE) + 12, middle, BETTER_COLOUR)


def _label(canvas: Canvas, label: str, x: float, y: float) -> None:
    """Draw a condition's label, right-aligned at x, in two lines at most."""
    lines = [truncate_text(line, TEXT_SIZE, MAX_LABEL_WIDTH) for line in wrap_text(label, TEXT_SIZE, MAX_LABEL_WIDTH)[:2]]
    for number, line in enumerate(lines):
        canvas.draw_text(x, y + (number - (len(lines) - 1) / 2) * (TEXT_SIZE + 3), line, TEXT_SIZE, TEXT_COLOUR, "rm")


def direction_text(quantity: Quantity) -> str:
    """Return the unit, and which direction is better."""
    better = f"{quantity.better} is better" if quantity.better else "neither way is better"
    return f"{quantity.unit}, {better}" if quantity.unit else better


def format_number_short(value: float) -> str:
    """Format a number with about three significant digits."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.2g}"
