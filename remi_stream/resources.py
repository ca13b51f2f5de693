"""Where the files that ship with the package are, in a checkout and in an installed wheel, and where the user's are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent


def shared_folder(kind: str) -> Path:
    """The folder of shipped files of a kind ("engines", "configs")."""
    installed = PACKAGE / "_share" / kind
    return installed if installed.is_dir() else PACKAGE.parent / kind


def data_file(name: str) -> Path:
    """A file of remi_stream/data, e.g. "sample.mp4"."""
    return PACKAGE / "data" / name


def home() -> Path:
    """The user's folder for models and caches: $REMI_HOME, else the user's data directory."""
    if os.environ.get("REMI_HOME"):
        return Path(os.environ["REMI_HOME"]).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/remi-stream"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "remi-stream"
