"""Requirements of aitviewer: checks that it is installed and that a window can be opened."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

from remi_stream.errors import RemiError

INSTALL_HINT = "pip install 'remi-stream[aitviewer]' (Python 3.10 or 3.11, best in a venv of its own: it installs another OpenCV)"
ALTERNATIVE = "Render a video with --render FILE.mp4, or use a browser: remi-stream view"
QT_PROBE = "from PyQt6.QtWidgets import QApplication; QApplication([])"


def require_aitviewer() -> None:
    """Raise RemiError when aitviewer is not installed."""
    if importlib.util.find_spec("aitviewer") is None:
        version = ".".join(map(str, sys.version_info[:2]))
        raise RemiError(f"aitviewer is not installed here (Python {version}). Install it: {INSTALL_HINT}")


def require_screen() -> None:
    """Raise RemiError when no window can be opened. Tried in a subprocess, since Qt aborts the process that fails."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise RemiError(f"Cannot open a window: there is no screen here. {ALTERNATIVE}")
    probe = subprocess.run([sys.executable, "-c", QT_PROBE], capture_output=True, text=True)
    if probe.returncode:
        lines = [line for line in probe.stderr.splitlines() if line.strip()]
        raise RemiError(f"Cannot open a window: {lines[0].strip() if lines else 'Qt does not start'}. {ALTERNATIVE}")
