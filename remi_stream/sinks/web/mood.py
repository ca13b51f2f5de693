"""Dark and light, for each who looks."""

from __future__ import annotations

from typing import NamedTuple

import viser

from remi_stream.sinks.views.palette import Rgb

FLOOR = "/floor"


class Mood(NamedTuple):
    """What the floor looks like, and whether text is light on dark."""

    dark: bool
    brand: Rgb
    plane: Rgb
    cells: Rgb
    sections: Rgb
    shadow: float


DARK = Mood(True, (38, 132, 128), (104, 114, 132), (112, 123, 140), (134, 146, 164), 0.75)
LIGHT = Mood(False, (4, 32, 32), (232, 236, 241), (205, 211, 219), (178, 187, 198), 0.3)


class Moods:
    """The mood of each client; dark at first."""

    def __init__(self) -> None:
        self._light: set[int] = set()

    def greet(self, client: viser.ClientHandle) -> None:
        """Give a new client its mood."""
        _set(client, DARK)

    def turn(self, client: viser.ClientHandle) -> None:
        """From dark to light, or back."""
        self._light ^= {client.client_id}
        _set(client, LIGHT if client.client_id in self._light else DARK)


def theme(gui: viser.GuiApi, mood: Mood = DARK) -> None:
    """Colour the panel; nobody is shown a way to share it with the world."""
    gui.configure_theme(dark_mode=mood.dark, show_logo=False, show_share_button=False, brand_color=mood.brand)


def _set(client: viser.ClientHandle, mood: Mood) -> None:
    theme(client.gui, mood)
    client.scene.add_grid(
        FLOOR,
        plane="xz",
        infinite_grid=True,
        cell_size=0.5,
        section_size=1.0,
        cell_color=mood.cells,
        section_color=mood.sections,
        fade_distance=30.0,
        fade_strength=3.0,
        shadow_opacity=mood.shadow,
        plane_color=mood.plane,
        plane_opacity=0.9,
    )
