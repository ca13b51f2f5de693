"""Whether aitviewer can run here; each fault is one line that says what to do."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

from remi_stream.errors import RemiError

INSTALL = "pip install 'remi-stream[aitviewer]' (Python 3.10 or 3.11, best in a venv of its own: it brings another OpenCV)"
INSTEAD = "Film it with --render FILE.mp4, or look with a browser: remi-stream view"
PROBE = "from PyQt6.QtWidgets import QApplication; QApplication([])"


def need_aitviewer() -> None:
    """Raise RemiError when aitviewer is not installed."""
    if importlib.util.find_spec("aitviewer") is None:
        mine = ".".join(map(str, sys.version_info[:2]))
        raise RemiError(f"aitviewer is not installed here (Python {mine}). Install it: {INSTALL}")


def need_screen() -> None:
    """Raise RemiError when no window can be opened; Qt would end this process then, so another one tries."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise RemiError(f"Cannot open a window: there is no screen here. {INSTEAD}")
    tried = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True)
    if tried.returncode:
        said = [line for line in tried.stderr.splitlines() if line.strip()]
        raise RemiError(f"Cannot open a window: {said[0].strip() if said else 'Qt does not start'}. {INSTEAD}")
