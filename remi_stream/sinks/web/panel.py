"""The panel beside the scene: the live image, and tabs for status, view, filter, measurement and recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import viser

from remi_stream.config import Config
from remi_stream.messages import Health
from remi_stream.sinks.web import state
from remi_stream.sinks.web.errands import Errands
from remi_stream.sinks.web.filters import Filters
from remi_stream.sinks.web.looks import Looks
from remi_stream.sinks.web.measuring import Measuring
from remi_stream.sinks.web.mood import theme
from remi_stream.sinks.web.pace import Pace
from remi_stream.sinks.web.people import Somebody, people
from remi_stream.sinks.web.player import Player
from remi_stream.sinks.web.recorder import Recorder
from remi_stream.sinks.web.style import STYLE

BLANK = np.full((360, 640, 3), 24, np.uint8)


class Panel:
    """All widgets; each tab is a class of its own."""

    def __init__(self, server: viser.ViserServer, config: Config, errands: Errands) -> None:
        gui = server.gui
        theme(gui)
        gui.add_html(STYLE)
        gui.set_panel_label("remi-stream")
        self._names = tuple(camera.name for camera in config.cameras)
        self._image = gui.add_image(BLANK, format="jpeg", jpeg_quality=80)
        self._camera = gui.add_dropdown("Camera", self._names, visible=len(self._names) > 1)
        tabs = gui.add_tab_group()
        with tabs.add_tab("Live"):
            self._people_html = gui.add_html("")
            self.pace = Pace(gui)
            self._cameras_html = gui.add_html("")
        with tabs.add_tab("View"):
            self.looks = Looks(gui, self._names)
        with tabs.add_tab("Filter"):
            self.filters = Filters(gui, errands)
        with tabs.add_tab("Measure"):
            self.measuring = Measuring(gui, config, errands)
            self.recorder = Recorder(gui, errands)
        with tabs.add_tab("State"):
            self.player = Player(gui, errands)
            self._engine_html = gui.add_html("")
            self._losses_html = gui.add_html("")
            self._stages_html = gui.add_html("")

    @property
    def camera(self) -> str:
        """The selected camera; the first one if a client sends an unknown name."""
        return self._camera.value if self._camera.value in self._names else self._names[0]

    def show_picture(self, image: np.ndarray, caption: str) -> None:
        """Show the live image, (h, w, 3) uint8 RGB."""
        self._image.image = image
        self._image.label = caption

    def show_people(self, present: Sequence[Somebody]) -> None:
        """Show the list of people."""
        self._people_html.content = people(present)

    def show_state(self, engine: str, seen: Sequence[state.Seen], health: Mapping[str, Health]) -> None:
        """Show the state of cameras and stages. engine: from the newest bodies."""
        self._cameras_html.content = state.cameras([each.facts for each in seen])
        self._engine_html.content = state.works(health, engine)
        self._losses_html.content = state.losses(seen)
        self._stages_html.content = state.stages(health)
        self.recorder.show(health.get("recorder"))
