"""Render options: view and image size (`--view`, `--view-size`)."""

from __future__ import annotations

from typing import NamedTuple

from remi_stream.errors import UsageError, unknown_name_error

VIEWS = {
    "mesh": ("mesh",),
    "skeleton": ("skeleton",),
    "side": ("mesh", "side"),
    "3d": ("skeleton", "3d"),
}
"""Panels of each view, from left to right. mesh and skeleton are overlays on the image; side and 3d show a virtual room."""
MIN_VIEW_PX, MAX_VIEW_PX = 64, 8192
"""Allowed width and height."""


class RenderOptions(NamedTuple):
    """What to render, and how large."""

    view: str = "mesh"
    """Key of VIEWS."""
    width: int | None = None
    """Of the whole image, px; None: the size of the source images."""
    height: int | None = None
    """Of the whole image, px; None: from the width and the aspect ratio of the panels."""

    @property
    def panels(self) -> tuple[str, ...]:
        """Names of the panels, from left to right."""
        return VIEWS[self.view]


def parse_render_options(view: str = "mesh", size: str | None = None) -> RenderOptions:
    """Parse the view and size options; size: "1280x720" or "1280". Raises UsageError."""
    if view not in VIEWS:
        raise unknown_name_error("view", view, VIEWS)
    if size is None:
        return RenderOptions(view)
    parts = size.lower().split("x")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() and _allowed(int(part)) for part in parts):
        raise UsageError(
            f"--view-size {size} is not a size; allowed: WIDTHxHEIGHT or WIDTH, {MIN_VIEW_PX} to {MAX_VIEW_PX} px, e.g. 1280x720"
        )
    return RenderOptions(view, *map(int, parts))


def _allowed(length_px: int) -> bool:
    return MIN_VIEW_PX <= length_px <= MAX_VIEW_PX
