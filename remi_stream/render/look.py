"""Render options: view and image size (`--view`, `--view-size`)."""

from __future__ import annotations

from typing import NamedTuple

from remi_stream.errors import UsageError, unknown

VIEWS = {
    "mesh": ("mesh",),
    "skeleton": ("skeleton",),
    "side": ("mesh", "side"),
    "3d": ("skeleton", "3d"),
}
"""Panels of each view, from left to right. mesh and skeleton are overlays on the image; side and 3d show a virtual room."""
SMALLEST_PX, LARGEST_PX = 64, 8192
"""Allowed width and height."""


class Look(NamedTuple):
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


def look_of(view: str = "mesh", size: str | None = None) -> Look:
    """Parse the view and size options; size: "1280x720" or "1280". Raises UsageError."""
    if view not in VIEWS:
        raise unknown("view", view, VIEWS)
    if size is None:
        return Look(view)
    parts = size.lower().split("x")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() and _allowed(int(part)) for part in parts):
        raise UsageError(
            f"--view-size {size} is not a size; allowed: WIDTHxHEIGHT or WIDTH, {SMALLEST_PX} to {LARGEST_PX} px, e.g. 1280x720"
        )
    return Look(view, *map(int, parts))


def _allowed(length_px: int) -> bool:
    return SMALLEST_PX <= length_px <= LARGEST_PX
