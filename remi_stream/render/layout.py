"""Where the panels of a picture are."""

from __future__ import annotations

from typing import NamedTuple

from remi_stream.render.camera import Size
from remi_stream.render.look import Look


class Layout(NamedTuple):
    """size: of the whole picture, px. panel: of each panel. left, top: where the first one is; the others follow to its right."""

    size: Size
    panel: Size
    left: int = 0
    top: int = 0


def layout(look: Look, taken: Size) -> Layout:
    """The layout for pictures of size `taken`, as large as is asked."""
    count, (width, height) = len(look.panels), taken
    if look.width is None:
        return Layout((count * width, height), taken)
    if look.height is not None:
        return fitted((look.width, look.height), count, taken)
    panel = max(1, look.width // count)
    rows = max(1, round(panel * height / width))
    return Layout((look.width, rows), (panel, rows), (look.width - count * panel) // 2)


def fitted(size: Size, count: int, taken: Size) -> Layout:
    """So many panels for pictures of size `taken`, as large as there is room, in the middle of a picture of this size."""
    width, height = taken
    share = min(size[0] / (count * width), size[1] / height)
    panel = max(1, min(int(share * width + 1e-6), size[0] // count)), max(1, min(int(share * height + 1e-6), size[1]))
    return Layout(size, panel, (size[0] - count * panel[0]) // 2, (size[1] - panel[1]) // 2)


def even(size: Size) -> Size:
    """The next size whose width and height can be halved, as H.264's colours want it."""
    return size[0] + size[0] % 2, size[1] + size[1] % 2
