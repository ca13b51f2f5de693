"""Dark and light theme of the web viewer, for each client."""

from __future__ import annotations

from typing import NamedTuple

import viser

from remi_stream.sinks.views.palette import Rgb

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


def _apply(client: viser.ClientHandle, mood: Theme) -> None:
    apply_theme(client.gui, mood)
    client.scene.add_grid(
        FLOOR_NODE,
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
