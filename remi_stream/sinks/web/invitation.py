"""The link that people open, kept in the run's folder where only its owner can read it."""

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
    """A viewer's link. Beyond loopback it holds a token, which stays when the viewer is restarted.

    host: the address that is listened on. token: "" where none is asked for.
    """

    def __init__(self, config: Config, folder: Path) -> None:
        self._file = folder / FILE
        self.host, self.port = config.bind or LOOPBACK, config.port(WEB)
        self.token = (_token_in(self._file) or secrets.token_urlsafe(18)) if config.bind else ""

    @property
    def url(self) -> str:
        """What is opened in a browser."""
        name = _reachable(self.host)
        name = f"[{name}]" if ":" in name else name
        return f"http://{name}:{self.port}/" + (f"?token={self.token}" if self.token else "")

    def publish(self) -> None:
        """Let `remi-stream view` find the link."""
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w") as file:
            file.write(self.url + "\n")

    def withdraw(self) -> None:
        """The viewer is closed."""
        self._file.unlink(missing_ok=True)


def find(folder: Path) -> str:
    """The link of the viewer that runs in a folder; "" when none does."""
    try:
        return (folder / FILE).read_text().strip()
    except OSError:
        return ""


def _token_in(file: Path) -> str:
    return parse_qs(urlsplit(find(file.parent)).query).get("token", [""])[0]


def _reachable(host: str) -> str:
    """An address of this machine, where it listens on all of them; in a container, the host's, which a port is published on."""
    try:
        everywhere = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host
    if not everywhere:
        return host
    return LOOPBACK if in_container() else way_out()


def way_out() -> str:
    """The address of this machine that others see."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only asks for the way out
        except OSError:
            return LOOPBACK
        return str(probe.getsockname()[0])
