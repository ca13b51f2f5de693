"""Access to the web viewer: rules of Host, Origin and token, which its server enforces, and the link with the token.

Any web page that a user has open can send requests to loopback addresses. Its Origin header reveals it (cross-site request) or,
when its domain resolves to this machine (DNS rebinding), its Host header. Other users of this machine reach loopback too; the
token keeps them out.
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
from remi_stream.sinks.http_guard import HostNames


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

    @property
    def path(self) -> str:
        """The path, without the query (it may hold the token)."""
        return self.target.partition("?")[0]


class AccessVerdict(NamedTuple):
    """What to do with a request."""

    action: Literal["pass", "set_cookie", "refuse"]
    """Forward it, set the cookie and redirect to the page, or refuse."""
    status: str = ""
    """HTTP status of a refusal."""
    reason: str = ""
    """Text for the user."""


class AccessRules:
    """The rules of one viewer.

    token: "" if none is required. port: for the cookie's name; browsers share cookies among ports. names: of this machine.
    """

    def __init__(self, token: str, port: int, names: HostNames | None = None) -> None:
        self._token = token
        self._cookie = f"remi_{port}"
        self._names = names or HostNames()

    def check(self, request: HttpRequest) -> AccessVerdict:
        """Check Host, Origin and token of a request, in this order.

        A reverse proxy may send its own address as Host, and the name that the browser used as X-Forwarded-Host: both must be
        names of this machine. A page under another name could set the second one, never the first.
        """
        host = request.headers.get("host", "").lower()
        public = request.headers.get("x-forwarded-host", host).lower()
        if not (self._names.allows(host) and self._names.allows(public)):
            return AccessVerdict(
                "refuse",
                "421 Misdirected Request",
                "Open this viewer by its IP address, this machine's name or localhost; for another, start it with --viewer-host.",
            )
        origin = request.headers.get("origin")
        if origin is not None and _origin_host(origin.lower()) != public:
            return AccessVerdict("refuse", "403 Forbidden", "Requests from other web pages are not allowed.")
        return self._check_token(request)

    def cookie_header(self, request: HttpRequest) -> str:
        """The Set-Cookie value for a client that presented the token.

        Without a path it belongs to the folder of the page, which a reverse proxy may have moved.
        """
        secure = "; Secure" if request.headers.get("x-forwarded-proto", "").lower() == "https" else ""
        return f"{self._cookie}={self._token}; HttpOnly; SameSite=Lax{secure}"

    def _check_token(self, request: HttpRequest) -> AccessVerdict:
        if not self._token:
            return AccessVerdict("pass")
        if self._is_token(_cookie(request, self._cookie)):
            return AccessVerdict("pass")
        if not self._is_token(parse_qs(request.target.partition("?")[2]).get("token", [""])[0]):
            return AccessVerdict("refuse", "401 Unauthorized", "Open the link with its token: remi-stream view prints it.")
        return AccessVerdict("pass" if request.is_websocket else "set_cookie")

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(errors="surrogateescape"), self._token.encode())


def _origin_host(origin: str) -> str:
    """Host and port of an Origin header; "" if it has none (a local file, a sandboxed frame)."""
    scheme, separator, host = origin.partition("://")
    return host if separator and scheme in ("http", "https") else ""


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

    It contains a token, on loopback too: other users of this machine can connect. The token is kept when the viewer is restarted.
    host, port: the address to listen on.
    """

    def __init__(self, config: Config, folder: Path) -> None:
        self._file = folder / LINK_FILE
        self.host, self.port = config.bind or LOOPBACK_HOST, config.port(WEB_SERVICE)
        self.token = _read_token(self._file) or secrets.token_urlsafe(18)
        self.names = HostNames(config.viewer_hosts, with_local=config.bind is not None)

    @property
    def url(self) -> str:
        """The URL to open in a browser."""
        name = _reachable_host(self.host)
        name = f"[{name}]" if ":" in name else name
        return f"http://{name}:{self.port}/?token={self.token}"

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


def shown_link(link: str, folder: Path, private: bool) -> str:
    """A viewer's link as it is printed: with its token to a terminal (private), else without it and with the file that has it.

    What is printed elsewhere is kept: a redirected log, the journal, a container's log.
    """
    page, has_token, _ = link.partition("?token=")
    if private or not has_token:
        return link
    return f"{page} (its link with the token is in {folder / LINK_FILE}; remi-stream view prints it)"


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
