"""Where the bus and the control socket of a daemon are: in its run folder, or on TCP."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from remi_stream.errors import UsageError
from remi_stream.paths import find_run_folder

_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::(\d{1,5}))?")


class ServerKeys(msgspec.Struct, frozen=True, kw_only=True):
    """CURVE keys of a daemon, Z85."""

    public: str
    secret: str


class ClientKeys(msgspec.Struct, frozen=True, kw_only=True):
    """CURVE keys of one client, Z85: the content of its key file."""

    server: str
    """Public key of the daemon."""
    public: str
    secret: str


class DaemonAddress(msgspec.Struct, frozen=True, kw_only=True):
    """ZeroMQ addresses of one daemon's sockets, for those that bind them and those that connect."""

    name: str
    """Name of the daemon, HOST:PORT if it is on TCP."""
    bus: str
    control: str
    """"" where control requests are not answered."""
    keys: ClientKeys | None = None
    """For a connection to TCP sockets with CURVE."""

    @property
    def is_remote(self) -> bool:
        """Whether the daemon may be on another machine, with another clock."""
        return self.bus.startswith("tcp:")


def address_in(run_folder: Path) -> DaemonAddress:
    """Address of the daemon with this run folder: sockets in it. The folder's mode 0700 keeps other users out."""
    folder = run_folder.absolute()
    return DaemonAddress(name=folder.name, bus=f"ipc://{folder}/bus", control=f"ipc://{folder}/control")


def daemon_address(name: str) -> DaemonAddress:
    """Address of this user's daemon of this name, whether it runs or not. Raises RemiError, UsageError for an unsafe name."""
    return address_in(find_run_folder(name))


def tcp_address(
    text: str, default_port: int, option: str, keys: ClientKeys | None = None, has_control: bool = True
) -> DaemonAddress:
    """Address of a daemon on TCP, from ADDRESS[:PORT]; its control socket is on the next port. Raises UsageError.

    option: where the text comes from, for the message.
    """
    found = _HOST_PORT.fullmatch(f"[{text}]" if text.count(":") > 1 and "[" not in text else text)
    port = int(found[2] or default_port) if found else 0
    if not found or not 0 < port < 65535:
        raise UsageError(f"{option} {text!r} must be ADDRESS, ADDRESS:PORT or [IPV6]:PORT, with a port of 1 to 65534")
    control = f"tcp://{found[1]}:{port + 1}" if has_control else ""
    return DaemonAddress(name=f"{found[1]}:{port}", bus=f"tcp://{found[1]}:{port}", control=control, keys=keys)
