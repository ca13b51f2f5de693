"""Panel layout of a rendered image."""

from __future__ import annotations

from typing import NamedTuple

from remi_stream.render.camera import Size
from remi_stream.render.look import Look


class Layout(NamedTuple):
    """Positions of equal panels, side by side."""

    size: Size
    """Of the whole image, px."""
    panel: Size
    """Of each panel, px."""
    left: int = 0
    """Of the first panel, px."""
    top: int = 0
    """Of all panels, px."""


def layout(look: Look, taken: Size) -> Layout:
    """Lay out the panels for source images of size `taken`, in the size that the options ask for."""
    count, (width, height) = len(look.panels), taken
    if look.width is None:
        return Layout((count * width, height), taken)
    if look.height is not None:
        return fitted((look.width, look.height), count, taken)
    panel = max(1, look.width // count)
    rows = max(1, round(panel * height / width))
    return Layout((look.width, rows), (panel, rows), (look.width - count * panel) // 2)


def fitted(size: Size, count: int, taken: Size) -> Layout:
    """Fit `count` panels with the aspect ratio of `taken` into an image of a size, centred and as large as possible."""
    width, height = taken
    share = min(size[0] / (count * width), size[1] / height)
    panel = max(1, min(int(share * width + 1e-6), size[0] // count)), max(1, min(int(share * height + 1e-6), size[1]))
    return Layout(size, panel, (size[0] - count * panel[0]) // 2, (size[1] - panel[1]) // 2)


def even(size: Size) -> Size:
    """Round width and height up to even numbers, which H.264's 4:2:0 chroma subsampling requires."""
    return size[0] + size[0] % 2, size[1] + size[1] % 2
