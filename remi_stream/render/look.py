"""What is drawn, and how large: `--view`, `--view-size`."""

from __future__ import annotations

from typing import NamedTuple

from remi_stream.errors import UsageError, unknown

VIEWS = {
    "mesh": ("mesh",),
    "skeleton": ("skeleton",),
    "side": ("mesh", "side"),
    "3d": ("skeleton", "3d"),
}
"""The panels of each view, from left to right. mesh and skeleton lie over the picture, side and 3d are in a room of their own."""
SMALLEST_PX, LARGEST_PX = 64, 8192


class Look(NamedTuple):
    """view: a name of VIEWS. width, height: px of the whole picture; without a height it has the shape of what is shown, without
    both its size.
    """

    view: str = "mesh"
    width: int | None = None
    height: int | None = None

    @property
    def panels(self) -> tuple[str, ...]:
        """What stands side by side."""
        return VIEWS[self.view]


def look_of(view: str = "mesh", size: str | None = None) -> Look:
    """The look of a view's name and a size as it is typed: "1280x720", or "1280". Raises UsageError."""
    if view not in VIEWS:
        raise unknown("view", view, VIEWS)
    if size is None:
        return Look(view)
    parts = size.lower().split("x")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() and _allowed(int(part)) for part in parts):
        raise UsageError(
            f"--view-size {size} is no size; allowed: WIDTHxHEIGHT or WIDTH, {SMALLEST_PX} to {LARGEST_PX} px, e.g. 1280x720"
        )
    return Look(view, *map(int, parts))


def _allowed(length_px: int) -> bool:
    return SMALLEST_PX <= length_px <= LARGEST_PX
