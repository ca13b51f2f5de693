"""Pinhole cameras for rendering, of the video or virtual ones in the scene; and the views, sizes and panels of an image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.errors import UsageError, unknown_name_error
from remi_stream.geometry import Intrinsics, project

Size = tuple[int, int]
"""Width and height, px."""


class RenderCamera(NamedTuple):
    """A pinhole camera without distortion. Its extrinsics are relative to the camera of the video."""

    intrinsics: Intrinsics
    """fx, fy, cx, cy, px."""
    size: Size
    """Of its image, px."""
    rotation: np.ndarray
    """(3, 3), from the video camera's axes to its own."""
    position: np.ndarray
    """(3,), its position, m, video camera frame."""

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """Transform points (..., 3), m, from the video camera's frame to its own."""
        return (points - self.position) @ self.rotation.T

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project points (..., 3), m, video camera frame, to its image, px."""
        return project(self.to_camera(points), self.intrinsics)


def video_camera(intrinsics: Intrinsics, video_size: Size, to_size: Size) -> RenderCamera:
    """Make the camera of the video; its images of size `video_size` are scaled to `to_size`."""
    return cropped_camera(intrinsics, (0, 0, *video_size), to_size)


def cropped_camera(intrinsics: Intrinsics, rectangle: tuple[float, float, float, float], to_size: Size) -> RenderCamera:
    """Make the camera of a part of the video: rectangle x0 y0 x1 y1, px, scaled to `to_size`."""
    (x0, y0, x1, y1), (fx, fy, cx, cy) = rectangle, intrinsics
    (sx, sy), cx, cy = scale_factors((x1 - x0, y1 - y0), to_size), cx - x0, cy - y0
    return RenderCamera(
        # Integer coordinates are pixel centres, so scaling goes through the pixel edges at +0.5, as in `scale_points`.
        (fx * sx, fy * sy, (cx + 0.5) * sx - 0.5, (cy + 0.5) * sy - 0.5),
        to_size,
        np.eye(3, dtype=np.float32),
        np.zeros(3, np.float32),
    )


def scale_points(points_px: np.ndarray, from_size: Size, to_size: Size) -> np.ndarray:
    """Scale points (..., 2) px of an image of size `from_size` to its copy of size `to_size`; integers are pixel centres."""
    return (points_px + 0.5) * scale_factors(from_size, to_size) - 0.5


def scale_factors(from_size: tuple[float, float], to_size: Size) -> np.ndarray:
    """Scale factors in x and y, (2,)."""
    return np.array(to_size) / np.array(from_size)


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
    # 1e-6: rounding of the share must not cost a pixel
    panel = max(1, min(int(share * width + 1e-6), size[0] // count)), max(1, min(int(share * height + 1e-6), size[1]))
    return PanelLayout(size, panel, (size[0] - count * panel[0]) // 2, (size[1] - panel[1]) // 2)


def even_size(size: Size) -> Size:
    """Round width and height up to even numbers, which H.264's 4:2:0 chroma subsampling requires."""
    return size[0] + size[0] % 2, size[1] + size[1] % 2
