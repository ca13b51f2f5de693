"""What is to be seen, chosen by whoever looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import viser

from remi_stream.sinks.views.confidence import COLOURS
from remi_stream.sinks.views.palette import css
from remi_stream.sinks.web.words import box, row

Act = Callable[[viser.ClientHandle], None]
RECENTRE, LIGHT = "Recentre", "Light / dark"


class Wants(NamedTuple):
    """What is to be seen. rated: bones in the colours of confidence. wall: the pictures of all cameras."""

    body: bool
    bones: bool
    picture: bool
    rated: bool
    trails: bool
    wall: bool


class Looks:
    """Widgets. What is chosen here holds for all who look, but for the light and the point of view."""

    def __init__(self, gui: viser.GuiApi, cameras: Sequence[str]) -> None:
        self._body = gui.add_checkbox("Body", True)
        self._bones = gui.add_checkbox("Skeleton", False)
        self._rated = gui.add_checkbox("Confidence", False, hint="Bones in the colours of how sure the engine is of their joints")
        self._scale = gui.add_html(scale(), visible=False)
        self._trails = gui.add_checkbox("Trails", False, hint="Where pelvis and hands were in the last two seconds")
        self._shown = gui.add_checkbox("Picture", True)
        self._wall = gui.add_checkbox("All pictures", False, visible=len(cameras) > 1)
        self._buttons = gui.add_button_group("View", (RECENTRE, LIGHT))

    @property
    def wants(self) -> Wants:
        """What is to be seen."""
        chosen = (self._body, self._bones, self._shown, self._rated, self._trails, self._wall)
        return Wants(*(bool(each.value) for each in chosen))

    def show(self) -> None:
        """Say what the colours mean while they are used."""
        self._scale.visible = bool(self._rated.value)

    def on_button(self, recentre: Act, turn_light: Act) -> None:
        """What the buttons do for the client that presses them."""

        @self._buttons.on_click
        def _(event: viser.GuiEvent[viser.GuiButtonGroupHandle]) -> None:
            if event.client is not None:
                (recentre if self._buttons.value == RECENTRE else turn_light)(event.client)


def scale() -> str:
    """The colours of confidence."""
    colours = ",".join(css(colour) for colour in COLOURS)
    return box(f'<div class="scale" style="background:linear-gradient(90deg,{colours})"></div>{row("unsure", "sure")}')
