"""Why a folder cannot be written or read, or has nothing in it, and what to do: in a container it is a mount that is wrong."""

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
    if _renumbered():
        return 'The users have other numbers outside. Start it with: podman run --userns=keep-id --user "$(id -u):$(id -g)"'
    start = f"Start the container with --user {owner}:{folder.lstat().st_gid}, or " if owner else ""
    give = f"{'m' if start else 'M'}ake the folder that is mounted there this user's: sudo chown {ours}:{group} FOLDER"
    return start + give


def _renumbered() -> bool:
    """Whether users have other numbers in here than outside, as with rootless podman."""
    try:
        return Path("/proc/self/uid_map").read_text().split() != ["0", "0", "4294967295"]
    except OSError:
        return False


def why_unreadable(path: Path) -> str:
    """Whose the part of a path is that keeps us from reading it, and what to do."""
    whole = path.absolute()
    closed = next((folder for folder in reversed(whole.parents) if not os.access(folder, os.X_OK)), whole)
    try:
        owner, group = closed.stat().st_uid, closed.stat().st_gid
    except OSError as error:
        return f"{closed}: {error.strerror}"
    told = f"{closed} belongs to user {owner}, and this is user {os.geteuid()}, who may not read it. "
    if in_container():
        start = f"Start the container with --user {owner}:{group}, or let" if owner else "Let"
        return f"{told}{start} everybody read what is mounted there: chmod -R a+rX FOLDER"
    return f"{told}Let everybody read it: sudo chmod -R a+rX {closed}"


def why_empty(path: Path) -> str:
    """In a container, for a path where nothing is to be read: that nothing is mounted there; else nothing."""
    whole = path.absolute()
    folder = next((each for each in (whole, *whole.parents) if os.path.isdir(each)), whole)
    if not in_container() or not os.access(folder, os.R_OK | os.X_OK) or any(folder.iterdir()):
        return ""
    if folder.suffix:
        wanted = f"a file that is mounted there must exist, and be named by its whole path: -v /PATH/FILE:{folder}:ro"
        return f". {folder} is an empty folder: {wanted}"
    return f". {folder} is empty: mount a folder there, by its whole path: -v /PATH/FOLDER:{folder}:ro"
