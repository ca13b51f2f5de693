"""The web viewer's reverse proxy, with real sockets."""

from __future__ import annotations

import contextlib
import gc
import socket
import threading
from collections.abc import Iterator

import msgspec
import pytest
from websockets.sync.client import connect

from remi_stream.errors import RemiError
from remi_stream.sinks.web import gate as gate_file
from remi_stream.sinks.web.access import AccessRules
from remi_stream.sinks.web.gate import AccessProxy, PrivateServer

PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


class Upstream:
    """The upstream server: records the heads that it gets, and answers."""

    def __init__(self, answer: bytes = PAGE) -> None:
        self.heads: list[bytes] = []
        self.sent = 0
        self.flood = False
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._socket.accept()
                threading.Thread(target=self._answer_one, args=(caller,), daemon=True).start()

    def _answer_one(self, caller: socket.socket) -> None:
        with caller, contextlib.suppress(OSError):
            caller.settimeout(1.0)
            head = b""
            while b"\r\n\r\n" not in head:
                head += caller.recv(4096)
            self.heads.append(head)
            rest = head.partition(b"\r\n\r\n")[2]
            caller.sendall(self._answer)
            while self.flood:
                self.sent += caller.send(b"x" * 65536)
            if self._answer is UPGRADED:
                caller.sendall((rest or caller.recv(4096)).upper())


@contextlib.contextmanager
def opened(upstream: Upstream, token: str = "") -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    gate = AccessProxy("127.0.0.1", port, AccessRules(token, port))
    gate.start(upstream.address)
    try:
        yield port
    finally:
        gate.stop()


def ask(port: int, *lines: str, more: bytes = b"") -> bytes:
    """Send a request and read until the proxy closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as caller:
        caller.sendall("\r\n".join([*lines, f"Host: 127.0.0.1:{port}", "", ""]).encode() + more)
        return b"".join(iter(lambda: caller.recv(65536), b""))


def test_page_is_forwarded_and_may_not_be_framed() -> None:
    with opened(upstream := Upstream()) as port:
        answer = ask(port, "GET / HTTP/1.1")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"X-Frame-Options: DENY\r\n" in answer
    assert answer.endswith(b"hello")
    assert len(upstream.heads) == 1


def test_foreign_origin_is_never_forwarded() -> None:
    with opened(upstream := Upstream()) as port:
        answer = ask(port, "GET / HTTP/1.1", "Origin: http://evil.example", "Upgrade: websocket", "Connection: Upgrade")
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert upstream.heads == []


def test_no_request_is_smuggled_through_the_proxy() -> None:
    second = b"GET /second HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\n\r\n"
    with opened(upstream := Upstream(), token="secret") as port:
        ask(port, "GET /?token=secret HTTP/1.1", f"Cookie: remi_{port}=secret", "X-Evil: 1", "Content-Length: 9", more=second)
    assert len(upstream.heads) == 1
    assert upstream.heads[0].startswith(b"GET / HTTP/1.1\r\n")
    for leak in (b"secret", b"X-Evil", b"Content-Length", b"second"):
        assert leak not in upstream.heads[0]


def test_link_with_the_token_leads_to_the_page() -> None:
    with opened(upstream := Upstream(), token="secret") as port:
        assert ask(port, "GET / HTTP/1.1").startswith(b"HTTP/1.1 401 ")
        answer = ask(port, "GET /?token=secret HTTP/1.1")
        assert answer.startswith(b"HTTP/1.1 303 ")
        cookie = next(line for line in answer.split(b"\r\n") if line.startswith(b"Set-Cookie: "))[12:].split(b";")[0]
        assert upstream.heads == []
        assert ask(port, "GET / HTTP/1.1", f"Cookie: {cookie.decode()}").endswith(b"hello")


def test_websocket_is_forwarded_in_both_directions() -> None:
    with opened(Upstream(UPGRADED)) as port:
        answer = ask(port, "GET / HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade", more=b"echo")
    assert answer == UPGRADED + b"ECHO"


def test_silent_client_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_file, "HEAD_TIMEOUT_S", 0.1)
    with opened(Upstream()) as port, socket.create_connection(("127.0.0.1", port), timeout=5) as caller:
        caller.sendall(b"GET / HT")
        assert caller.recv(100) == b""


def test_client_with_an_endless_head_is_disconnected() -> None:
    with opened(Upstream()) as port, socket.create_connection(("127.0.0.1", port), timeout=5) as caller:
        with contextlib.suppress(OSError):
            caller.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 10**6)
        with contextlib.suppress(ConnectionResetError):
            assert caller.recv(100) == b""


def test_browser_that_does_not_read_fills_no_memory() -> None:
    upstream = Upstream(UPGRADED)
    upstream.flood = True
    with opened(upstream) as port, socket.create_connection(("127.0.0.1", port), timeout=5) as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        caller.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n\r\n".encode())
        seen, quiet = -1, threading.Event()
        while seen != upstream.sent < 64e6:
            seen = upstream.sent
            quiet.wait(0.5)
        assert 0 < upstream.sent < 8e6


def test_port_in_use_is_reported_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(RemiError, match="--name"):
        AccessProxy("127.0.0.1", taken.getsockname()[1], AccessRules("", 1))


def test_address_of_another_machine_is_reported_in_one_line() -> None:
    with pytest.raises(
        RemiError,
        match=r"^Cannot serve the viewer on 192\.0\.2\.1:0: Cannot assign requested address\. Give an address of this machine",
    ):
        AccessProxy("192.0.2.1", 0, AccessRules("", 1))


def test_viser_listens_on_a_random_address_and_opens_no_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    tunnels: list[object] = []
    disconnected = threading.Event()
    monkeypatch.setattr("viser._viser.ViserTunnel", lambda *_: tunnels.append(_))
    monkeypatch.setattr(PrivateServer, "disconnect_share_url", lambda _: disconnected.set())
    server = PrivateServer("test")
    host, port = server.address
    assert host.startswith("127.")
    assert host != "127.0.0.1"
    try:
        with connect(f"ws://{host}:{port}", subprotocols=[f"viser-v{_version()}"], max_size=None) as client:  # type: ignore[list-item]
            for kind in ("ShareUrlRequest", "ShareUrlDisconnect"):
                client.send(msgspec.msgpack.encode({"type": kind}))
            assert disconnected.wait(5), "the messages never arrived; are their names still right?"
    finally:
        server.stop()
    assert tunnels == []


def _version() -> str:
    import viser

    return viser.__version__


def test_proxy_stops_with_open_connections_without_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """asyncio logs tasks that were left pending when they are garbage-collected."""
    with contextlib.ExitStack() as callers:
        with opened(upstream := Upstream(UPGRADED)) as port:
            for _ in range(4):
                caller = callers.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
                caller.sendall(
                    f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".encode()
                )
                assert caller.recv(65536).startswith(b"HTTP/1.1 101 ")
            callers.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5)).sendall(b"GET /")
        gc.collect()
    assert len(upstream.heads) == 4
    assert [record.getMessage() for record in caplog.records] == []


def test_stop_under_connecting_browsers_leaves_no_task_behind(caplog: pytest.LogCaptureFixture) -> None:
    upstream, stopped = Upstream(), threading.Event()
    ports: list[int] = []

    def connect_on_and_on() -> None:
        while not stopped.is_set():
            with (
                contextlib.suppress(OSError, IndexError),
                socket.create_connection(("127.0.0.1", ports[-1]), timeout=1) as caller,
            ):
                caller.sendall(b"GET / HTTP/1.1\r\n")

    browsers = [threading.Thread(target=connect_on_and_on, daemon=True) for _ in range(3)]
    for browser in browsers:
        browser.start()
    for _ in range(200):
        with opened(upstream) as port:
            ports.append(port)
            with contextlib.suppress(OSError):
                ask(port, "GET / HTTP/1.1")
    stopped.set()
    for browser in browsers:
        browser.join()
    gc.collect()
    assert "Task was destroyed" not in caplog.text
