"""Canvas for charts: cards with bars or curves, drawn with matplotlib (extra `plot`); the only module that imports it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from remi_stream.atomic_files import atomic_file
from remi_stream.errors import RemiError
from remi_stream.install_hint import install_command

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

WIDTH, MARGIN, GAP, PADDING = 1380, 36, 18, 18
"""Width of a chart, and distances, px."""
CARD_HEAD_HEIGHT = 58
TITLE_SIZE, NAME_SIZE, TEXT_SIZE = 24, 16, 12.5
"""Font sizes, px."""
TEXT_COLOUR, MUTED_COLOUR, AXIS_COLOUR, CARD_COLOUR = "#1f2430", "#707886", "#ced3dc", "#f6f7fa"
BAR_COLOURS = ("#4882c9", "#eb8954")
"""Colours of the first and the second series."""
BETTER_COLOUR = "#1f8a4c"
CHECK_MARK = "\N{CHECK MARK}"
DPI = 100
"""Resolution of the PNG file: matplotlib sizes text in points, 1/72 inch."""
MIN_BAR_PX = 1.5
"""Smallest width of a bar, px, so that any value above 0 is visible."""
LABEL_GAP = 12
"""Distance of a row's label from the bars, px."""
LABEL_CHARACTERS = 17
"""A row's label is wrapped at this width, into two lines at most."""


class Box(NamedTuple):
    """A rectangle, px from the upper left corner of the chart."""

    x0: float
    y0: float
    x1: float
    y1: float


class BarLabel(NamedTuple):
    """The text at the end of a bar."""

    text: str
    colour: str = TEXT_COLOUR


class BarRow(NamedTuple):
    """A row of bars, one below the other."""

    name: str
    values: tuple[float, ...]
    """One per bar; NaN draws no bar."""
    labels: tuple[BarLabel, ...]
    """One per bar, or a single one for the row."""


class Legend(NamedTuple):
    """An entry of a legend."""

    name: str
    colour: str


class ChartCanvas:
    """A white image, WIDTH px wide. Raises RemiError without matplotlib."""

    def __init__(self, height: float) -> None:
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ModuleNotFoundError:
            raise RemiError(f"A chart needs matplotlib. Install it: {install_command('plot')}") from None
        self._height = height
        self._figure = Figure((WIDTH / DPI, height / DPI), dpi=DPI, facecolor="white")
        # not pyplot, which keeps every figure and may open a window
        self._renderer: Any = FigureCanvasAgg(self._figure).get_renderer()  # type: ignore[no-untyped-call]

    def draw_text(
        self, x: float, y: float, text: str, size: float = TEXT_SIZE, colour: str = TEXT_COLOUR, align: str = "left"
    ) -> float:
        """Draw a line of text, vertically centred at y; return its width, px. A line that is too long ends with an ellipsis."""
        artist = self._figure.text(
            x / WIDTH,
            1 - y / self._height,
            text,
            fontsize=size * 72 / DPI,
            color=colour,
            ha=align,
            va="center_baseline",
            parse_math=False,
        )
        room = WIDTH - MARGIN - x if align == "left" else x - MARGIN
        while self._width(artist) > room and len(text) > 1:
            text = text[:-1]
            artist.set_text(text + "…")
        return self._width(artist)

    def draw_legend(self, right: float, y: float, entries: Sequence[Legend]) -> None:
        """Draw a right-aligned legend in one line."""
        for name, colour in reversed(entries):
            right -= self.draw_text(right, y, name, align="right")
            self._fill(Box(right - 20, y - 6, right - 8, y + 6), colour, 3)
            right -= 44

    def draw_mark(self, x: float, y: float, size: float, colour: str) -> None:
        """Draw a square mark of a legend, vertically centred at y."""
        self._fill(Box(x, y - size / 2, x + size, y + size / 2), colour, size / 4)

    def draw_card(self, box: Box, name: str = "", subtitle: str = "", legend: Sequence[Legend] = ()) -> None:
        """Draw the background of a card, and its head."""
        self._fill(box, CARD_COLOUR, 10)
        self.draw_text(box.x0 + PADDING, box.y0 + 20, name, NAME_SIZE)
        self.draw_text(box.x0 + PADDING, box.y0 + 41, subtitle, colour=MUTED_COLOUR)
        self.draw_legend(box.x1 - PADDING, box.y0 + 21, legend)

    def label_width(self, names: Sequence[str]) -> float:
        """Return the room that the names of rows need left of their bars, px; 0 without names."""
        longest = max((line for name in names for line in _wrapped(name).split("\n")), key=len, default="")
        artist = self._figure.text(0, 0, longest, fontsize=TEXT_SIZE * 72 / DPI, parse_math=False)
        width = self._width(artist)
        artist.remove()
        return width + LABEL_GAP if longest else 0.0

    def draw_bars(self, box: Box, rows: Sequence[BarRow], colours: Sequence[str], bar_px: float, top: float) -> None:
        """Draw horizontal bars from a common zero. box: of the bars, whose axis ends at top; the rows' names are left of it."""
        axes = self._axes(box)
        # axes in rows, from the top: row k spans k - 0.5 to k + 0.5
        row_px = (box.y1 - box.y0) / len(rows)
        axes.set_xlim(0, top if top > 0 else 1)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xticks([])
        axes.set_yticks(range(len(rows)), [_wrapped(row.name) for row in rows])
        axes.tick_params("y", length=0, pad=8, labelsize=TEXT_SIZE * 72 / DPI, labelcolor=TEXT_COLOUR)
        axes.spines["left"].set_visible(True)
        # Equal steps from bar to bar, with a gap of a sixth of a bar between them.
        steps = (np.arange(len(colours)) - (len(colours) - 1) / 2) * bar_px * 7 / 6 / row_px
        narrowest = MIN_BAR_PX / (box.x1 - box.x0) * axes.get_xlim()[1]
        for number, row in enumerate(rows):
            # value != value: NaN
            widths = [0 if value != value or value <= 0 else max(value, narrowest) for value in row.values]
            axes.barh(number + steps, widths, bar_px / row_px, color=colours)
            ends = list(zip(widths, number + steps)) if len(row.labels) > 1 else [(max(widths), number)]
            for label, end in zip(row.labels, ends):
                axes.annotate(
                    label.text,
                    end,
                    (7, 0),
                    textcoords="offset pixels",
                    va="center_baseline",
                    color=label.colour,
                    fontsize=TEXT_SIZE * 72 / DPI,
                    annotation_clip=False,
                )

    def draw_curves(self, box: Box, times: np.ndarray, curves: Sequence[np.ndarray], colours: Sequence[str], top: float) -> Axes:
        """Draw curves over times (N,) s, rising; they break at NaN, and an isolated value is a dot. Return the axes."""
        from matplotlib.ticker import MaxNLocator, StrMethodFormatter

        axes = self._axes(box)
        axes.set_xlim(times[0], times[-1] if times[-1] > times[0] else times[0] + 1)
        axes.set_ylim(0, top)
        axes.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g} s"))
        axes.tick_params(length=0, pad=8, labelsize=TEXT_SIZE * 72 / DPI, labelcolor=MUTED_COLOUR)
        axes.grid(axis="y", color=AXIS_COLOUR, linewidth=0.8)
        axes.set_axisbelow(True)
        for values, colour in zip(curves, colours):
            known = np.isfinite(values)
            isolated = known & ~np.concatenate([[False], known[:-1]]) & ~np.concatenate([known[1:], [False]])
            axes.plot(times, values, color=colour, linewidth=1.3)
            axes.plot(times[isolated], values[isolated], ".", color=colour, markersize=4)
        return axes

    def save(self, path: Path) -> None:
        """Write a PNG file atomically. Raises RemiError if it cannot be written."""
        try:
            with atomic_file(path) as file:
                # without matplotlib's version in the metadata: the same chart has the same bytes
                self._figure.savefig(file, format="png", metadata={"Software": None}, pil_kwargs={"optimize": True})
        except OSError as error:
            raise RemiError(f"{path} cannot be written: {error.strerror or error}.") from None

    def _axes(self, box: Box) -> Axes:
        """Create axes without frame and background in a rectangle."""
        rectangle = (
            box.x0 / WIDTH,
            1 - box.y1 / self._height,
            (box.x1 - box.x0) / WIDTH,
            (box.y1 - box.y0) / self._height,
        )
        axes = self._figure.add_axes(rectangle, facecolor="none")
        for spine in axes.spines.values():
            spine.set(visible=False, color=AXIS_COLOUR, linewidth=0.8)
        return axes

    def _fill(self, box: Box, colour: str, radius: float) -> None:
        """Fill a rectangle with round corners."""
        from matplotlib.patches import FancyBboxPatch
        from matplotlib.transforms import IdentityTransform

        self._figure.add_artist(
            FancyBboxPatch(
                (box.x0, self._height - box.y1),
                box.x1 - box.x0,
                box.y1 - box.y0,
                boxstyle=f"round,pad=0,rounding_size={radius}",
                facecolor=colour,
                edgecolor="none",
                transform=IdentityTransform(),
                zorder=-1,
            )
        )

    def _width(self, artist: Text) -> float:
        return float(artist.get_window_extent(self._renderer).width)


def _wrapped(name: str) -> str:
    """Wrap a row's label into two lines at most."""
    # textwrap breaks at spaces only; names like "Static+Moving Occlusion" may also break after +
    return "\n".join(textwrap.wrap(name.replace("+", "+ "), LABEL_CHARACTERS, max_lines=2, placeholder="…")).replace("+ ", "+")
