"""The panel beside the scene: the picture, how fast, how late, who is there, and what is to be seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import viser
from viser import uplot

from remi_stream.messages import CameraFacts
from remi_stream.sinks.views.rates import WINDOW_S, Rates
from remi_stream.sinks.web import words
from remi_stream.sinks.web.mood import theme

SPEED, MEDIAN, TAIL = "#3fb6b0", "#5b9be6", "#f08a5d"
PLOT_PX = 70
BLANK = np.full((360, 640, 3), 24, np.uint8)

FROM_ZERO = {"min": {"pad": 0, "soft": 0, "mode": 1}, "max": {"pad": 0.15, "soft": 10, "mode": 2}}
"""uPlot's way to say: from 0 to at least 10."""

Act = Callable[[viser.ClientHandle], None]
RECENTRE, LIGHT = "Recentre", "Light / dark"


class Wants(NamedTuple):
    """What is to be seen."""

    body: bool
    bones: bool
    picture: bool


class Panel:
    """Widgets. What a person chooses here holds for all who look, but for the light and the point of view."""

    def __init__(self, server: viser.ViserServer, cameras: Sequence[str]) -> None:
        self._gui = server.gui
        theme(self._gui)
        self._gui.add_html(words.STYLE)
        self._gui.set_panel_label("remi-stream")
        self._picture = self._gui.add_image(BLANK, format="jpeg", jpeg_quality=80)
        self._pace = self._gui.add_html("")
        self._speed = self._plot("bodies/s", SPEED)
        self._delay = self._gui.add_html("")
        self._latency = self._plot("p50 ms", MEDIAN, "p95 ms", TAIL)
        self._people = self._gui.add_html("")
        self._camera = self._gui.add_dropdown("Camera", tuple(cameras), visible=len(cameras) > 1)
        self._body = self._gui.add_checkbox("Body", True)
        self._bones = self._gui.add_checkbox("Skeleton", False)
        self._shown = self._gui.add_checkbox("Picture", True)
        self._buttons = self._gui.add_button_group("View", (RECENTRE, LIGHT))

    @property
    def camera(self) -> str:
        """The camera that is looked through."""
        return self._camera.value

    @property
    def wants(self) -> Wants:
        """What is to be seen."""
        return Wants(self._body.value, self._bones.value, self._shown.value)

    def on_button(self, recentre: Act, turn_light: Act) -> None:
        """What the buttons do for the client that presses them."""

        @self._buttons.on_click
        def _(event: viser.GuiEvent[viser.GuiButtonGroupHandle]) -> None:
            if event.client is not None:
                (recentre if self._buttons.value == RECENTRE else turn_light)(event.client)

    def show_picture(self, image: np.ndarray, caption: str) -> None:
        """Show the live picture, (h, w, 3) uint8 RGB."""
        self._picture.image = image
        self._picture.label = caption

    def show_rates(self, rates: Rates) -> None:
        """Show how fast and how late bodies come."""
        ago, fps, p50, p95 = rates.series()
        came = np.isfinite(p50)
        self._speed.data = (ago, fps)
        self._latency.data = (ago[came], p50[came], p95[came])
        now = rates.moments[-1]
        self._pace.content = words.figures(("bodies/s", now.fps, SPEED))
        self._delay.content = words.figures(("ms latency p50", now.p50_ms, MEDIAN), ("ms p95", now.p95_ms, TAIL))

    def show_state(self, people: Sequence[int], engine: str, cameras: Sequence[CameraFacts]) -> None:
        """Show who is there (track ids), by which engine they are seen, and how the cameras are."""
        self._people.content = words.people(people) + words.cameras(engine, cameras)

    def _plot(self, *lines: str) -> viser.GuiUplotHandle:
        """lines: label, colour, label, colour, ..."""
        labels, colours = lines[::2], lines[1::2]
        drawn = [uplot.Series(label=label, stroke=colour, width=2) for label, colour in zip(labels, colours)]
        return self._gui.add_uplot(
            tuple(np.zeros(1) for _ in range(len(drawn) + 1)),
            (uplot.Series(label="s"), *drawn),
            scales={"x": uplot.Scale(time=False, range=(-WINDOW_S, 0)), "y": uplot.Scale(range=FROM_ZERO)},
            axes=(uplot.Axis(show=False), uplot.Axis(size=42)),
            legend=uplot.Legend(show=False),
            height=PLOT_PX,
            padding=(8, 10, 8, 0),
        )
