"""The panel beside the scene: the live image, and tabs for status, view, filter, measurement and recording."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import viser

from remi_stream.config import Config
from remi_stream.messages import Health
from remi_stream.render.colours import CONFIDENCE_COLOURS, Rgb, css_colour
from remi_stream.sinks.web import status_tabs
from remi_stream.sinks.web.filter_tab import FilterTab
from remi_stream.sinks.web.html import STYLE, panel_box, panel_row
from remi_stream.sinks.web.measure_tab import MeasureTab
from remi_stream.sinks.web.recording_tab import PlaybackControls, RecordSwitch
from remi_stream.sinks.web.status_tabs import PersonRow, RatePlots, people_html
from remi_stream.sinks.web.task_queue import TaskQueue

# Dark and light theme, for each client

FLOOR_NODE = "/floor"


class Theme(NamedTuple):
    """Colours of the panel and of the floor's grid."""

    dark: bool
    """Whether text is light on dark."""
    brand: Rgb
    """Of buttons and sliders."""
    plane: Rgb
    cells: Rgb
    sections: Rgb
    shadow: float
    """Opacity of shadows on the floor."""


DARK_THEME = Theme(True, (38, 132, 128), (104, 114, 132), (112, 123, 140), (134, 146, 164), 0.75)
LIGHT_THEME = Theme(False, (4, 32, 32), (232, 236, 241), (205, 211, 219), (178, 187, 198), 0.3)


class ClientThemes:
    """The theme of each client; dark initially."""

    def __init__(self) -> None:
        self._light_clients: set[int] = set()

    def set_initial(self, client: viser.ClientHandle) -> None:
        """Apply the initial theme to a new client."""
        _apply(client, DARK_THEME)

    def toggle(self, client: viser.ClientHandle) -> None:
        """Toggle a client's theme."""
        self._light_clients ^= {client.client_id}
        _apply(client, LIGHT_THEME if client.client_id in self._light_clients else DARK_THEME)


def apply_theme(gui: viser.GuiApi, theme: Theme = DARK_THEME) -> None:
    """Apply a theme to the panel. viser's share button is hidden: it would open a public tunnel."""
    gui.configure_theme(dark_mode=theme.dark, show_logo=False, show_share_button=False, brand_color=theme.brand)


def _apply(client: viser.ClientHandle, theme: Theme) -> None:
    apply_theme(client.gui, theme)
    client.scene.add_grid(
        FLOOR_NODE,
        plane="xz",
        infinite_grid=True,
        cell_size=0.5,
        section_size=1.0,
        cell_color=theme.cells,
        section_color=theme.sections,
        fade_distance=30.0,
        fade_strength=3.0,
        shadow_opacity=theme.shadow,
        plane_color=theme.plane,
        plane_opacity=0.9,
    )


# The view tab

ClientAction = Callable[[viser.ClientHandle], None]
RECENTRE_BUTTON, THEME_BUTTON = "Recentre", "Light / dark"


class ViewOptions(NamedTuple):
    """What to show."""

    body: bool
    """Skinned meshes."""
    bones: bool
    preview: bool
    """The live image."""
    by_confidence: bool
    """Bones coloured by confidence."""
    trails: bool
    all_cameras: bool
    """The images of all cameras, tiled."""


class ViewTab:
    """Widgets that choose what is shown, to all clients; theme and viewpoint apply to the client that pressed the button."""

    def __init__(self, gui: viser.GuiApi, cameras: Sequence[str]) -> None:
        self._body = gui.add_checkbox("Body", True)
        self._bones = gui.add_checkbox("Skeleton", False)
        self._confidence = gui.add_checkbox("Confidence", False, hint="Colour bones by the engine's confidence in their joints")
        self._scale = gui.add_html(confidence_scale(), visible=False)
        self._trails = gui.add_checkbox("Trails", False, hint="Paths of pelvis and hands over the last two seconds")
        self._image = gui.add_checkbox("Image", True)
        self._all_cameras = gui.add_checkbox("All cameras", False, visible=len(cameras) > 1)
        self._buttons = gui.add_button_group("View", (RECENTRE_BUTTON, THEME_BUTTON))

    @property
    def options(self) -> ViewOptions:
        """The current options."""
        chosen = (self._body, self._bones, self._image, self._confidence, self._trails, self._all_cameras)
        return ViewOptions(*(bool(each.value) for each in chosen))

    def show(self) -> None:
        """Show the confidence scale while it is used."""
        self._scale.visible = bool(self._confidence.value)

    def on_button(self, recentre: ClientAction, toggle_theme: ClientAction) -> None:
        """Set the buttons' actions; each gets the client that pressed it."""

        @self._buttons.on_click
        def _(event: viser.GuiEvent[viser.GuiButtonGroupHandle]) -> None:
            if event.client is not None:
                (recentre if self._buttons.value == RECENTRE_BUTTON else toggle_theme)(event.client)


def confidence_scale() -> str:
    """HTML of the confidence colour scale."""
    colours = ",".join(css_colour(colour) for colour in CONFIDENCE_COLOURS)
    return panel_box(
        f'<div class="scale" style="background:linear-gradient(90deg,{colours})"></div>{panel_row("unsure", "sure")}'
    )


BLANK_IMAGE = np.full((360, 640, 3), 24, np.uint8)


class WebPanel:
    """All widgets; each tab is a class of its own."""

    def __init__(self, server: viser.ViserServer, config: Config, tasks: TaskQueue) -> None:
        gui = server.gui
        apply_theme(gui)
        gui.add_html(STYLE)
        gui.set_panel_label("remi-stream" if config.name == "default" else f"remi-stream - {config.name}")
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

    def show_people(self, rows: Sequence[PersonRow], none: str) -> None:
        """Show the list of people. none: what to show for an empty one."""
        self._people_html.content = people_html(rows, none)

    def show_state(
        self,
        engine: str,
        rows: Sequence[status_tabs.CameraRow],
        summaries: Sequence[status_tabs.CameraSummary],
        health: Mapping[str, Health],
    ) -> None:
        """Show the state of cameras and stages. engine: from the newest bodies."""
        self._cameras_html.content = status_tabs.cameras_html(rows)
        self._engine_html.content = status_tabs.engine_html(health, engine)
        self._losses_html.content = status_tabs.losses_html(summaries)
        self._stages_html.content = status_tabs.stages_html(health, {row.name: row.text for row in rows if row.is_away})
        self.record_switch.show(health.get("recorder"))
