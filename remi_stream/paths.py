"""Paths: files that ship with the package (checkout or installed wheel), the user's data folder, a daemon's run folder.

A run folder holds a daemon's sockets; a lock beside it allows one daemon per name, and a marker in it says which run made it:
nothing else is ever removed. The sample clip, a rendered person with ground truth, is one of the files that ship.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote_to_bytes

import msgspec
import numpy as np

from remi_stream.errors import RemiError, UsageError
from remi_stream.geometry import bounding_box
from remi_stream.redaction import printable

PACKAGE_FOLDER = Path(__file__).parent
# "\Z", not "$", which allows a line feed at the end
PATH_PART_PATTERN = r"^(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_.-]{0,39}\Z"
PATH_PART_RULE = "1 to 40 of A-Z, a-z, 0-9, '_', '.', '-', beginning with a letter, digit or '_', without '..'"
PathPart = Annotated[str, msgspec.Meta(pattern=PATH_PART_PATTERN, description=PATH_PART_RULE)]
"""A name that is safe as one part of a path: of a daemon, a camera or a model."""
FileName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}\Z")]
"""Name of a file beside the one that names it; no path, and not hidden."""
RUN_MARKER = ".remi-stream-run"
"""File in a run folder with the random text of the run that made it."""
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


def printable_path(path: str | Path) -> str:
    """A path as one line of valid text, for messages and as a name in files: "a\\xff.mp4", "two\\nlines.mp4"."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return printable(text)


def ffmpeg_url(path: Path) -> str:
    """A path for `av.open`: with a colon in it ("12:30.mp4") FFmpeg would take its beginning for a protocol."""
    return f"file:{path}"


def text_of_path(path: Path) -> str:
    """An absolute path as valid text that `path_from_text` reads back, for configurations and indexes: a file URI if need be."""
    absolute = path.absolute()
    try:
        str(absolute).encode()
    except UnicodeEncodeError:  # the bytes of its name are not UTF-8
        return absolute.as_uri()
    return str(absolute)


def path_from_text(text: str) -> Path:
    """The path that a configuration or an index names, plainly or as a file URI."""
    return Path(os.fsdecode(unquote_to_bytes(text.removeprefix("file://")))) if text.startswith("file:///") else Path(text)


def user_data_folder() -> Path:
    """User's folder for models and caches: $REMI_HOME, else the platform's user data directory."""
    if os.environ.get("REMI_HOME"):
        return Path(os.environ["REMI_HOME"]).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/remi-stream"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "remi-stream"


def check_path_part(kind: str, name: str) -> str:
    """Return a name that is safe as a part of a path. Raises UsageError for any other. kind: "daemon", "camera"."""
    if not re.match(PATH_PART_PATTERN, name):
        raise UsageError(f"{name!r} cannot be the name of a {kind}; allowed: {PATH_PART_RULE}")
    return name


class RunFolder:
    """Run folder of one daemon. Raises RemiError if its path is too long for a socket, UsageError for an unsafe name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = run_folder_path(name)
        self._marker = secrets.token_hex(16)
        self._lock = -1
        # "<topic>.<consumer>" (transport/link.py); no pair of the stage table is longer than this one
        if len(str(self.path)) + len("/detections.pose") > MAX_SOCKET_PATH:
            raise RemiError(f"{self.path} is too long a path for a socket. Set XDG_RUNTIME_DIR to a shorter folder")

    def open(self) -> None:
        """Lock the name and make the folder, in place of that of a dead daemon. Raises RemiError."""
        self._acquire_lock()
        try:
            self._make()
        except OSError as error:
            self.close()
            raise RemiError(f"Cannot make {self.path}: {error.strerror}. Set XDG_RUNTIME_DIR to a folder of yours") from None
        except RemiError:
            self.close()
            raise

    def is_intact(self) -> bool:
        """Whether the folder and the lock are still those of this run."""
        # without opening a file: a process that has no descriptors left must not take its folder for a lost one
        return self._has_marker() and _is_file_of(self._lock, _lock_path(self.path))

    def restore(self) -> None:
        """Make the folder again after another program removed it. Raises RemiError if another daemon has the name now."""
        if not _is_file_of(self._lock, _lock_path(self.path)):
            _parent()
            old, self._lock = self._lock, -1
            os.close(old)
            self._acquire_lock()
        if not self._has_marker():
            try:
                self._make()
            except OSError as error:
                raise RemiError(f"Cannot make {self.path}: {error.strerror}") from None

    def close(self) -> None:
        """Remove the folder and release the lock, as far as they are still those of this run."""
        if self._lock >= 0:
            _remove_marked(self.path, self._marker)
            _release_lock(self._lock, _lock_path(self.path))
            self._lock = -1

    def _make(self) -> None:
        _remove_marked(self.path, read_run_marker(self.path))  # of a dead daemon, since the lock is ours
        with contextlib.suppress(OSError):
            self.path.rmdir()  # a daemon that died before it wrote its marker leaves an empty folder
        # written beside and moved in whole: a folder with half a marker would be no run's, and block the name
        made = self.path.with_name(f".{self.name}.marker")
        made.unlink(missing_ok=True)
        try:
            with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
                file.write(self._marker)
                self._marker_status = os.fstat(file.fileno())
            self.path.mkdir(mode=0o700)
            made.rename(self.path / RUN_MARKER)
        except FileExistsError:
            raise RemiError(
                f"{self.path} was not made by remi-stream (it has no {RUN_MARKER}), so it is left alone. "
                "Remove it yourself, or start this one with --name"
            ) from None
        finally:
            made.unlink(missing_ok=True)

    def _has_marker(self) -> bool:
        try:
            return os.path.samestat((self.path / RUN_MARKER).lstat(), self._marker_status)
        except OSError:
            return False

    def _acquire_lock(self) -> None:
        try:
            self._lock = _lock_file(_lock_path(self.path))
        except BlockingIOError:
            pid = _read_pid(_lock_path(self.path)) or "?"
            raise RemiError(
                f"A remi-stream named {self.name!r} is already running (process {pid}). Stop it, or start this one with --name"
            ) from None
        except OSError as error:
            raise RemiError(f"Cannot lock {_lock_path(self.path)}: {error.strerror}. Remove it, or use another --name") from None
        try:
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, str(os.getpid()).encode(), 0)
        except OSError as error:
            _release_lock(self._lock, _lock_path(self.path))
            self._lock = -1
            raise RemiError(
                f"Cannot write {_lock_path(self.path)}: {error.strerror}. Make room, or set XDG_RUNTIME_DIR to another folder"
            ) from None


@contextlib.contextmanager
def run_folder(name: str) -> Iterator[RunFolder]:
    """Create the run folder, and remove it afterwards. Raises RemiError while another daemon uses this name."""
    folder = RunFolder(name)
    folder.open()
    try:
        yield folder
    finally:
        folder.close()


def run_folder_path(name: str) -> Path:
    """Path of the run folder of this name; it exists while the daemon runs. Raises UsageError for an unsafe name."""
    return _parent() / check_path_part("daemon", name)


def find_run_folder(name: str) -> Path:
    """Path of the run folder of the daemon of this name that runs for this user; `run_folder_path` if there is none.

    A daemon may have been started with another XDG_RUNTIME_DIR than this process has (by systemd, cron, sudo). Root finds the
    system service too. Raises UsageError for an unsafe name, RemiError.
    """
    own = run_folder_path(name)
    found = [folder for folder in [own, *(parent / name for parent in _other_parents())] if read_run_marker(folder)]
    return found[0] if found else own


def running_daemons() -> list[str]:
    """Names of this user's running daemons."""
    locks = sorted(_parent().glob(".*.lock"))
    return [lock.name[1 : -len(".lock")] for lock in locks if _is_alive(_read_pid(lock))]


def read_run_marker(folder: Path) -> str:
    """Text of the run that made a run folder; "" if no run did, or if it is a link."""
    if folder.is_symlink():
        return ""
    try:
        with open(os.open(folder / RUN_MARKER, os.O_RDONLY | os.O_NOFOLLOW)) as file:
            return file.read(64)
    except (OSError, ValueError):
        return ""


def remove_dead_run_folder(folder: Path, marker: str) -> None:
    """Remove the run folder of a dead supervisor; its marker is that of its run. Not if a new daemon has taken the name."""
    try:
        lock = _lock_file(_lock_path(folder))
    except OSError:
        return
    _remove_marked(folder, marker)
    _release_lock(lock, _lock_path(folder))


def _remove_marked(folder: Path, marker: str) -> None:
    # rmtree follows no links, neither in the folder nor in place of it
    if marker and read_run_marker(folder) == marker and folder.stat().st_uid == os.getuid():
        shutil.rmtree(folder, ignore_errors=True)


def _lock_path(folder: Path) -> Path:
    # beside the folder, because the folder of a dead daemon is removed while the lock is held; no name begins with a dot
    return folder.with_name(f".{folder.name}.lock")


def _lock_file(path: Path) -> int:
    """Lock a file, made if there is none; return its descriptor. Raises BlockingIOError while another process holds it."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise
        if _is_file_of(lock, path):
            return lock
        os.close(lock)  # its last owner removed it between the two calls: a lock on it would exclude no other process


def _release_lock(lock: int, path: Path) -> None:
    if _is_file_of(lock, path):
        path.unlink(missing_ok=True)  # while it is locked: else the file of a daemon that starts now could be removed
    os.close(lock)


def _is_file_of(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one at this path."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except OSError:
        return False


def _read_pid(lock: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        return lock.read_text().strip()
    return ""


def _is_alive(pid: str) -> bool:
    return pid.isdigit() and Path(f"/proc/{pid}").exists()


def _parent() -> Path:
    """$XDG_RUNTIME_DIR/remi-stream, else a private folder (mode 0700) of this user in the temporary directory."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    parent = Path(runtime) / "remi-stream" if runtime else Path(tempfile.gettempdir()) / f"remi-stream-{os.getuid()}"
    try:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # a folder in /tmp may be another user's link; what XDG_RUNTIME_DIR names is this user's
        status = os.stat(parent, follow_symlinks=bool(runtime))
    except OSError as error:
        raise RemiError(f"Cannot make {parent}: {error.strerror}. Set XDG_RUNTIME_DIR to a folder of yours") from None
    # in /tmp another user may have created it first, and could then replace our sockets
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise RemiError(f"{parent} must belong to you alone (a folder with mode 0700). Remove it, or set XDG_RUNTIME_DIR")
    return parent


def _other_parents() -> list[Path]:
    """Private folders in which a daemon that was started in another environment has its run folder."""
    user = os.getuid()
    runtimes = [Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{user}"), Path(f"/run/user/{user}")]
    found = [folder / "remi-stream" for folder in runtimes]
    # a systemd unit has a runtime directory of its own: configs/systemd/remi-stream.service
    for folder in [*runtimes, *([Path("/run")] if user == 0 else [])]:
        found += sorted(folder.glob("remi-stream*/remi-stream"))
    found += [Path(folder) / f"remi-stream-{user}" for folder in (tempfile.gettempdir(), "/tmp")]
    return [folder for folder in found if _is_private(folder)]


def _is_private(folder: Path) -> bool:
    """Whether no other user but root can have put anything into a folder."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    # root looks into /run, where only root makes folders; the service's belongs to its own user
    is_owner = status.st_uid == os.getuid() or (os.getuid() == 0 and folder.is_relative_to("/run"))
    return stat.S_ISDIR(status.st_mode) and is_owner and not status.st_mode & 0o077


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
