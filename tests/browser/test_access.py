"""Access to a real viewer with a real browser."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator

import pytest
import viser

from tests.browser.browser import Browser
from tests.browser.viewing import viewing

pytestmark = pytest.mark.browser
OPEN_WEBSOCKET = """(url => new Promise(done => {{
  const socket = new WebSocket(url, ["viser-v{version}"]);
  socket.onopen = () => done("open");
  socket.onerror = () => done("refused");
}}))({url})"""


@pytest.fixture
def foreign_page() -> Iterator[str]:
    """URL of a page of another server."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<title>foreign</title>")

    def log_message(self, format: str, *args: object) -> None:
        pass


def try_websocket(browser: Browser, url: str) -> str:
    """Try to open the viewer's WebSocket from the page that is open."""
    return str(browser.evaluate(OPEN_WEBSOCKET.format(version=viser.__version__, url=json.dumps(url.replace("http", "ws", 1)))))


def test_foreign_page_is_refused_and_the_viewers_own_is_not(browser: Browser, foreign_page: str) -> None:
    with viewing() as viewer:
        assert browser.open(foreign_page) == 200
        assert try_websocket(browser, viewer.url) == "refused"
        assert browser.open(viewer.url) == 200
        assert try_websocket(browser, viewer.url) == "open"


@pytest.mark.parametrize("beyond_loopback", [False, True])
def test_access_needs_the_token(browser: Browser, foreign_page: str, beyond_loopback: bool) -> None:
    with viewing(*(["--bind", own_address()] if beyond_loopback else [])) as viewer:
        link, token = viewer.url.split("?token=")
        assert not link.startswith("http://localhost")
        assert browser.open(link) == 401
        assert browser.open(f"{link}?token={token[:-1]}") == 401
        assert browser.open(viewer.url) == 200
        assert browser.evaluate("location.href") == link, "the token stays in the address"
        assert try_websocket(browser, link) == "open"
        browser.wait("/frame [1-9]/.test(document.body.innerText)")
        assert browser.do("complaints") == []
        assert browser.open(foreign_page) == 200
        assert try_websocket(browser, viewer.url) == "refused"


def own_address() -> str:
    """An address of this machine that others can reach, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
