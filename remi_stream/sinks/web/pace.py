"""How fast and how late bodies come: two plots over the last minute, and where the time goes."""

from __future__ import annotations

import numpy as np
import viser
from viser import uplot

from remi_stream.sinks.views.hops import Medians
from remi_stream.sinks.views.rates import WINDOW_S, Rates
from remi_stream.sinks.web import words
from remi_stream.sinks.web.waterfall import waterfall

SPEED, MEDIAN, TAIL = "#3fb6b0", "#5b9be6", "#f08a5d"
PLOT_PX = 70

FROM_ZERO = {"min": {"pad": 0, "soft": 0, "mode": 1}, "max": {"pad": 0.15, "soft": 10, "mode": 2}}
"""uPlot's way to say: from 0 to at least 10."""


class Pace:
    """Widgets."""

    def __init__(self, gui: viser.GuiApi) -> None:
        self._gui = gui
        self._pace = gui.add_html("")
        self._speed = self._plot("bodies/s", SPEED)
        self._delay = gui.add_html("")
        self._hops = gui.add_html("")
        self._latency = self._plot("p50 ms", MEDIAN, "p95 ms", TAIL)

    def show(self, rates: Rates, medians: Medians) -> None:
        """Show the last minute, and the hops of the last seconds."""
        ago, fps, p50, p95 = rates.series()
        came = np.isfinite(p50)
        self._speed.data = (ago, fps)
        self._latency.data = (ago[came], p50[came], p95[came])
        now = rates.moments[-1]
        self._pace.content = words.figures(("bodies/s", now.fps, SPEED))
        self._delay.content = words.figures(("ms latency p50", now.p50_ms, MEDIAN), ("ms p95", now.p95_ms, TAIL))
        self._hops.content = waterfall(medians)

    def _plot(self, *lines: str) -> viser.GuiUplotHandle:
        """lines: label, colour, label, colour, ..."""
        labels, colours = lines[::2], lines[1::2]
        drawn = [uplot.Series(label=label, stroke=colour, width=2) for label, colour in zip(labels, colours)]
        return self._gui.add_uplot(
            tuple(np.zeros(1) for _ in range(len(drawn) + 1)),
            (uplot.Series(label="s"), *drawn),
            scales={"x": uplot.Scale(time=False, range=(-WINDOW_S, 0)), "y": uplot.Scale(range=FROM_ZERO)},
            axes=(uplot.Axis(show=False), uplot.Axis(size=48)),
            legend=uplot.Legend(show=False),
            height=PLOT_PX,
            padding=(8, 10, 8, 0),
        )
