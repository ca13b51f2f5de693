"""Hints for permission errors and empty folders: their cause and remedy, for containers the mount option."""

from __future__ import annotations

import errno
import os
import pwd
import shlex
from pathlib import Path

CONTAINER_VARIABLE = "container"
"""Environment variable that our images, podman, systemd-nspawn and others set in containers."""


SYSTEM_FOLDERS = frozenset(["bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "run", "sbin", "sys", "usr", "var"])
"""Folders of the system at the root: owner and mode of what is in them are not to be changed."""


def is_shared_folder(folder: Path) -> bool:
    """Whether a folder is the system's, or someone's whole home: no command is suggested that opens it or gives it away."""
    parts = folder.absolute().parts
    homes = {user.pw_dir for user in pwd.getpwall()}
    return len(parts) <= 2 or parts[1] in SYSTEM_FOLDERS or (parts[1] == "home" and len(parts) == 3) or str(folder) in homes


def is_in_container() -> bool:
    """Whether this process runs in a container."""
    return bool(os.environ.get(CONTAINER_VARIABLE))


def write_error_hint(folder: Path, error: OSError, remedy: str) -> str:
    """Explain why a folder cannot be written or created: read-only mount, other owner, or the system's error and the remedy."""
    existing = next((each for each in (folder, *folder.absolute().parents) if os.path.lexists(each)), folder)
    if error.errno == errno.EROFS and is_in_container():
        return f"{existing} is mounted read-only. Mount it without :ro, or give another folder"
    owner, ours = existing.lstat().st_uid, os.geteuid()
    if error.errno != errno.EACCES or owner == ours:
        return f"{error.strerror or error}. {remedy}"
    return f"{existing} belongs to user {owner}, and this is user {ours}. {_ownership_hint(existing, owner)}"


def _ownership_hint(folder: Path, owner: int) -> str:
    ours, group = os.geteuid(), os.getegid()
    if not is_in_container():
        if is_shared_folder(folder):
            return "Give another folder"
        return f"Give another folder, or make it yours: sudo chown {ours}:{group} {shlex.quote(str(folder))}"
    if _has_mapped_ids():
        return 'User ids in this container are mapped. Start it with: podman run --userns=keep-id --user "$(id -u):$(id -g)"'
    start = f"Start the container with --user {owner}:{folder.lstat().st_gid}, or " if owner else ""
    give = f"{'m' if start else 'M'}ake the folder that is mounted there this user's: sudo chown {ours}:{group} FOLDER"
    return start + give


def _has_mapped_ids() -> bool:
    """Whether user ids are mapped (user namespace), as with rootless podman."""
    # user_namespaces(7): the initial namespace maps all 2^32 - 1 ids from 0 to 0
    try:
        return Path("/proc/self/uid_map").read_text().split() != ["0", "0", "4294967295"]
    except OSError:
        return False


def read_error_hint(path: Path) -> str:
    """Explain which part of a path prevents reading it, who owns it, and the remedy."""
    whole = path.absolute()
    closed = next((folder for folder in reversed(whole.parents) if not os.access(folder, os.X_OK)), whole)
    try:
        owner, group = closed.stat().st_uid, closed.stat().st_gid
    except OSError as error:
        return f"{closed}: {error.strerror}"
    problem = f"{closed} belongs to user {owner}, and this is user {os.geteuid()}, who may not read it. "
    if is_in_container():
        start = f"Start the container with --user {owner}:{group}, or make it" if owner else "Make it"
        return f"{problem}{start} readable for all where it is mounted from: chmod -R a+rX FOLDER"
    if is_shared_folder(closed):
        return f"{problem}Move {whole.name} to a folder that this user may read"
    mode = "a+rx" if closed.is_dir() else "a+r"
    return f"{problem}Make it readable for all (sudo chmod {mode} {shlex.quote(str(closed))}), or move {whole.name} elsewhere"


def empty_mount_hint(path: Path) -> str:
    """Hint for a missing path in a container: the folder is empty, so a mount is missing. Empty outside containers."""
    whole = path.absolute()
    folder = next((each for each in (whole, *whole.parents) if os.path.isdir(each)), whole)
    if not is_in_container() or not os.access(folder, os.R_OK | os.X_OK) or any(folder.iterdir()):
        return ""
    if folder.suffix:
        wanted = f"the file to mount must exist, and its path must be absolute: -v /PATH/FILE:{folder}:ro"
        return f". {folder} is an empty folder: {wanted}"
    return f". {folder} is empty: mount a folder there, with an absolute path: -v /PATH/FOLDER:{folder}:ro"
