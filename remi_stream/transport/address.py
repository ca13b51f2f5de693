"""Where the bus and the control socket of a daemon are."""

from __future__ import annotations

from pathlib import Path

import msgspec

from remi_stream.paths import run_folder_path


class DaemonAddress(msgspec.Struct, frozen=True, kw_only=True):
    """ZeroMQ addresses of one daemon's sockets, for those that bind them and those that connect."""

    bus: str
    control: str


def address_in(run_folder: Path) -> DaemonAddress:
    """Address of the daemon with this run folder: sockets in it. The folder's mode 0700 keeps other users out."""
    return DaemonAddress(bus=f"ipc://{run_folder.absolute()}/bus", control=f"ipc://{run_folder.absolute()}/control")


def daemon_address(name: str) -> DaemonAddress:
    """Address of this user's daemon of this name, whether it runs or not. Raises RemiError."""
    return address_in(run_folder_path(name))
