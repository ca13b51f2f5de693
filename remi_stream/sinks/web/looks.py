"""The view tab: choose what the scene and the image show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import viser

from remi_stream.sinks.views.confidence import CONFIDENCE_COLOURS
from remi_stream.sinks.views.palette import css_colour
from remi_stream.sinks.web.words import panel_box, panel_row

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
    """Widgets of the tab. Choices apply to all clients; theme and viewpoint to the client that pressed the button."""

    def __init__(self, gui: viser.GuiApi, cameras: Sequence[str]) -> None:
        self._body = gui.add_checkbox("Body", True)
        self._bones = gui.add_checkbox("Skeleton", False)
        self._rated = gui.add_checkbox("Confidence", False, hint="Colour bones by the engine's confidence in their joints")
        self._scale = gui.add_html(confidence_scale(), visible=False)
        self._trails = gui.add_checkbox("Trails", False, hint="Paths of pelvis and hands over the last two seconds")
        self._image = gui.add_checkbox("Image", True)
        self._wall = gui.add_checkbox("All cameras", False, visible=len(cameras) > 1)
        self._buttons = gui.add_button_group("View", (RECENTRE_BUTTON, THEME_BUTTON))

    @property
    def options(self) -> ViewOptions:
        """The options as chosen now."""
        chosen = (self._body, self._bones, self._image, self._rated, self._trails, self._wall)
        return ViewOptions(*(bool(each.value) for each in chosen))

    def show(self) -> None:
        """Show the confidence scale while it is used."""
        self._scale.visible = bool(self._rated.value)

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
