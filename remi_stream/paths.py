"""Paths: files that ship with the package (checkout or installed wheel), the user's data folder, a daemon's run folder.

A run folder holds sockets and a lock: one daemon per name; the folder of a dead daemon is cleared. The sample clip, a rendered
person with ground truth, is one of the files that ship.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TextIO

import numpy as np

from remi_stream.errors import RemiError
from remi_stream.geometry import bounding_box

PACKAGE_FOLDER = Path(__file__).parent
MAX_SOCKET_PATH = 100
"""Maximum length of a socket path, bytes: sockaddr_un.sun_path holds 107, see unix(7)."""
SAMPLE_FOCAL_PX = 1150.0
"""Focal length that the sample clip was rendered with, px."""
SAMPLE_BOX_MARGIN = 0.04
"""Distance from the joints to the body surface, as a fraction of the longest side of the joints' bounding box."""


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


@contextlib.contextmanager
def run_folder(name: str) -> Iterator[Path]:
    """Create the run folder, and remove it afterwards. Raises RemiError while another daemon uses this name."""
    folder = run_folder_path(name)
    # "<topic>.<consumer>" (transport/link.py); no pair of the stage table is longer than this one
    if len(str(folder)) + len("/detections.pose") > MAX_SOCKET_PATH:
        raise RemiError(f"{folder} is too long a path for a socket. Set XDG_RUNTIME_DIR to a shorter folder")
    # Beside the folder, because the folder of a dead daemon is removed while the lock is held.
    lock = Path(f"{folder}.lock")
    with open(lock, "a+") as file:  # not "w": a daemon that runs has its process id in it
        _acquire_lock(file, name)
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)


def run_folder_path(name: str) -> Path:
    """Path of the run folder of this name; it exists while the daemon runs."""
    return _parent() / name


def running_daemons() -> list[str]:
    """Names of this user's running daemons."""
    locks = sorted(_parent().glob("*.lock"))
    return [lock.stem for lock in locks if _is_alive(lock.read_text().strip())]


def _is_alive(pid: str) -> bool:
    return pid.isdigit() and Path(f"/proc/{pid}").exists()


def _acquire_lock(file: TextIO, name: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        pid = file.read().strip() or "?"
        raise RemiError(
            f"A remi-stream named {name!r} is already running (process {pid}). Stop it, or start this one with --name"
        ) from None
    file.seek(0)
    file.truncate()
    file.write(str(os.getpid()))
    file.flush()


def _parent() -> Path:
    """$XDG_RUNTIME_DIR/remi-stream, else a private folder (mode 0700) of this user in the temporary directory."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    parent = Path(runtime) / "remi-stream" if runtime else Path(tempfile.gettempdir()) / f"remi-stream-{os.getuid()}"
    try:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = parent.stat()
    except OSError as error:
        raise RemiError(f"Cannot make {parent}: {error.strerror}. Set XDG_RUNTIME_DIR to a folder of yours") from None
    # in /tmp another user may have created it first, and could then replace our sockets
    if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise RemiError(f"{parent} must belong to you alone (mode 0700). Remove it, or set XDG_RUNTIME_DIR")
    return parent


def sample_clip() -> Path:
    """Path of the clip: 240 frames of 1280x720 px at 30 fps."""
    return data_file("sample.mp4")


@cache
def sample_boxes() -> np.ndarray:
    """Bounding boxes of the person, (240, 4) float32 px: around all joints, plus a margin for the body surface."""
    with np.load(data_file("sample_truth.npz")) as truth:
        boxes = np.stack([bounding_box(joints) for joints in truth["joints_px"]])
    margin = SAMPLE_BOX_MARGIN * (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True)
    return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], axis=1)
