"""Renders panels in Grafana's dark theme with matplotlib; the only module that imports it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image

from dashboard.answers import PrometheusClient, Series
from dashboard.units import format_value

Panel = dict[str, Any]

PAGE, CARD, EDGE, TEXT, FAINT, GRID = "#111217", "#181b1f", "#2a2d33", "#d5d6de", "#8e8f99", "#26292e"
NAMED = {"green": "#73bf69", "yellow": "#f2cc0c", "orange": "#ff9830", "red": "#f2495c", "gray": "#808187"}
PALETTE = (
    "#73bf69",
    "#f2cc0c",
    "#5794f2",
    "#ff9830",
    "#f2495c",
    "#b877d9",
    "#8ab8ff",
    "#ffb357",
    "#96d98d",
    "#fade2a",
    "#c4162a",
)
COLUMN_IN, LINE_IN = 0.75, 0.36
"""Size of a grid cell, inches."""
DPI = 80


def draw(title: str, panels: list[Panel], client: PrometheusClient) -> bytes:
    """Render the whole dashboard to PNG; rows of panels without any data are left out."""
    answers = {panel["id"]: client.answers(panel) for panel in panels if panel["type"] != "row"}
    panels = _without_empty_rows(panels, answers)
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) + 2
    figure = plt.figure(figsize=(24 * COLUMN_IN, height * LINE_IN), facecolor=PAGE)
    sheet = Sheet(figure, height, client.start, client.end)
    sheet.heading(title)
    for panel in panels:
        if panel["type"] == "row":
            sheet.row(panel)
        else:
            DRAW_FUNCTIONS[panel["type"]](sheet, panel, answers[panel["id"]])
    return _png(figure)


class Sheet:
    """The figure, with the positions of panels on the grid."""

    def __init__(self, figure: Figure, height: int, start: float, end: float) -> None:
        self.figure, self._height = figure, height
        self._from, self._to = start, end

    def heading(self, title: str) -> None:
        """Write title and time range."""
        when = [datetime.fromtimestamp(at).strftime("%H:%M:%S") for at in (self._from, self._to)]
        self._write(0.15, 0.75, title, 15, TEXT, weight="bold")
        self._write(23.85, 0.75, f"{when[0]} to {when[1]}", 11, FAINT, ha="right")

    def row(self, panel: Panel) -> None:
        """Write the title of a row."""
        self._write(0.15, panel["gridPos"]["y"] + 2.15, panel["title"], 12.5, TEXT, weight="bold")

    def card(self, panel: Panel) -> tuple[float, float, float, float]:
        """Draw a panel's frame and title; return left, top, width, height in grid cells."""
        cell = panel["gridPos"]
        x, y, w, h = cell["x"] + 0.06, cell["y"] + 1.62, cell["w"] - 0.12, cell["h"] - 0.2
        corner = (x / 24, 1 - (y + h) / self._height)
        box = FancyBboxPatch(
            corner, w / 24, h / self._height, boxstyle="round,pad=0,rounding_size=0.0015", fc=CARD, ec=EDGE, lw=0.8, zorder=-1
        )
        box.set_transform(self.figure.transFigure)
        self.figure.patches.append(box)
        self._write(x + 0.12, y + 0.6, panel["title"], 10.5, TEXT)
        return x, y, w, h

    def axes(self, panel: Panel, found: list[Series]) -> Axes:
        """Draw a panel's frame, and make axes with room for a legend below."""
        x, y, w, h = self.card(panel)
        left, right, top, bottom = 0.95, 0.9, 1.1, 1.75
        rect = (x + left) / 24, 1 - (y + h - bottom) / self._height, (w - left - right) / 24, (h - top - bottom) / self._height
        axes = self.figure.add_axes(rect, facecolor=CARD)
        axes.grid(color=GRID, lw=0.8)
        axes.set_axisbelow(True)
        style_axes(axes)
        axes.set_xlim(self._from, self._to)
        if not found:
            axes.text(0.5, 0.5, "No data", color=FAINT, fontsize=12, ha="center", va="center", transform=axes.transAxes)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: datetime.fromtimestamp(at).strftime("%H:%M:%S")))
        return axes

    def words(self, panel: Panel, *lines: tuple[str, float, str]) -> None:
        """Draw a panel's frame with lines of text: (text, size, colour)."""
        x, y, w, h = self.card(panel)
        for index, (text, size, colour) in enumerate(lines):
            at = y + 0.75 + (h - 0.75) * (index + 0.5) / len(lines)
            self._write(x + w / 2, at, text, size, colour, ha="center", va="center")

    def _write(self, x: float, y: float, text: str, size: float, colour: str, **more: Any) -> None:
        self.figure.text(x / 24, 1 - y / self._height, text, fontsize=size, color=colour, **more)


def style_axes(axes: Axes) -> None:
    """Apply Grafana's colours, without a frame."""
    axes.tick_params(colors=FAINT, labelsize=8.5, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def number(sheet: Sheet, panel: Panel, found: list[Series]) -> None:
    """Draw a stat panel: the latest value, or the names of the series in text mode "name"."""
    if panel["options"]["textMode"] == "name":
        sheet.words(panel, *[(series.legend, 10.5, TEXT) for series in found])
        return
    values = found[0].values[~np.isnan(found[0].values)] if found else np.array([])
    if not len(values):
        sheet.words(panel, ("No data", 13, FAINT))
        return
    defaults = panel["fieldConfig"]["defaults"]
    reached = [step for step in defaults["thresholds"]["steps"] if step["value"] is None or values[-1] >= step["value"]]
    sheet.words(panel, (format_value(values[-1], defaults["unit"]), 24, NAMED[reached[-1]["color"]]))


def curves(sheet: Sheet, panel: Panel, found: list[Series]) -> None:
    """Draw a time series panel: lines, stacked areas or bars."""
    axes = sheet.axes(panel, found)
    defaults = panel["fieldConfig"]["defaults"]
    right = _on_the_right(panel)
    on_right = [series for series in found if right and re.fullmatch(right[0], series.legend)]
    colours = dict(zip([series.legend for series in found], PALETTE * 5))
    _draw_all(axes, [series for series in found if series not in on_right], colours, defaults["custom"])
    _limit(axes, defaults["unit"])
    if right and on_right:
        other = axes.twinx()
        style_axes(other)
        for series in on_right:
            other.plot(series.times, series.values, color=colours[series.legend], lw=1.4, ls=(0, (4, 2)))
        _limit(other, right[1])
    if "thresholdsStyle" in defaults["custom"]:
        for step in defaults["thresholds"]["steps"][1:]:
            if step["value"] < axes.get_ylim()[1]:
                axes.axhline(step["value"], color=NAMED[step["color"]], lw=1, ls=(0, (5, 4)))
    _legend(axes, [(series.legend, colours[series.legend]) for series in found])


def heatmap(sheet: Sheet, panel: Panel, found: list[Series]) -> None:
    """Draw a heatmap panel from cumulative histogram buckets."""
    axes = sheet.axes(panel, found)
    axes.grid(visible=False)
    found = sorted(found, key=lambda series: float(series.legend))
    if not found:
        return
    totals = np.nan_to_num(np.array([series.values for series in found]))
    counts = np.diff(totals, axis=0, prepend=0)  # Prometheus' buckets are cumulative
    counts[counts < 0.05] = np.nan  # rates never become exactly 0; such cells stay empty, as in Grafana
    times = found[0].times
    edges = np.append(times, times[-1] + times[1] - times[0])
    axes.pcolormesh(edges, np.arange(len(found) + 1), counts, cmap="turbo", norm=PowerNorm(0.5))
    axes.set_yticks(range(1, len(found)), [format_value(float(series.legend), "s") for series in found[:-1]])
    axes.tick_params(axis="y", labelsize=7.5)
    axes.set_ylim(0, len(found))


def timeline(sheet: Sheet, panel: Panel, found: list[Series]) -> None:
    """Draw a state timeline: a bar per series, in the colour of its state."""
    axes = sheet.axes(panel, found)
    axes.grid(visible=False)
    names = {int(value): (state["text"], NAMED[state["color"]]) for value, state in _mapping(panel).items()}
    for index, series in enumerate(found):
        step = series.times[1] - series.times[0]
        for value, (_, colour) in names.items():
            spans = [(at, step) for at, each in zip(series.times, series.values) if each == value]
            axes.broken_barh(spans, (len(found) - 1 - index + 0.12, 0.76), color=colour, lw=0, antialiased=False)
    axes.set_yticks([len(found) - 0.5 - index for index in range(len(found))], [series.legend for series in found])
    axes.set_ylim(0, max(1, len(found)))
    _legend(axes, list(names.values()))


DRAW_FUNCTIONS: dict[str, Callable[[Sheet, Panel, list[Series]], None]] = {
    "stat": number,
    "timeseries": curves,
    "heatmap": heatmap,
    "state-timeline": timeline,
}


def _draw_all(axes: Axes, found: list[Series], colours: dict[str, str], custom: Panel) -> None:
    stacked, bars = "stacking" in custom, custom.get("drawStyle") == "bars"
    below = np.zeros_like(found[0].values) if found else np.array([])
    for series in found:
        colour = colours[series.legend]
        values = np.nan_to_num(series.values) if stacked or bars else series.values
        top = below + values if stacked or bars else values
        if bars:
            axes.bar(series.times, values, series.times[1] - series.times[0], below, color=colour, lw=0)
        else:
            axes.plot(series.times, np.where(values > 0, top, np.nan) if stacked else top, color=colour, lw=1.2)
            axes.fill_between(series.times, below if stacked else 0, top, color=colour, alpha=0.55 if stacked else 0.09, lw=0)
        below = top if stacked or bars else below


def _limit(axes: Axes, unit: str) -> None:
    """Limit the y axis from 0 to the data, with round ticks."""
    axes.set_ylim(0, max(axes.get_ylim()[1], 1e-6 if unit == "s" else 0.1))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=unit == "none"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_value(value, unit)))


def _legend(axes: Axes, names: list[tuple[str, str]]) -> None:
    handles = [Line2D([], [], color=colour, lw=2.5) for _, colour in names]
    columns = max(1, min(len(names), int(88 / (6 + max([len(name) for name, _ in names], default=1)))))
    labels = [name for name, _ in names]
    axes.legend(
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(-0.14, -0.13),
        ncols=columns,
        frameon=False,
        fontsize=8,
        labelcolor=TEXT,
        handlelength=1.1,
        columnspacing=1.2,
        labelspacing=0.25,
    )


def _on_the_right(panel: Panel) -> tuple[str, str] | None:
    for override in panel["fieldConfig"]["overrides"]:
        values = {each["id"]: each["value"] for each in override["properties"]}
        return override["matcher"]["options"], values["unit"]
    return None


def _mapping(panel: Panel) -> dict[str, Any]:
    options: dict[str, Any] = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
    return options


def _without_empty_rows(panels: list[Panel], answers: dict[int, list[Series]]) -> list[Panel]:
    """Remove rows of panels without any data and move the following ones up."""
    empty: dict[int, int] = {}
    for panel in panels:
        line = [each for each in panels if each["gridPos"]["y"] == panel["gridPos"]["y"]]
        if panel["type"] != "row" and not any(answers[each["id"]] for each in line):
            empty[panel["gridPos"]["y"]] = panel["gridPos"]["h"]
    kept = [panel for panel in panels if panel["gridPos"]["y"] not in empty]
    for panel in kept:
        panel["gridPos"]["y"] -= sum(height for y, height in empty.items() if y < panel["gridPos"]["y"])
    return kept


def _png(figure: Figure) -> bytes:
    """Encode as PNG with a palette: 256 colours are enough for lines on a dark background."""
    full, small = io.BytesIO(), io.BytesIO()
    figure.savefig(full, dpi=DPI, facecolor=PAGE)
    Image.open(full).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()
