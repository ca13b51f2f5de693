"""Who may see the viewer: what a browser's request must look like. Pure rules; gate.py carries them out.

A page from elsewhere that a person has open can reach their loopback addresses. It gives itself away by its Origin, or, when
its name was made to point here (DNS rebinding), by the Host it asks for.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from http.cookies import CookieError, SimpleCookie
from typing import Literal, NamedTuple
from urllib.parse import parse_qs, urlsplit


class Request(NamedTuple):
    """The head of an HTTP request. headers: names in lower case."""

    method: str
    target: str
    headers: dict[str, str]

    @property
    def upgrades(self) -> bool:
        """Whether it asks for a WebSocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"


class Verdict(NamedTuple):
    """What is done with a request: pass it on, greet (set the cookie, lead to the page), or refuse with a reason."""

    what: Literal["pass", "greet", "refuse"]
    status: str = ""
    reason: str = ""


def parse(head: bytes) -> Request | None:
    """Read a request's head; None when it is not one, or says a header twice."""
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    words = first.split(" ")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip() or name.lower() in headers:
            return None
        headers[name.lower()] = value.strip()
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[1].startswith("/"):
        return None
    return Request(words[0], words[1], headers)


class Admission:
    """The rules of one viewer. token: "" where none is asked for. port: names the cookie, since browsers share it among ports."""

    def __init__(self, token: str, port: int) -> None:
        self._token = token
        self._cookie = f"remi_{port}"
        self._names = {"localhost", socket.gethostname().lower(), socket.getfqdn().lower()}

    def judge(self, request: Request) -> Verdict:
        """Decide on a request."""
        if request.method not in ("GET", "HEAD"):
            return Verdict("refuse", "405 Method Not Allowed", "Only GET is answered here.")
        host = request.headers.get("host", "").lower()
        if not self._is_ours(host):
            return Verdict("refuse", "421 Misdirected Request", "This viewer is asked for by its address, or as localhost.")
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin.lower()).netloc != host:
            return Verdict("refuse", "403 Forbidden", "A page from elsewhere may not use this viewer.")
        return self._ask_token(request)

    def greeting(self) -> str:
        """The cookie that a person who came with the token gets."""
        return f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Lax"

    def _ask_token(self, request: Request) -> Verdict:
        if not self._token:
            return Verdict("pass")
        if self._fits(_cookie(request, self._cookie)):
            return Verdict("pass")
        given = parse_qs(urlsplit(request.target).query).get("token", [""])[0]
        if not self._fits(given):
            return Verdict("refuse", "401 Unauthorized", "Open the link with its token: remi-stream view prints it.")
        return Verdict("pass" if request.upgrades else "greet")

    def _fits(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())

    def _is_ours(self, host: str) -> bool:
        name = urlsplit(f"//{host}").hostname or ""
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        return True


def _cookie(request: Request, name: str) -> str:
    try:
        found = SimpleCookie(request.headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""
