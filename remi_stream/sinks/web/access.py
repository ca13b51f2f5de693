"""Access to the web viewer: rules of method, Host, Origin and token, which the gate enforces, and the link with the token.

Any web page that a user has open can send requests to loopback addresses. Its Origin header reveals it (cross-site request) or,
when its domain resolves to this machine (DNS rebinding), its Host header.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
import socket
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import parse_qs, urlsplit

from remi_stream.config import LOOPBACK_HOST, WEB_SERVICE, Config
from remi_stream.permission_hints import is_in_container


class HttpRequest(NamedTuple):
    """The head of an HTTP request."""

    method: str
    target: str
    headers: dict[str, str]
    """By name in lower case."""

    @property
    def is_websocket(self) -> bool:
        """Whether it requests an upgrade to WebSocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"


class AccessVerdict(NamedTuple):
    """What to do with a request."""

    action: Literal["pass", "set_cookie", "refuse"]
    """Forward it, set the cookie and redirect to the page, or refuse."""
    status: str = ""
    """HTTP status of a refusal."""
    reason: str = ""
    """Text for the user."""


def parse_request(head: bytes) -> HttpRequest | None:
    """Parse a request's head; None when it is malformed or repeats a header (request smuggling)."""
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    parts = first.split(" ")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip() or name.lower() in headers:
            return None
        headers[name.lower()] = value.strip()
    if len(parts) != 3 or not parts[2].startswith("HTTP/1.") or not parts[1].startswith("/"):
        return None
    return HttpRequest(parts[0], parts[1], headers)


class AccessRules:
    """The rules of one viewer. token: "" if none is required. port: for the cookie's name; browsers share cookies among ports."""

    def __init__(self, token: str, port: int) -> None:
        self._token = token
        self._cookie = f"remi_{port}"
        self._host_names = {"localhost", socket.gethostname().lower(), socket.getfqdn().lower()}

    def check(self, request: HttpRequest) -> AccessVerdict:
        """Check method, Host, Origin and token of a request, in this order."""
        if request.method not in ("GET", "HEAD"):
            return AccessVerdict("refuse", "405 Method Not Allowed", "Only GET and HEAD are allowed.")
        host = request.headers.get("host", "").lower()
        if not self._is_ours(host):
            return AccessVerdict(
                "refuse", "421 Misdirected Request", "Open this viewer by its IP address, this machine's name or localhost."
            )
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin.lower()).netloc != host:
            return AccessVerdict("refuse", "403 Forbidden", "Requests from other web pages are not allowed.")
        return self._check_token(request)

    def cookie_header(self) -> str:
        """The Set-Cookie value for a client that presented the token."""
        return f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Lax"

    def _check_token(self, request: HttpRequest) -> AccessVerdict:
        if not self._token:
            return AccessVerdict("pass")
        if self._is_token(_cookie(request, self._cookie)):
            return AccessVerdict("pass")
        if not self._is_token(parse_qs(urlsplit(request.target).query).get("token", [""])[0]):
            return AccessVerdict("refuse", "401 Unauthorized", "Open the link with its token: remi-stream view prints it.")
        return AccessVerdict("pass" if request.is_websocket else "set_cookie")

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self._token.encode())

    def _is_ours(self, host: str) -> bool:
        name = urlsplit(f"//{host}").hostname or ""
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._host_names
        return True  # DNS rebinding needs a name: an address cannot be rebound


def _cookie(request: HttpRequest, name: str) -> str:
    try:
        found = SimpleCookie(request.headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


# The link with its token

LINK_FILE = "viewer.link"


class ViewerLink:
    """A viewer's link, in a file of the run folder that only the owner can read.

    With `--bind` it contains a token, which is kept when the viewer is restarted.
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
