"""Plots of body rate and latency over the last minute, and the latency of each hop."""

from __future__ import annotations

import numpy as np
import viser
from viser import uplot

from remi_stream.sinks.views.hops import HopMedians
from remi_stream.sinks.views.rates import RATE_WINDOW_S, RateHistory
from remi_stream.sinks.web import words
from remi_stream.sinks.web.waterfall import hop_waterfall

RATE_COLOUR, P50_COLOUR, P95_COLOUR = "#3fb6b0", "#5b9be6", "#f08a5d"
PLOT_PX = 70

AXIS_FROM_ZERO = {"min": {"pad": 0, "soft": 0, "mode": 1}, "max": {"pad": 0.15, "soft": 10, "mode": 2}}
"""uPlot's range setting for: from 0 to at least 10."""


class RatePlots:
    """Widgets: two plots with their current values."""

    def __init__(self, gui: viser.GuiApi) -> None:
        self._gui = gui
        self._rate_html = gui.add_html("")
        self._rate_plot = self._plot("bodies/s", RATE_COLOUR)
        self._latency_html = gui.add_html("")
        self._hops_html = gui.add_html("")
        self._latency_plot = self._plot("p50 ms", P50_COLOUR, "p95 ms", P95_COLOUR)

    def show(self, rates: RateHistory, medians: HopMedians) -> None:
        """Show the last minute, and the hops of the last seconds."""
        ago, fps, p50, p95 = rates.series()
        received = np.isfinite(p50)
        self._rate_plot.data = (ago, fps)
        self._latency_plot.data = (ago[received], p50[received], p95[received])
        now = rates.samples[-1]
        self._rate_html.content = words.large_numbers(("bodies/s", now.fps, RATE_COLOUR))
        self._latency_html.content = words.large_numbers(
            ("ms latency p50", now.p50_ms, P50_COLOUR), ("ms p95", now.p95_ms, P95_COLOUR)
        )
        self._hops_html.content = hop_waterfall(medians)

    def _plot(self, *lines: str) -> viser.GuiUplotHandle:
        """lines: label, colour, label, colour, ..."""
        labels, colours = lines[::2], lines[1::2]
        drawn = [uplot.Series(label=label, stroke=colour, width=2) for label, colour in zip(labels, colours)]
        return self._gui.add_uplot(
            tuple(np.zeros(1) for _ in range(len(drawn) + 1)),
            (uplot.Series(label="s"), *drawn),
            scales={"x": uplot.Scale(time=False, range=(-RATE_WINDOW_S, 0)), "y": uplot.Scale(range=AXIS_FROM_ZERO)},
            axes=(uplot.Axis(show=False), uplot.Axis(size=48)),
            legend=uplot.Legend(show=False),
            height=PLOT_PX,
            padding=(8, 10, 8, 0),
        )
