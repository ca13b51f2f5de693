"""Who may look: a real browser at a real viewer's door."""

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
KNOCK = """(url => new Promise(done => {{
  const socket = new WebSocket(url, ["viser-v{version}"]);
  socket.onopen = () => done("open");
  socket.onerror = () => done("refused");
}}))({url})"""


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A page that somebody else serves."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<title>elsewhere</title>")

    def log_message(self, format: str, *args: object) -> None:
        pass


def knock(browser: Browser, url: str) -> str:
    """Try to open the viewer's WebSocket from the page that is open."""
    return str(browser.evaluate(KNOCK.format(version=viser.__version__, url=json.dumps(url.replace("http", "ws", 1)))))


def test_page_from_elsewhere_is_refused_and_the_viewers_own_is_not(browser: Browser, elsewhere: str) -> None:
    with viewing() as viewer:
        assert browser.open(elsewhere) == 200
        assert knock(browser, viewer.url) == "refused"
        assert browser.open(viewer.url) == 200
        assert knock(browser, viewer.url) == "open"


def test_beyond_loopback_nobody_gets_in_without_the_token(browser: Browser, elsewhere: str) -> None:
    with viewing("--bind", own_address()) as viewer:
        link, token = viewer.url.split("?token=")
        assert not link.startswith("http://localhost")
        assert browser.open(link) == 401
        assert browser.open(f"{link}?token={token[:-1]}") == 401
        assert browser.open(viewer.url) == 200
        assert browser.evaluate("location.href") == link, "the token stays in the address"
        assert knock(browser, link) == "open"
        browser.wait("/frame [1-9]/.test(document.body.innerText)")
        assert browser.do("complaints") == []
        assert browser.open(elsewhere) == 200
        assert knock(browser, viewer.url) == "refused"


def own_address() -> str:
    """An address of this machine that others can reach, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
