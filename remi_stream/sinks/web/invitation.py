"""The web viewer's link with its access token, in a file of the run folder that only the owner can read."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from remi_stream.config import WEB, Config
from remi_stream.mounts import in_container

FILE = "viewer.link"
LOOPBACK = "127.0.0.1"


class Invitation:
    """A viewer's link. With `--bind` it contains a token, which is kept when the viewer is restarted.

    host, port: the address to listen on. token: "" if none is required.
    """

    def __init__(self, config: Config, folder: Path) -> None:
        self._file = folder / FILE
        self.host, self.port = config.bind or LOOPBACK, config.port(WEB)
        self.token = (_read_token(self._file) or secrets.token_urlsafe(18)) if config.bind else ""

    @property
    def url(self) -> str:
        """The URL to open in a browser."""
        name = _reachable_host(self.host)
        name = f"[{name}]" if ":" in name else name
        return f"http://{name}:{self.port}/" + (f"?token={self.token}" if self.token else "")

    def publish(self) -> None:
        """Write the link's file for `remi-stream view`, readable by the owner only."""
        # With its mode from creation on: the token is never readable by others.
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w") as file:
            file.write(self.url + "\n")

    def withdraw(self) -> None:
        """Remove the link's file."""
        self._file.unlink(missing_ok=True)


def find(folder: Path) -> str:
    """Read the link of the viewer that runs in a run folder; "" when there is none."""
    try:
        return (folder / FILE).read_text().strip()
    except OSError:
        return ""


def _read_token(file: Path) -> str:
    return parse_qs(urlsplit(find(file.parent)).query).get("token", [""])[0]


def _reachable_host(host: str) -> str:
    """The host for the URL: for an unspecified address (0.0.0.0) this machine's own, in a container the host's loopback."""
    try:
        unspecified = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host
    if not unspecified:
        return host
    return LOOPBACK if in_container() else way_out()


def way_out() -> str:
    """This machine's address on its default route; loopback without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a UDP connect sends nothing, it only selects a route (TEST-NET-1, RFC 5737)
        except OSError:
            return LOOPBACK
        return str(probe.getsockname()[0])
