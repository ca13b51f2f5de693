"""The panel beside the scene: the live image, and tabs for status, view, filter, measurement and recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import viser

from remi_stream.config import Config
from remi_stream.messages import Health
from remi_stream.sinks.web import state
from remi_stream.sinks.web.errands import TaskQueue
from remi_stream.sinks.web.filters import FilterTab
from remi_stream.sinks.web.looks import ViewTab
from remi_stream.sinks.web.measuring import MeasureTab
from remi_stream.sinks.web.mood import apply_theme
from remi_stream.sinks.web.pace import RatePlots
from remi_stream.sinks.web.people import PersonRow, people_html
from remi_stream.sinks.web.player import PlaybackControls
from remi_stream.sinks.web.recorder import RecordSwitch
from remi_stream.sinks.web.style import STYLE

BLANK_IMAGE = np.full((360, 640, 3), 24, np.uint8)


class WebPanel:
    """All widgets; each tab is a class of its own."""

    def __init__(self, server: viser.ViserServer, config: Config, tasks: TaskQueue) -> None:
        gui = server.gui
        apply_theme(gui)
        gui.add_html(STYLE)
        gui.set_panel_label("remi-stream")
        self._names = tuple(camera.name for camera in config.cameras)
        self._image = gui.add_image(BLANK_IMAGE, format="jpeg", jpeg_quality=80)
        self._camera = gui.add_dropdown("Camera", self._names, visible=len(self._names) > 1)
        tabs = gui.add_tab_group()
        with tabs.add_tab("Live"):
            self._people_html = gui.add_html("")
            self.rate_plots = RatePlots(gui)
            self._cameras_html = gui.add_html("")
        with tabs.add_tab("View"):
            self.view_tab = ViewTab(gui, self._names)
        with tabs.add_tab("Filter"):
            self.filter_tab = FilterTab(gui, tasks)
        with tabs.add_tab("Measure"):
            self.measure_tab = MeasureTab(gui, config, tasks)
            self.record_switch = RecordSwitch(gui, tasks)
        with tabs.add_tab("State"):
            self.playback_controls = PlaybackControls(gui, tasks)
            self._engine_html = gui.add_html("")
            self._losses_html = gui.add_html("")
            self._stages_html = gui.add_html("")

    @property
    def camera(self) -> str:
        """The selected camera; the first one if a client sends an unknown name."""
        return self._camera.value if self._camera.value in self._names else self._names[0]

    def show_image(self, image: np.ndarray, caption: str) -> None:
        """Show the live image, (h, w, 3) uint8 RGB."""
        self._image.image = image
        self._image.label = caption

    def show_people(self, rows: Sequence[PersonRow]) -> None:
        """Show the list of people."""
        self._people_html.content = people_html(rows)

    def show_state(self, engine: str, summaries: Sequence[state.Seen], health: Mapping[str, Health]) -> None:
        """Show the state of cameras and stages. engine: from the newest bodies."""
        self._cameras_html.content = state.cameras_html([each.facts for each in summaries])
        self._engine_html.content = state.engine_html(health, engine)
        self._losses_html.content = state.losses_html(summaries)
        self._stages_html.content = state.stages_html(health)
        self.record_switch.show(health.get("recorder"))
