"""Panel layout of a rendered image."""

from __future__ import annotations

from typing import NamedTuple

from remi_stream.render.camera import Size
from remi_stream.render.look import RenderOptions


class PanelLayout(NamedTuple):
    """Positions of equal panels, side by side."""

    size: Size
    """Of the whole image, px."""
    panel_size: Size
    """Of each panel, px."""
    left: int = 0
    """Of the first panel, px."""
    top: int = 0
    """Of all panels, px."""


def panel_layout(options: RenderOptions, source_size: Size) -> PanelLayout:
    """Lay out the panels for source images of size `source_size`, in the size that the options ask for."""
    count, (width, height) = len(options.panels), source_size
    if options.width is None:
        return PanelLayout((count * width, height), source_size)
    if options.height is not None:
        return fit_panels((options.width, options.height), count, source_size)
    panel = max(1, options.width // count)
    rows = max(1, round(panel * height / width))
    return PanelLayout((options.width, rows), (panel, rows), (options.width - count * panel) // 2)


def fit_panels(size: Size, count: int, source_size: Size) -> PanelLayout:
    """Fit `count` panels with the aspect ratio of `source_size` into an image of a size, centred and as large as possible."""
    width, height = source_size
    share = min(size[0] / (count * width), size[1] / height)
    panel = max(1, min(int(share * width + 1e-6), size[0] // count)), max(1, min(int(share * height + 1e-6), size[1]))
    return PanelLayout(size, panel, (size[0] - count * panel[0]) // 2, (size[1] - panel[1]) // 2)


def even_size(size: Size) -> Size:
    """Round width and height up to even numbers, which H.264's 4:2:0 chroma subsampling requires."""
    return size[0] + size[0] % 2, size[1] + size[1] % 2
