"""What aitviewer stands on: a window of the desktop, or OpenGL without a screen."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from aitviewer import viewer
from aitviewer.utils import pyqt6_window
from moderngl_window.context.headless.window import Window as HeadlessWindow
from PyQt6.QtWidgets import QApplication

from remi_stream.errors import RemiError

SETTLES = 5
INSTALL = (
    "It needs a driver with OpenGL 4.5; Mesa's draws without a GPU (Debian: apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri)"
)


class DesktopWindow(pyqt6_window.PyQt6Window):  # type: ignore[misc]
    """Qt makes the window's context when it is first shown, which without a window manager is a few events later."""

    def init_mgl_context(self) -> None:
        """Let Qt show the window, and take its context."""
        for _ in range(SETTLES):
            QApplication.processEvents()
        self._widget.makeCurrent()
        with _told():
            super().init_mgl_context()


class Offscreen(HeadlessWindow):  # type: ignore[misc]
    """Pixels in memory; needs no X server."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "backend": "egl"})

    def init_mgl_context(self) -> None:
        """Get OpenGL from EGL."""
        with _told():
            super().init_mgl_context()


def stand_on(kind: str) -> None:
    """Have aitviewer use these windows: it looks them up by name and lets nobody hand it one."""
    if kind == "pyqt6":
        pyqt6_window.PyQt6Window = DesktopWindow
    else:
        viewer.get_local_window_cls = lambda _: Offscreen


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Raise RemiError where there is no OpenGL."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # moderngl raises no other kind
        raise RemiError(f"OpenGL does not work here: {' '.join(str(error).split())}. {INSTALL}") from None
