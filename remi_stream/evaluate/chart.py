"""Draw an evaluation as PNG: mean errors, error over time, error of each joint."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from remi_stream.evaluate.joint_sets import JOINT_SETS
from remi_stream.evaluate.scores import Evaluation
from remi_stream.measure.canvas import FINE, Box, Canvas, Rgb, shortened, text_width
from remi_stream.measure.chart import (
    COLOURS,
    EDGE,
    FAINT,
    GAP,
    INK,
    INNER,
    MARGIN,
    NAME_SIZE,
    PANEL,
    PANEL_HEAD,
    TEXT_SIZE,
    TITLE_SIZE,
    WIDTH,
)

HEAD = 96
TILE, TILES_NUMBER = 92, 29
CURVES, AXIS_ROOM = 330, 46
LINE = 0.85
ROW, BAR = 25, 9
LABEL, VALUE_ROOM = 118, 88
TURN: Rgb = (110, 155, 102)
MISSED: Rgb = (232, 222, 212)
CURVE_NAMES = (("MPJPE", COLOURS[0]), ("PA-MPJPE", COLOURS[1]))
SMALLEST_TOP_MM = 20.0
SMALLEST_BAR = 1.0
"""Smallest upper ends of the axes; smaller ones would make a perfect prediction look bad."""


class Axis(NamedTuple):
    """A linear scale from values to pixels."""

    low: float
    high: float
    """Values at start and end."""
    start: float
    end: float
    """Positions, px."""

    def at(self, value: float) -> float:
        """Return the position of a value, px."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def draw(evaluation: Evaluation, path: Path) -> None:
    """Draw an evaluation into a PNG file. Raises RemiError if it cannot be written."""
    panels = _joint_panels(evaluation)
    height = PANEL_HEAD + max((len(panel.rows) for panel in panels), default=0) * ROW + INNER
    canvas = Canvas(WIDTH, HEAD + TILE + GAP + CURVES + (GAP + height if panels else 0) + MARGIN)
    _head(canvas, evaluation)
    _tiles(canvas, evaluation, HEAD)
    top = HEAD + TILE + GAP
    _curves(canvas, evaluation, (MARGIN, top, WIDTH - MARGIN, top + CURVES))
    top += CURVES + GAP
    width = (WIDTH - 2 * MARGIN - (len(panels) - 1) * GAP) / max(len(panels), 1)
    for number, panel in enumerate(panels):
        x = MARGIN + number * (width + GAP)
        _bars(canvas, (x, top, x + width, top + height), panel)
    canvas.save(path)


def _head(canvas: Canvas, evaluation: Evaluation) -> None:
    """Draw the title and the summary line."""
    canvas.text(MARGIN, MARGIN + 11, shortened(evaluation.title, TITLE_SIZE, WIDTH - 2 * MARGIN), TITLE_SIZE, INK, "lm")
    canvas.text(MARGIN, MARGIN + 38, told(evaluation), TEXT_SIZE, FAINT, "lm")


def told(evaluation: Evaluation) -> str:
    """Return a one-line summary of what was compared."""
    frames, compared = evaluation.frames
    return f"{compared} of {frames} frames, {evaluation.fps:.4g} per second; {JOINT_SETS[evaluation.joint_set].what}"


def _tiles(canvas: Canvas, evaluation: Evaluation, top: float) -> None:
    """Draw the means over all people as tiles with large numbers."""
    mean = evaluation.overall
    switches = "-" if mean.switches is None else str(mean.switches)
    tiles = (
        ("MPJPE", _format_value(mean.mpjpe_mm), "mm"),
        ("PA-MPJPE", _format_value(mean.pa_mpjpe_mm), "mm"),
        ("PVE", _format_value(mean.pve_mm), "mm"),
        ("Acceleration error", _format_value(mean.acceleration_m_per_s2), "m/s^2"),
        ("Rotation error", _format_value(mean.rotation_deg), "deg"),
        ("Found", _format_value(100 * mean.detection_rate), "%"),
        ("Id switches", switches, ""),
    )
    width = (WIDTH - 2 * MARGIN - (len(tiles) - 1) * GAP) / len(tiles)
    for number, (name, value, unit) in enumerate(tiles):
        x = MARGIN + number * (width + GAP)
        canvas.box((x, top, x + width, top + TILE), PANEL, radius=10)
        canvas.text(x + INNER, top + 24, name, TEXT_SIZE, FAINT, "lm")
        canvas.text(x + INNER, top + 60, value, TILES_NUMBER, INK if value != "-" else FAINT, "lm")
        canvas.text(
            x + INNER + text_width(value, TILES_NUMBER) + 7, top + 65, unit if value != "-" else "", TEXT_SIZE, FAINT, "lm"
        )


def _format_value(value: float) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def _curves(canvas: Canvas, evaluation: Evaluation, corners: Box) -> None:
    """Draw MPJPE and PA-MPJPE over time, with a stripe where a person was missed."""
    x0, y0, x1, y1 = corners
    canvas.box(corners, PANEL, radius=10)
    canvas.text(x0 + INNER, y0 + 20, "Error over time", NAME_SIZE, INK, "lm")
    canvas.text(x0 + INNER, y0 + 40, "mm, mean over joints and people", TEXT_SIZE, FAINT, "lm")
    missed = any(moment.found < moment.visible for moment in evaluation.moments)
    _legend(canvas, x1 - INNER, y0 + 22, [*CURVE_NAMES, *([("person missed", MISSED)] if missed else [])])
    times = [moment.at_s for moment in evaluation.moments]
    lines = [[getattr(moment, name) for moment in evaluation.moments] for name in ("mpjpe_mm", "pa_mpjpe_mm")]
    known = [value for line in lines for value in line if math.isfinite(value)]
    across = Axis(times[0], max(times[-1], times[0] + 1 / evaluation.fps), x0 + INNER + AXIS_ROOM, x1 - INNER)
    ticks = nice_ticks(max([*known, SMALLEST_TOP_MM]))
    upwards = Axis(0, ticks[-1], y1 - AXIS_ROOM, y0 + PANEL_HEAD + 8)
    _missed(canvas, evaluation, across, upwards)
    for tick in ticks:
        canvas.box((across.start, upwards.at(tick) - 0.5, across.end, upwards.at(tick) + 0.5), EDGE)
        canvas.text(across.start - 10, upwards.at(tick), f"{tick:g}", TEXT_SIZE, FAINT, "rm")
    for tick in nice_ticks(across.high - across.low, 10):
        if across.low + tick <= across.high:
            at = across.at(across.low + tick)
            canvas.text(at, upwards.start + 14, f"{across.low + tick:.4g} s", TEXT_SIZE, FAINT, "mm")
    for line, colour in zip(lines, COLOURS):
        _line(canvas, np.array(times), np.array(line), (across, upwards), colour)


def _legend(canvas: Canvas, right: float, y: float, entries: Sequence[tuple[str, Rgb]]) -> None:
    """Draw a right-aligned legend."""
    for name, colour in reversed(entries):
        right -= text_width(name, TEXT_SIZE)
        canvas.text(right, y, name, TEXT_SIZE, INK, "lm")
        canvas.box((right - 20, y - 6, right - 8, y + 6), colour, radius=3)
        right -= 44


def _missed(canvas: Canvas, evaluation: Evaluation, across: Axis, upwards: Axis) -> None:
    """Draw a stripe for each frame with a missed person."""
    half = 0.5 / evaluation.fps
    for moment in evaluation.moments:
        if moment.found < moment.visible:
            x0, x1 = (min(max(across.at(at), across.start), across.end) for at in (moment.at_s - half, moment.at_s + half))
            canvas.box((x0, upwards.end, max(x1, x0 + 1), upwards.start), MISSED)


def _line(canvas: Canvas, times: np.ndarray, values: np.ndarray, axes: tuple[Axis, Axis], colour: Rgb) -> None:
    """Draw a curve column by column; it breaks at unknown values, and an isolated value is a dot."""
    across, upwards = axes
    columns = np.arange(round(across.start * FINE), round(across.end * FINE) + 1) / FINE
    at = across.low + (columns - across.start) / (across.end - across.start) * (across.high - across.low)
    heights = np.array([upwards.at(value) for value in np.interp(at, times, values)])
    for x, here, there in zip(columns, heights, heights[1:]):
        if math.isfinite(here) and math.isfinite(there):
            canvas.box((x, min(here, there) - LINE, x + LINE, max(here, there) + LINE), colour)
    known = np.isfinite(values)
    for number in np.flatnonzero(known & ~np.roll(known, 1) & ~np.roll(known, -1)):
        x, y = across.at(float(times[number])), upwards.at(float(values[number]))
        canvas.box((x - 2, y - 2, x + 2, y + 2), colour, radius=2)


class Panel(NamedTuple):
    """A bar chart with a row per joint."""

    name: str
    unit: str
    rows: list[tuple[str, tuple[float, ...]]]
    """Joint names and their values, one bar per value."""
    colours: tuple[Rgb, ...]
    """Colours of the bars of a row."""
    legend: Sequence[tuple[str, Rgb]] = ()


def _joint_panels(evaluation: Evaluation) -> list[Panel]:
    """Return the panels of position and rotation errors of each joint that was measured."""
    joints = evaluation.joints.items()
    positions = [(name, (each.mpjpe_mm, each.pa_mpjpe_mm)) for name, each in joints if math.isfinite(each.mpjpe_mm)]
    rotations = [(name, (each.rotation_deg,)) for name, each in joints if math.isfinite(each.rotation_deg)]
    panels = (
        Panel("Error of each joint", "mm", [*positions], COLOURS, CURVE_NAMES),
        Panel("Rotation error of each joint", "deg, in its parent; the pelvis in the camera", [*rotations], (TURN,)),
    )
    return [panel for panel in panels if panel.rows]


def _bars(canvas: Canvas, corners: Box, panel: Panel) -> None:
    """Draw a panel."""
    x0, y0, x1, _ = corners
    canvas.box(corners, PANEL, radius=10)
    canvas.text(x0 + INNER, y0 + 20, panel.name, NAME_SIZE, INK, "lm")
    canvas.text(x0 + INNER, y0 + 40, panel.unit, TEXT_SIZE, FAINT, "lm")
    _legend(canvas, x1 - INNER, y0 + 22, panel.legend)
    start = x0 + INNER + LABEL
    most = max(value for _, values in panel.rows for value in values)
    along = Axis(0, max(most, SMALLEST_BAR), start, x1 - VALUE_ROOM)
    canvas.box((start - 1, y0 + PANEL_HEAD - 4, start, y0 + PANEL_HEAD + len(panel.rows) * ROW + 4), EDGE)
    for number, (joint, values) in enumerate(panel.rows):
        middle = y0 + PANEL_HEAD + (number + 0.5) * ROW
        canvas.text(start - 10, middle, joint.replace("_", " "), TEXT_SIZE, INK, "rm")
        _row(canvas, values, along, middle, panel.colours)


def _row(canvas: Canvas, values: Sequence[float], along: Axis, middle: float, colours: Sequence[Rgb]) -> None:
    """Draw one joint's bars and their numbers."""
    top = middle - BAR * len(values) / 2
    for number, (value, colour) in enumerate(zip(values, colours)):
        if along.at(value) - along.start >= 1 / FINE:
            y = top + number * (BAR + 1)
            canvas.bar((along.start, y, along.at(value), y + BAR), colour, radius=2)
    canvas.text(along.at(max(values)) + 7, middle, " / ".join(map(_format_value, values)), TEXT_SIZE - 1, INK, "lm")


def nice_ticks(most: float, count: int = 5) -> list[float]:
    """Return about `count` round numbers from 0 to `most` or just above it."""
    rough = max(most, 1e-6) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    return [round(step * number, 9) for number in range(math.ceil(most / step - 1e-9) + 1)]
