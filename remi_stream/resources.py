"""Paths of the files that ship with the package (checkout or installed wheel) and of the user's data folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

PACKAGE_FOLDER = Path(__file__).parent


def shipped_folder(kind: str) -> Path:
    """Folder of shipped files of one kind: "engines" or "configs"."""
    installed = PACKAGE_FOLDER / "_share" / kind
    return installed if installed.is_dir() else PACKAGE_FOLDER.parent / kind


def data_file(name: str) -> Path:
    """Path of a file in remi_stream/data, e.g. "sample.mp4"."""
    return PACKAGE_FOLDER / "data" / name


def user_data_folder() -> Path:
    """User's folder for models and caches: $REMI_HOME, else the platform's user data directory."""
    if os.environ.get("REMI_HOME"):
        return Path(os.environ["REMI_HOME"]).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/remi-stream"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "remi-stream"
