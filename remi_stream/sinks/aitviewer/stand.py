"""Window classes for aitviewer: a Qt window of the desktop, or offscreen OpenGL through EGL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from aitviewer import viewer
from aitviewer.utils import pyqt6_window
from moderngl_window.context.headless.window import Window as HeadlessWindow
from PyQt6.QtWidgets import QApplication

from remi_stream.errors import RemiError

EVENT_ROUNDS = 5
"""Rounds of Qt events until a shown window has its OpenGL context."""
OPENGL_HINT = (
    "It needs a driver with OpenGL 4.5; Mesa's draws without a GPU (Debian: apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri)"
)


class DesktopWindow(pyqt6_window.PyQt6Window):  # type: ignore[misc]
    """A Qt window. Its OpenGL context exists once it is shown: without a window manager a few events later."""

    def init_mgl_context(self) -> None:
        """Process events until Qt has shown the window, then use its context."""
        for _ in range(EVENT_ROUNDS):
            QApplication.processEvents()
        self._widget.makeCurrent()
        with _opengl_errors():
            super().init_mgl_context()


class OffscreenWindow(HeadlessWindow):  # type: ignore[misc]
    """An offscreen framebuffer; needs no X server."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "backend": "egl"})

    def init_mgl_context(self) -> None:
        """Create the OpenGL context through EGL."""
        with _opengl_errors():
            super().init_mgl_context()


def select_window_class(kind: str) -> None:
    """Make aitviewer use our window classes: patched in, as it looks them up by name and takes none as an argument."""
    if kind == "pyqt6":
        pyqt6_window.PyQt6Window = DesktopWindow
    else:
        viewer.get_local_window_cls = lambda _: OffscreenWindow


@contextlib.contextmanager
def _opengl_errors() -> Iterator[None]:
    """Raise RemiError where OpenGL does not work."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # moderngl raises no other kind
        raise RemiError(f"OpenGL does not work here: {' '.join(str(error).split())}. {OPENGL_HINT}") from None
