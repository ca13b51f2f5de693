"""Draw an evaluation as PNG: mean errors, error over time, error of each joint."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from remi_stream.evaluate.scores import Evaluation
from remi_stream.render.chart import (
    BAR_COLOURS,
    CARD_HEAD_HEIGHT,
    GAP,
    MARGIN,
    MUTED_COLOUR,
    PADDING,
    TEXT_COLOUR,
    TITLE_SIZE,
    WIDTH,
    BarLabel,
    BarRow,
    Box,
    ChartCanvas,
    Legend,
)

HEAD_HEIGHT = 96
TILE_HEIGHT, TILE_NUMBER_SIZE = 92, 28
CURVES_HEIGHT, AXIS_MARGIN = 330, 46
ROW_HEIGHT, BAR_HEIGHT = 25, 9
VALUE_WIDTH = 92
"""Room for the numbers right of the bars, px."""
ROTATION_COLOUR = "#6e9b66"
MISSED_COLOUR = "#e8ded4"
ERROR_LEGEND = (Legend("MPJPE", BAR_COLOURS[0]), Legend("PA-MPJPE", BAR_COLOURS[1]))
MIN_CURVE_TOP_MM = 20.0
MIN_BAR_TOP = 1.0
"""Smallest upper ends of the axes; smaller ones would make a perfect prediction look bad."""
HEADROOM = 1.08
"""Upper end of the curves' axis, as a share of the largest error."""


class JointCard(NamedTuple):
    """A card of bars with a row per joint."""

    name: str
    unit: str
    rows: list[BarRow]
    colours: tuple[str, ...]
    """Colours of the bars of a row."""
    legend: Sequence[Legend] = ()


def draw_evaluation(evaluation: Evaluation, path: Path) -> None:
    """Draw an evaluation into a PNG file. Raises RemiError if it cannot be written."""
    cards = joint_cards(evaluation)
    # both cards as high as the longer one
    height = CARD_HEAD_HEIGHT + max((len(card.rows) for card in cards), default=0) * ROW_HEIGHT + PADDING
    canvas = ChartCanvas(HEAD_HEIGHT + TILE_HEIGHT + GAP + CURVES_HEIGHT + (GAP + height if cards else 0) + MARGIN)
    canvas.draw_text(MARGIN, MARGIN + 11, evaluation.title, TITLE_SIZE)
    canvas.draw_text(MARGIN, MARGIN + 38, evaluation.summary, colour=MUTED_COLOUR)
    _draw_tiles(canvas, evaluation, HEAD_HEIGHT)
    top = HEAD_HEIGHT + TILE_HEIGHT + GAP
    _draw_curves(canvas, evaluation, Box(MARGIN, top, WIDTH - MARGIN, top + CURVES_HEIGHT))
    top += CURVES_HEIGHT + GAP
    for box, card in zip(_columns(len(cards), top, height), cards):
        _draw_joints(canvas, card, box)
    canvas.save(path)


def joint_cards(evaluation: Evaluation) -> list[JointCard]:
    """Return the cards of position and rotation errors of each joint that was measured."""
    joints = evaluation.joints.items()
    positions = [_joint_row(name, score.mpjpe_mm, score.pa_mpjpe_mm) for name, score in joints if math.isfinite(score.mpjpe_mm)]
    rotations = [_joint_row(name, score.rotation_deg) for name, score in joints if math.isfinite(score.rotation_deg)]
    cards = (
        JointCard("Error of each joint", "mm", positions, BAR_COLOURS, ERROR_LEGEND),
        JointCard("Rotation error of each joint", "deg, in its parent; the pelvis in the camera", rotations, (ROTATION_COLOUR,)),
    )
    return [card for card in cards if card.rows]


def _joint_row(joint: str, *values: float) -> BarRow:
    return BarRow(joint.replace("_", " "), values, (BarLabel(" / ".join(map(_format_value, values))),))


def _columns(count: int, top: float, height: float) -> list[Box]:
    """Return rectangles of equal width beside each other."""
    width = (WIDTH - 2 * MARGIN - (count - 1) * GAP) / max(count, 1)
    lefts = [MARGIN + number * (width + GAP) for number in range(count)]
    return [Box(left, top, left + width, top + height) for left in lefts]


def _draw_tiles(canvas: ChartCanvas, evaluation: Evaluation, top: float) -> None:
    """Draw the means over all people as tiles with large numbers."""
    mean = evaluation.overall
    tiles = (
        ("MPJPE", _format_value(mean.mpjpe_mm), "mm"),
        ("PA-MPJPE", _format_value(mean.pa_mpjpe_mm), "mm"),
        ("PVE", _format_value(mean.pve_mm), "mm"),
        ("Acceleration error", _format_value(mean.acceleration_m_per_s2), "m/s²"),
        ("Rotation error", _format_value(mean.rotation_deg), "deg"),
        ("Found", _format_value(100 * mean.detection_rate), "%"),
        ("Id switches", "-" if mean.switches is None else str(mean.switches), ""),
    )
    for box, (name, value, unit) in zip(_columns(len(tiles), top, TILE_HEIGHT), tiles):
        canvas.draw_card(box)
        x = box.x0 + PADDING
        canvas.draw_text(x, top + 24, name, colour=MUTED_COLOUR)
        is_known = value != "-"
        x += canvas.draw_text(x, top + 60, value, TILE_NUMBER_SIZE, TEXT_COLOUR if is_known else MUTED_COLOUR)
        canvas.draw_text(x + 7, top + 64, unit if is_known else "", colour=MUTED_COLOUR)


def _format_value(value: float) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def _draw_curves(canvas: ChartCanvas, evaluation: Evaluation, box: Box) -> None:
    """Draw MPJPE and PA-MPJPE over time, with a stripe where a person was missed."""
    frames = evaluation.frame_scores
    missed = [frame.at_s for frame in frames if frame.found < frame.visible]
    legend = [*ERROR_LEGEND, *([Legend("person missed", MISSED_COLOUR)] if missed else [])]
    canvas.draw_card(box, "Error over time", "mm, mean over joints and people", legend)
    curves = [np.array([getattr(frame, name) for frame in frames]) for name in ("mpjpe_mm", "pa_mpjpe_mm")]
    known = np.concatenate([curve[np.isfinite(curve)] for curve in curves])
    top = max(MIN_CURVE_TOP_MM, HEADROOM * known.max(initial=0.0))
    plot = Box(box.x0 + PADDING + AXIS_MARGIN, box.y0 + CARD_HEAD_HEIGHT + 8, box.x1 - PADDING - 4, box.y1 - AXIS_MARGIN)
    axes = canvas.draw_curves(plot, np.array([frame.at_s for frame in frames]), curves, BAR_COLOURS, top)
    # one frame wide, centred on its time
    stripes = [(at_s - 0.5 / evaluation.fps, 1 / evaluation.fps) for at_s in missed]
    axes.broken_barh(stripes, (0, top), color=MISSED_COLOUR, zorder=0)


def _draw_joints(canvas: ChartCanvas, card: JointCard, box: Box) -> None:
    canvas.draw_card(box, card.name, card.unit, card.legend)
    top = max([MIN_BAR_TOP, *(value for row in card.rows for value in row.values)])
    y = box.y0 + CARD_HEAD_HEIGHT
    left = box.x0 + PADDING + canvas.label_width([row.name for row in card.rows])
    bars = Box(left, y, box.x1 - VALUE_WIDTH, y + len(card.rows) * ROW_HEIGHT)
    canvas.draw_bars(bars, card.rows, card.colours, BAR_HEIGHT, top)
