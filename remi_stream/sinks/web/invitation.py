"""The web viewer's link with its access token, in a file of the run folder that only the owner can read."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from remi_stream.config import WEB_SERVICE, Config
from remi_stream.mounts import is_in_container

LINK_FILE = "viewer.link"
LOOPBACK_HOST = "127.0.0.1"


class ViewerLink:
    """A viewer's link. With `--bind` it contains a token, which is kept when the viewer is restarted.

    host, port: the address to listen on. token: "" if none is required.
    """

    def __init__(self, config: Config, folder: Path) -> None:
        self._file = folder / LINK_FILE
        self.host, self.port = config.bind or LOOPBACK_HOST, config.port(WEB_SERVICE)
        self.token = (_read_token(self._file) or secrets.token_urlsafe(18)) if config.bind else ""

    @property
    def url(self) -> str:
        """The URL to open in a browser."""
        name = _reachable_host(self.host)
        name = f"[{name}]" if ":" in name else name
        return f"http://{name}:{self.port}/" + (f"?token={self.token}" if self.token else "")

    def write(self) -> None:
        """Write the link's file for `remi-stream view`, readable by the owner only."""
        # With its mode from creation on: the token is never readable by others.
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w") as file:
            file.write(self.url + "\n")

    def remove(self) -> None:
        """Remove the link's file."""
        self._file.unlink(missing_ok=True)


def read_viewer_link(folder: Path) -> str:
    """Read the link of the viewer that runs in a run folder; "" when there is none."""
    try:
        return (folder / LINK_FILE).read_text().strip()
    except OSError:
        return ""


def _read_token(file: Path) -> str:
    return parse_qs(urlsplit(read_viewer_link(file.parent)).query).get("token", [""])[0]


def _reachable_host(host: str) -> str:
    """The host for the URL: for an unspecified address (0.0.0.0) this machine's own, in a container the host's loopback."""
    try:
        unspecified = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host
    if not unspecified:
        return host
    return LOOPBACK_HOST if is_in_container() else outgoing_address()


def outgoing_address() -> str:
    """This machine's address on its default route; loopback without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a UDP connect sends nothing, it only selects a route (TEST-NET-1, RFC 5737)
        except OSError:
            return LOOPBACK_HOST
        return str(probe.getsockname()[0])
