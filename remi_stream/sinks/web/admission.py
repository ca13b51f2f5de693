"""Access rules of the web viewer: checks of method, Host, Origin and token. Pure functions; the gate enforces them.

Any web page that a user has open can send requests to loopback addresses. Its Origin header reveals it (cross-site request) or,
when its domain resolves to this machine (DNS rebinding), its Host header.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from http.cookies import CookieError, SimpleCookie
from typing import Literal, NamedTuple
from urllib.parse import parse_qs, urlsplit


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
        """Check a request."""
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
