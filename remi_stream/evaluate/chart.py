"""Draw an evaluation as PNG: mean errors, error over time, error of each joint."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from remi_stream.evaluate.scores import JOINT_SETS, Evaluation
from remi_stream.measure.canvas import SUPERSAMPLING, Box, Canvas, Rgb, text_width, truncate_text
from remi_stream.measure.chart import (
    AXIS_COLOUR,
    BAR_COLOURS,
    GAP,
    MARGIN,
    MUTED_COLOUR,
    NAME_SIZE,
    PADDING,
    PANEL_COLOUR,
    PANEL_HEAD_HEIGHT,
    TEXT_COLOUR,
    TEXT_SIZE,
    TITLE_SIZE,
    WIDTH,
)

HEAD_HEIGHT = 96
TILE_HEIGHT, TILE_NUMBER_SIZE = 92, 29
CURVES_HEIGHT, AXIS_MARGIN = 330, 46
LINE_HALF_WIDTH = 0.85
ROW_HEIGHT, BAR_HEIGHT = 25, 9
LABEL_WIDTH, VALUE_WIDTH = 118, 88
ROTATION_COLOUR: Rgb = (110, 155, 102)
MISSED_COLOUR: Rgb = (232, 222, 212)
CURVE_LEGEND = (("MPJPE", BAR_COLOURS[0]), ("PA-MPJPE", BAR_COLOURS[1]))
MIN_AXIS_TOP_MM = 20.0
MIN_BAR_AXIS_TOP = 1.0
"""Smallest upper ends of the axes; smaller ones would make a perfect prediction look bad."""


class ChartAxis(NamedTuple):
    """A linear scale from values to pixels."""

    low: float
    high: float
    """Values at start and end."""
    start: float
    end: float
    """Positions, px."""

    def position(self, value: float) -> float:
        """Return the position of a value, px."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def draw_evaluation(evaluation: Evaluation, path: Path) -> None:
    """Draw an evaluation into a PNG file. Raises RemiError if it cannot be written."""
    panels = _joint_panels(evaluation)
    height = PANEL_HEAD_HEIGHT + max((len(panel.rows) for panel in panels), default=0) * ROW_HEIGHT + PADDING
    canvas = Canvas(WIDTH, HEAD_HEIGHT + TILE_HEIGHT + GAP + CURVES_HEIGHT + (GAP + height if panels else 0) + MARGIN)
    _head(canvas, evaluation)
    _tiles(canvas, evaluation, HEAD_HEIGHT)
    top = HEAD_HEIGHT + TILE_HEIGHT + GAP
    _curves(canvas, evaluation, (MARGIN, top, WIDTH - MARGIN, top + CURVES_HEIGHT))
    top += CURVES_HEIGHT + GAP
    width = (WIDTH - 2 * MARGIN - (len(panels) - 1) * GAP) / max(len(panels), 1)
    for number, panel in enumerate(panels):
        x = MARGIN + number * (width + GAP)
        _bars(canvas, (x, top, x + width, top + height), panel)
    canvas.save(path)


def _head(canvas: Canvas, evaluation: Evaluation) -> None:
    """Draw the title and the summary line."""
    canvas.draw_text(
        MARGIN, MARGIN + 11, truncate_text(evaluation.title, TITLE_SIZE, WIDTH - 2 * MARGIN), TITLE_SIZE, TEXT_COLOUR, "lm"
    )
    canvas.draw_text(MARGIN, MARGIN + 38, summary_line(evaluation), TEXT_SIZE, MUTED_COLOUR, "lm")


def summary_line(evaluation: Evaluation) -> str:
    """Return a one-line summary of what was compared."""
    frames, compared = evaluation.frames
    return f"{compared} of {frames} frames, {evaluation.fps:.4g} per second; {JOINT_SETS[evaluation.joint_set].description}"


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
        canvas.fill_box((x, top, x + width, top + TILE_HEIGHT), PANEL_COLOUR, radius=10)
        canvas.draw_text(x + PADDING, top + 24, name, TEXT_SIZE, MUTED_COLOUR, "lm")
        canvas.draw_text(x + PADDING, top + 60, value, TILE_NUMBER_SIZE, TEXT_COLOUR if value != "-" else MUTED_COLOUR, "lm")
        canvas.draw_text(
            x + PADDING + text_width(value, TILE_NUMBER_SIZE) + 7,
            top + 65,
            unit if value != "-" else "",
            TEXT_SIZE,
            MUTED_COLOUR,
            "lm",
        )


def _format_value(value: float) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def _curves(canvas: Canvas, evaluation: Evaluation, corners: Box) -> None:
    """Draw MPJPE and PA-MPJPE over time, with a stripe where a person was missed."""
    x0, y0, x1, y1 = corners
    canvas.fill_box(corners, PANEL_COLOUR, radius=10)
    canvas.draw_text(x0 + PADDING, y0 + 20, "Error over time", NAME_SIZE, TEXT_COLOUR, "lm")
    canvas.draw_text(x0 + PADDING, y0 + 40, "mm, mean over joints and people", TEXT_SIZE, MUTED_COLOUR, "lm")
    missed = any(moment.found < moment.visible for moment in evaluation.frame_scores)
    _legend(canvas, x1 - PADDING, y0 + 22, [*CURVE_LEGEND, *([("person missed", MISSED_COLOUR)] if missed else [])])
    times = [moment.at_s for moment in evaluation.frame_scores]
    lines = [[getattr(moment, name) for moment in evaluation.frame_scores] for name in ("mpjpe_mm", "pa_mpjpe_mm")]
    known = [value for line in lines for value in line if math.isfinite(value)]
    across = ChartAxis(times[0], max(times[-1], times[0] + 1 / evaluation.fps), x0 + PADDING + AXIS_MARGIN, x1 - PADDING)
    ticks = axis_ticks(max([*known, MIN_AXIS_TOP_MM]))
    upwards = ChartAxis(0, ticks[-1], y1 - AXIS_MARGIN, y0 + PANEL_HEAD_HEIGHT + 8)
    _missed(canvas, evaluation, across, upwards)
    for tick in ticks:
        canvas.fill_box((across.start, upwards.position(tick) - 0.5, across.end, upwards.position(tick) + 0.5), AXIS_COLOUR)
        canvas.draw_text(across.start - 10, upwards.position(tick), f"{tick:g}", TEXT_SIZE, MUTED_COLOUR, "rm")
    for tick in axis_ticks(across.high - across.low, 10):
        if across.low + tick <= across.high:
            at = across.position(across.low + tick)
            canvas.draw_text(at, upwards.start + 14, f"{across.low + tick:.4g} s", TEXT_SIZE, MUTED_COLOUR, "mm")
    for line, colour in zip(lines, BAR_COLOURS):
        _line(canvas, np.array(times), np.array(line), (across, upwards), colour)


def _legend(canvas: Canvas, right: float, y: float, entries: Sequence[tuple[str, Rgb]]) -> None:
    """Draw a right-aligned legend."""
    for name, colour in reversed(entries):
        right -= text_width(name, TEXT_SIZE)
        canvas.draw_text(right, y, name, TEXT_SIZE, TEXT_COLOUR, "lm")
        canvas.fill_box((right - 20, y - 6, right - 8, y + 6), colour, radius=3)
        right -= 44


def _missed(canvas: Canvas, evaluation: Evaluation, across: ChartAxis, upwards: ChartAxis) -> None:
    """Draw a stripe for each frame with a missed person."""
    half = 0.5 / evaluation.fps
    for moment in evaluation.frame_scores:
        if moment.found < moment.visible:
            x0, x1 = (min(max(across.position(at), across.start), across.end) for at in (moment.at_s - half, moment.at_s + half))
            canvas.fill_box((x0, upwards.end, max(x1, x0 + 1), upwards.start), MISSED_COLOUR)


def _line(canvas: Canvas, times: np.ndarray, values: np.ndarray, axes: tuple[ChartAxis, ChartAxis], colour: Rgb) -> None:
    """Draw a curve column by column; it breaks at unknown values, and an isolated value is a dot."""
    across, upwards = axes
    columns = np.arange(round(across.start * SUPERSAMPLING), round(across.end * SUPERSAMPLING) + 1) / SUPERSAMPLING
    at = across.low + (columns - across.start) / (across.end - across.start) * (across.high - across.low)
    heights = np.array([upwards.position(value) for value in np.interp(at, times, values)])
    for x, here, there in zip(columns, heights, heights[1:]):
        if math.isfinite(here) and math.isfinite(there):
            canvas.fill_box(
                (x, min(here, there) - LINE_HALF_WIDTH, x + LINE_HALF_WIDTH, max(here, there) + LINE_HALF_WIDTH), colour
            )
    known = np.isfinite(values)
    for number in np.flatnonzero(known & ~np.roll(known, 1) & ~np.roll(known, -1)):
        x, y = across.position(float(times[number])), upwards.position(float(values[number]))
        canvas.fill_box((x - 2, y - 2, x + 2, y + 2), colour, radius=2)


class JointPanel(NamedTuple):
    """A bar chart with a row per joint."""

    name: str
    unit: str
    rows: list[tuple[str, tuple[float, ...]]]
    """Joint names and their values, one bar per value."""
    colours: tuple[Rgb, ...]
    """Colours of the bars of a row."""
    legend: Sequence[tuple[str, Rgb]] = ()


def _joint_panels(evaluation: Evaluation) -> list[JointPanel]:
    """Return the panels of position and rotation errors of each joint that was measured."""
    joints = evaluation.joints.items()
    positions = [(name, (each.mpjpe_mm, each.pa_mpjpe_mm)) for name, each in joints if math.isfinite(each.mpjpe_mm)]
    rotations = [(name, (each.rotation_deg,)) for name, each in joints if math.isfinite(each.rotation_deg)]
    panels = (
        JointPanel("Error of each joint", "mm", [*positions], BAR_COLOURS, CURVE_LEGEND),
        JointPanel(
            "Rotation error of each joint", "deg, in its parent; the pelvis in the camera", [*rotations], (ROTATION_COLOUR,)
        ),
    )
    return [panel for panel in panels if panel.rows]


def _bars(canvas: Canvas, corners: Box, panel: JointPanel) -> None:
    """Draw a panel."""
    x0, y0, x1, _ = corners
    canvas.fill_box(corners, PANEL_COLOUR, radius=10)
    canvas.draw_text(x0 + PADDING, y0 + 20, panel.name, NAME_SIZE, TEXT_COLOUR, "lm")
    canvas.draw_text(x0 + PADDING, y0 + 40, panel.unit, TEXT_SIZE, MUTED_COLOUR, "lm")
    _legend(canvas, x1 - PADDING, y0 + 22, panel.legend)
    start = x0 + PADDING + LABEL_WIDTH
    most = max(value for _, values in panel.rows for value in values)
    along = ChartAxis(0, max(most, MIN_BAR_AXIS_TOP), start, x1 - VALUE_WIDTH)
    canvas.fill_box(
        (start - 1, y0 + PANEL_HEAD_HEIGHT - 4, start, y0 + PANEL_HEAD_HEIGHT + len(panel.rows) * ROW_HEIGHT + 4), AXIS_COLOUR
    )
    for number, (joint, values) in enumerate(panel.rows):
        middle = y0 + PANEL_HEAD_HEIGHT + (number + 0.5) * ROW_HEIGHT
        canvas.draw_text(start - 10, middle, joint.replace("_", " "), TEXT_SIZE, TEXT_COLOUR, "rm")
        _row(canvas, values, along, middle, panel.colours)


def _row(canvas: Canvas, values: Sequence[float], along: ChartAxis, middle: float, colours: Sequence[Rgb]) -> None:
    """Draw one joint's bars and their numbers."""
    top = middle - BAR_HEIGHT * len(values) / 2
    for number, (value, colour) in enumerate(zip(values, colours)):
        if along.position(value) - along.start >= 1 / SUPERSAMPLING:
            y = top + number * (BAR_HEIGHT + 1)
            canvas.fill_bar((along.start, y, along.position(value), y + BAR_HEIGHT), colour, radius=2)
    canvas.draw_text(
        along.position(max(values)) + 7, middle, " / ".join(map(_format_value, values)), TEXT_SIZE - 1, TEXT_COLOUR, "lm"
    )


def axis_ticks(maximum: float, count: int = 5) -> list[float]:
    """Return about `count` round numbers from 0 to `maximum` or just above it."""
    rough = max(maximum, 1e-6) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    return [round(step * number, 9) for number in range(math.ceil(maximum / step - 1e-9) + 1)]
