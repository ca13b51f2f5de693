"""A viser server on a random loopback address, which only the gate knows."""

from __future__ import annotations

import secrets
import socket

import viser

ADDRESS_ATTEMPTS = 8


class PrivateServer(viser.ViserServer):
    """A viser server on a random loopback address. viser has no authentication, so its address must not be guessable."""

    def __init__(self, label: str) -> None:
        super().__init__(host=random_loopback_address(), port=0, label=label, verbose=False)

    def request_share_url(self, verbose: bool = True) -> None:
        """Ignore: otherwise any client could make viser open a public tunnel."""

    @property
    def address(self) -> tuple[str, int]:
        """The (host, port) that it listens on."""
        return self.get_host(), self.get_port()


def random_loopback_address() -> str:
    """A random address of 127.0.0.0/8, all of which is loopback on Linux; elsewhere 127.0.0.1, where only the port is random."""
    for _ in range(ADDRESS_ATTEMPTS):
        address = "127." + ".".join(str(1 + secrets.randbelow(254)) for _ in range(3))
        try:  # outside Linux only 127.0.0.1 is configured
            with socket.create_server((address, 0)):
                return address
        except OSError:
            continue
    return "127.0.0.1"
