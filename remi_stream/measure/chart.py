"""Draw a comparison as PNG: a card per quantity with a pair of bars per condition."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from remi_stream.errors import UsageError
from remi_stream.measure.comparison import ComparedQuantity, Comparison
from remi_stream.measure.table import Quantity
from remi_stream.render.chart import (
    BAR_COLOURS,
    BETTER_COLOUR,
    CARD_HEAD_HEIGHT,
    CHECK_MARK,
    GAP,
    MARGIN,
    MUTED_COLOUR,
    PADDING,
    TITLE_SIZE,
    WIDTH,
    BarLabel,
    BarRow,
    Box,
    ChartCanvas,
)

COLUMNS = 3
MAX_CONDITIONS = 20
HEAD_HEIGHT = 92
ROW_HEIGHT, BAR_HEIGHT = 46, 15
VALUE_WIDTH = 76
"""Room for the numbers right of the bars, px."""


class QuantityCard(NamedTuple):
    """One quantity, with a pair of bars per condition."""

    quantity: Quantity
    names: tuple[str, ...]
    """Names of the conditions; "" for a single one."""
    lines: tuple[ComparedQuantity, ...]


def draw_comparison(comparison: Comparison, path: Path) -> None:
    """Draw a comparison into a PNG file. Raises RemiError if it cannot be written, UsageError for too many conditions."""
    if len(comparison.conditions) > MAX_CONDITIONS:
        raise UsageError(f"An image has room for {MAX_CONDITIONS} conditions, the files have {len(comparison.conditions)}.")
    cards = list(quantity_cards(comparison))
    rows = -(-len(cards) // COLUMNS)
    height = CARD_HEAD_HEIGHT + len(comparison.conditions) * ROW_HEIGHT + PADDING / 2
    canvas = ChartCanvas(HEAD_HEIGHT + rows * (height + GAP) - GAP + MARGIN)
    _draw_head(canvas, comparison)
    width = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
    for number, card in enumerate(cards):
        row, column = divmod(number, COLUMNS)
        x, y = MARGIN + column * (width + GAP), HEAD_HEIGHT + row * (height + GAP)
        _draw_card(canvas, card, Box(x, y, x + width, y + height))
    canvas.save(path)


def quantity_cards(comparison: Comparison) -> Iterator[QuantityCard]:
    """Yield a card for each quantity that at least one file has."""
    names = tuple(each.condition for each in comparison.conditions)
    for number, quantity in enumerate(comparison.kind.quantities):
        lines = tuple(each.quantities[number] for each in comparison.conditions)
        # value == value: not NaN
        if any(value == value for line in lines for value in (line.first, line.second)):
            yield QuantityCard(quantity, names if len(names) > 1 else ("",), lines)


def _draw_head(canvas: ChartCanvas, comparison: Comparison) -> None:
    """Draw the legend and the subtitle."""
    x = float(MARGIN)
    for name, colour in zip(comparison.names, BAR_COLOURS):
        canvas.draw_mark(x, MARGIN + 11, 20, colour)
        x += 30 + canvas.draw_text(x + 30, MARGIN + 11, name, TITLE_SIZE) + 34
    canvas.draw_text(MARGIN, MARGIN + 38, ", ".join([comparison.kind.name, *_conditions(comparison)]), colour=MUTED_COLOUR)
    canvas.draw_text(WIDTH - MARGIN, MARGIN + 11, f"{CHECK_MARK} the better one", colour=BETTER_COLOUR, align="right")


def _conditions(comparison: Comparison) -> list[str]:
    """Return subtitle texts of a single condition; several are labelled beside their bars."""
    if len(comparison.conditions) > 1:
        return ["means by condition"]
    only = comparison.conditions[0]
    return [f"condition {only.condition}", f"means of {only.rows[0]} and {only.rows[1]} rows"]


def _draw_card(canvas: ChartCanvas, card: QuantityCard, box: Box) -> None:
    """Draw a card: the quantity's name, and bars from a common zero."""
    canvas.draw_card(box, card.quantity.name, direction_text(card.quantity))
    rows = [BarRow(name, (line.first, line.second), _bar_labels(line)) for name, line in zip(card.names, card.lines)]
    left = box.x0 + PADDING + canvas.label_width(card.names)
    bars = Box(left, box.y0 + CARD_HEAD_HEIGHT - 4, box.x1 - VALUE_WIDTH, box.y1 - PADDING / 2 - 4)
    top = max(value for row in rows for value in row.values if value == value)
    canvas.draw_bars(bars, rows, BAR_COLOURS, BAR_HEIGHT, top)


def _bar_labels(line: ComparedQuantity) -> tuple[BarLabel, ...]:
    """Return the two numbers, with a check mark at the better one."""
    labels = []
    for number, value in enumerate((line.first, line.second)):
        if value != value:
            labels.append(BarLabel("not measured", MUTED_COLOUR))
        elif line.better is None:
            labels.append(BarLabel(format_number_short(value)))
        elif line.better == number:
            labels.append(BarLabel(f"{format_number_short(value)} {CHECK_MARK}", BETTER_COLOUR))
        else:
            labels.append(BarLabel(format_number_short(value), MUTED_COLOUR))
    return tuple(labels)


def direction_text(quantity: Quantity) -> str:
    """Return the unit, and which direction is better."""
    better = f"{quantity.better} is better" if quantity.better else "neither way is better"
    return f"{quantity.unit}, {better}" if quantity.unit else better


def format_number_short(value: float) -> str:
    """Format a number with about three significant digits."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.2g}"
