"""Why a folder cannot be written, or has nothing in it, and what to do: in a container it is a mount that is wrong."""

from __future__ import annotations

import errno
import os
from pathlib import Path

SAYS_SO = "container"
"""The variable that our images set, and that podman, systemd and others set in containers of theirs."""


def in_container() -> bool:
    """Whether this is a container."""
    return bool(os.environ.get(SAYS_SO))


def why_unwritable(folder: Path, error: OSError, cure: str) -> str:
    """What the system says about a folder, or one that is to be made, and the cure; if it is another user's, whose it is."""
    there = next((each for each in (folder, *folder.absolute().parents) if os.path.lexists(each)), folder)
    if error.errno == errno.EROFS and in_container():
        return f"{there} is mounted to be read only. Mount it without :ro, or give another folder"
    owner, ours = there.lstat().st_uid, os.geteuid()
    if error.errno != errno.EACCES or owner == ours:
        return f"{error.strerror or error}. {cure}"
    return f"{there} belongs to user {owner}, and this is user {ours}. {_of_another(there, owner)}"


def _of_another(folder: Path, owner: int) -> str:
    ours, group = os.geteuid(), os.getegid()
    if not in_container():
        return f"Give another folder, or make it yours: sudo chown {ours}:{group} {folder}"
    start = f"Start the container with --user {owner}:{folder.lstat().st_gid}, or " if owner else ""
    give = f"{'m' if start else 'M'}ake the folder that is mounted there this user's: sudo chown {ours}:{group} FOLDER"
    return start + give


def why_empty(path: Path) -> str:
    """In a container, for a path where nothing is to be read: that nothing is mounted there; else nothing."""
    folder = next((each for each in (path, *path.parents) if each.is_dir()), path)
    if not in_container() or not folder.is_dir() or any(folder.iterdir()):
        return ""
    return f". {folder} is empty: mount a folder there, by its whole path: -v /PATH/FOLDER:{folder}:ro"
