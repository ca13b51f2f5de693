"""The web viewer's server, with real sockets and viser behind it."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import viser
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from remi_stream.errors import RemiError
from remi_stream.sinks import page_server
from remi_stream.sinks.http_guard import HostNames
from remi_stream.sinks.page_server import open_server_socket
from remi_stream.sinks.web import gate
from remi_stream.sinks.web.access import AccessRules
from remi_stream.sinks.web.gate import ViewerServer
from tests.sinks.attack import ask, dripping, slowest_answer_s
from tests.sinks.web.server import closed_server, free_port

VIEWPOINT = {
    "type": "ViewerCameraMessage",
    "wxyz": [1, 0, 0, 0],
    "position": [0.0, 1, 2],
    **{"fov": 0.5, "near": 0.1, "far": 1000, "image_height": 800, "image_width": 1280},
    **{"look_at": [0, 0, 0], "up_direction": [0, 1.0, 0]},
}


@contextlib.contextmanager
def opened(token: str = "", names: HostNames | None = None) -> Iterator[tuple[int, ViewerServer]]:
    port = free_port()
    server = closed_server(port, AccessRules(token, port, names))
    server.open_port()
    try:
        yield port, server
    finally:
        server.stop()


@contextlib.contextmanager
def browser(port: int, path: str = "/", **more: Any) -> Iterator[ClientConnection]:
    """A WebSocket as the page opens it."""
    protocols: Any = [f"viser-v{viser.__version__}"]
    with connect(f"ws://127.0.0.1:{port}{path}", subprotocols=protocols, max_size=None, **more) as client:
        yield client


def send(client: ClientConnection, message: Any) -> None:
    client.send(message if isinstance(message, (bytes, str)) else msgspec.msgpack.encode(message))


def until(done: Any, timeout_s: float = 10.0) -> None:
    end, pause = time.monotonic() + timeout_s, threading.Event()
    while not done():
        assert time.monotonic() < end, "timed out"
        pause.wait(0.01)


def is_ended(client: ClientConnection) -> bool:
    """Whether the server has ended a connection, or does so within five seconds without a message."""
    with contextlib.suppress(TimeoutError):
        try:
            while True:
                client.recv(timeout=5)
        except ConnectionClosed:
            return True
    return False


def test_page_has_our_title_and_icon_and_may_not_be_framed() -> None:
    with opened() as (port, _):
        answer = ask(port, "GET / HTTP/1.1")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"X-Frame-Options: DENY\r\n" in answer
        assert b"<title>remi-stream - test</title>" in answer
        assert b"<svg" not in answer[: answer.index(b"<title>")]
        assert answer.count(b'rel="icon"') == 1
        assert b"%3Csvg" in answer
        zipped = ask(port, "GET /cam/ HTTP/1.1", "Accept-Encoding: gzip")
        assert b"Content-Encoding: gzip\r\n" in zipped
        assert len(zipped) < len(answer)
        assert ask(port, "GET /nothing.js HTTP/1.1").startswith(b"HTTP/1.1 404 ")
        assert b"\r\nLocation: ./cam/\r\n" in ask(port, "GET /cam HTTP/1.1")


def test_foreign_origin_and_foreign_names_are_refused() -> None:
    upgrade = (
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: aaaaaaaaaaaaaaaaaaaaaa==",
    )
    with opened() as (port, server):
        assert ask(port, "GET / HTTP/1.1", "Origin: http://evil.example", *upgrade).startswith(b"HTTP/1.1 403 ")
        assert ask(port, "GET / HTTP/1.1", *upgrade, host="evil.example").startswith(b"HTTP/1.1 421 ")
        assert not server.browsers


@pytest.mark.parametrize("host", ["[", "[::1", "evil.example", "\udcff", "a b", "x" * 9000])
def test_odd_host_is_an_answer_and_no_log_line(
    host: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with opened() as (port, _):
        # websockets closes a connection with a line of more than 8192 bytes without an answer
        assert ask(port, "GET / HTTP/1.1", host=host)[:13] == (b"" if len(host) > 8192 else b"HTTP/1.1 421 ")
        assert ask(port, "GET //[?token=[ HTTP/1.1").startswith(b"HTTP/1.1 303 ")
        assert ask(port, "GET / HTTP/1.1", "Cookie: \udcff=\udcff").startswith(b"HTTP/1.1 200 ")
    assert "rror" not in capfd.readouterr().err
    assert caplog.records == []


@pytest.mark.parametrize("line", ["POST / HTTP/1.1", "HEAD / HTTP/1.1", "\x16\x03\x01\x02"])
def test_only_reading_is_allowed(line: str) -> None:
    with opened() as (port, _):
        assert ask(port, line).startswith(b"HTTP/1.1 405 ")


@pytest.mark.parametrize("header", ["Host: evil.example", "Cookie: a=b\r\nCookie: c=d", "Upgrade: a\r\nUpgrade: b"])
def test_header_that_decides_and_comes_twice_is_refused(header: str) -> None:
    with opened() as (port, _):
        assert ask(port, "GET / HTTP/1.1", *header.split("\r\n")).startswith(b"HTTP/1.1 400 ")


def test_link_with_the_token_leads_to_the_page_also_under_a_path() -> None:
    with opened("secret") as (port, _):
        assert ask(port, "GET / HTTP/1.1").startswith(b"HTTP/1.1 401 ")
        assert ask(port, "GET /nothing HTTP/1.1").startswith(b"HTTP/1.1 401 ")
        answer = ask(port, "GET /cam/?token=secret HTTP/1.1", "X-Forwarded-Proto: https")
        assert answer.startswith(b"HTTP/1.1 303 ")
        assert b"\r\nLocation: ./\r\n" in answer
        cookie = next(line for line in answer.split(b"\r\n") if line.startswith(b"Set-Cookie: "))[12:].decode()
        assert cookie.endswith("; Secure")
        assert "path" not in cookie.lower()
        pair = cookie.split(";")[0]
        assert ask(port, "GET /cam/ HTTP/1.1", f"Cookie: {pair}").startswith(b"HTTP/1.1 200 ")
        with browser(port, "/cam", additional_headers={"Cookie": pair}) as client:
            assert client.recv()
        with pytest.raises(InvalidStatus, match="401"), browser(port):
            pass


def test_there_is_no_second_port_behind_the_token() -> None:
    """viser itself listens nowhere: every listening socket of this process asks for the token."""
    before = listening_ports()
    with opened("secret") as (port, _):
        assert listening_ports() - before == {port}


def listening_ports() -> set[int]:
    """The TCP ports on which this process listens."""
    inodes = set()
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(str(link.readlink()).removeprefix("socket:[").removesuffix("]"))
    rows = [line.split() for file in ("tcp", "tcp6") for line in Path(f"/proc/self/net/{file}").read_text().splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A" and row[9] in inodes}


def bad_messages(uuid: str, slider: str) -> list[Any]:
    """Messages that the page never sends."""
    update = {"type": "GuiUpdateMessage", "uuid": uuid}
    return [
        {**update, "updates": {"props": None}},
        {**update, "updates": {"removed": True}},
        {**update, "updates": {"value": True, "props": None}},
        {**update, "updates": {"value": None}},
        {**update, "updates": {"value": "x" * 10_000}},
        {**update, "updates": {"value": [[[]]]}},
        {**update, "updates": {}},
        {**update, "uuid": "unknown", "updates": {"value": True}},
        {**update, "uuid": None, "updates": {"value": True}},
        {**update, "excluded_self_client": 1, "updates": {"value": True}},
        *({**update, "uuid": slider, "updates": {"value": value}} for value in (-1, 11.0, float("nan"), 1e400, True, "5")),
        {"type": "GuiFormDirtyMessage", "uuid": uuid},
        {"type": "ShareUrlRequest"},
        {"type": "FileTransferStartUpload", "source_component_uuid": uuid, "transfer_uuid": "a", "filename": "../x"},
        {"type": "NoSuchMessage"},
    ]


MORE_BAD_MESSAGES = [
    "text",
    b"",
    b"\xc1",
    b"\x91" * 60_000,
    b"\x81\xa4type" + b"\x91" * 60_000,
    {},
    [],
    {**VIEWPOINT, "fov": float("nan")},
    {**VIEWPOINT, "position": [0, 0]},
    {**VIEWPOINT, "position": [0, 0, 1e300]},
    {**VIEWPOINT, "image_width": -1},
    {**VIEWPOINT, "more": 1},
]


def test_messages_that_the_page_never_sends_are_counted_and_change_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with opened() as (port, server):
        box, slider = server.gui.add_checkbox("Box", True), server.gui.add_slider("Slider", 0.0, 10.0, 0.1, 5.0)
        bad = [*bad_messages(box._impl.uuid, slider._impl.uuid), *MORE_BAD_MESSAGES]
        for half in (bad[:16], bad[16:]):
            with browser(port) as client:
                for message in half:
                    send(client, message)
                send(client, VIEWPOINT)
                until(lambda: server.get_clients())
            until(lambda: not server.get_clients())
        assert server.counts["refused_messages"] == len(bad)
        assert (box.value, slider.value, box.visible) == (True, 5.0, True)
        box.visible = False  # the attack on `props` made this raise
        with browser(port) as client:
            send(client, {"type": "GuiUpdateMessage", "uuid": slider._impl.uuid, "updates": {"value": 7}})
            until(lambda: slider.value == 7.0)
    assert [record.getMessage() for record in caplog.records] == [
        "viewer: dropped a message that its page never sends; more are counted and not logged"
    ]


def test_connection_that_goes_on_with_bad_messages_ends() -> None:
    with opened() as (port, server), browser(port) as client:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(100):
                send(client, {"type": "ShareUrlRequest"})
        assert is_ended(client)
        assert server.counts["refused_messages"] == gate.MAX_REFUSED


def test_message_that_is_too_large_ends_the_connection_only() -> None:
    with opened() as (port, _):
        with browser(port) as client:
            client.send(b"x" * 1_000_000)
            assert is_ended(client)
        with browser(port) as client:
            assert client.recv()


def test_flood_of_messages_is_read_at_a_limited_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(gate, "is_allowed", lambda raw, gui: not seen.append(raw))
    with opened() as (port, _), browser(port, close_timeout=0.5) as client:
        start = time.monotonic()
        threading.Thread(target=flood, args=(client,), daemon=True).start()
        until(lambda: len(seen) > 150)
        assert len(seen) <= 101 + gate.MESSAGES_PER_S * (time.monotonic() - start)


def flood(client: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed, OSError):
        for _ in range(400):
            send(client, VIEWPOINT)


def test_viewer_is_answered_while_1500_connections_drip() -> None:
    with opened() as (port, _), dripping(port, 1500):
        assert slowest_answer_s(port, "/", 5) < 2.0
        with browser(port) as client:
            assert client.recv(timeout=5)


def test_browsers_are_limited_and_silent_ones_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "MAX_BROWSERS", 2)
    with opened() as (port, server), contextlib.ExitStack() as stack:
        silent, first = (stack.enter_context(browser(port)) for _ in range(2))
        send(first, VIEWPOINT)
        until(lambda: len(server.get_clients()) == 1)
        second = stack.enter_context(browser(port))
        assert is_ended(silent)
        send(second, VIEWPOINT)
        until(lambda: len(server.get_clients()) == 2)
        with pytest.raises(InvalidStatus, match="503"):
            stack.enter_context(browser(port))


def test_page_of_another_version_is_asked_to_load_again(capfd: pytest.CaptureFixture[str]) -> None:
    other: Any = ["viser-v0.0.1"]
    with opened() as (port, _):
        capfd.readouterr()  # viser's greeting
        with pytest.raises(InvalidStatus, match="400"):
            connect(f"ws://127.0.0.1:{port}", subprotocols=other)
        assert capfd.readouterr() == ("", "")


def test_silent_client_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "HEAD_TIMEOUT_S", 0.2)
    with opened() as (port, _), socket.create_connection(("127.0.0.1", port), timeout=5) as caller:
        caller.sendall(b"GET / HT")
        with contextlib.suppress(ConnectionResetError):
            assert caller.recv(100) == b""


@pytest.mark.parametrize(
    "more",
    [b"X: x\r\n" * 10**6, b"".join(b"X-%d: %s\r\n" % (number, b"x" * 6000) for number in range(3)) + b"\r\n"],
    ids=["endless", "of 18 kB, which websockets would take"],
)
def test_client_with_too_long_a_head_is_disconnected(more: bytes) -> None:
    with opened() as (port, _), socket.create_connection(("127.0.0.1", port), timeout=5) as caller:
        with contextlib.suppress(OSError):
            caller.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + more)
        with contextlib.suppress(ConnectionResetError):
            assert caller.recv(100) == b""


def test_browser_that_does_not_read_fills_no_memory() -> None:
    images = [os.urandom(500_000).hex() for _ in range(20)]  # random, as viser compresses what it sends
    with opened() as (port, server), browser(port, max_queue=1, close_timeout=0.5) as client:
        send(client, VIEWPOINT)
        until(lambda: server.get_clients())
        image = server.gui.add_html("")
        for each in images:
            image.content = each
            time.sleep(0.03)  # what changes within a sixtieth of a second is sent as one
        (connection,) = server.browsers
        assert connection.transport.get_write_buffer_size() < 2e6, "of 10 MB"


def test_port_in_use_and_address_of_another_machine_are_reported_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(RemiError, match="--name"):
        open_server_socket("the viewer", "127.0.0.1", taken.getsockname()[1])
    message = r"^Cannot serve the viewer on 192\.0\.2\.1:0: Cannot assign requested address\. Give an address of this machine"
    with pytest.raises(RemiError, match=message):
        page_server.open_server_socket("the viewer", "192.0.2.1", 0)


def test_server_stops_with_open_connections_without_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """asyncio logs tasks that were left pending when they are garbage-collected."""
    with contextlib.ExitStack() as callers:
        with opened() as (port, _):
            for _ in range(4):
                callers.enter_context(browser(port)).recv()
            callers.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5)).sendall(b"GET /")
        gc.collect()
    assert [record.getMessage() for record in caplog.records] == []


@pytest.mark.parametrize("times", [20, pytest.param(500, marks=pytest.mark.slow)])
def test_stop_under_connecting_browsers_leaves_no_task_behind(times: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="asyncio")
    stopped = threading.Event()
    ports: list[int] = []

    def connect_on_and_on(head: bytes) -> None:
        while not stopped.wait(0.003):
            with (
                contextlib.suppress(OSError, IndexError),
                socket.create_connection(("127.0.0.1", ports[-1]), timeout=1) as caller,
            ):
                caller.sendall(head)

    def browse_on_and_on() -> None:
        while not stopped.wait(0.003):
            with contextlib.suppress(Exception), browser(ports[-1]) as client:
                send(client, VIEWPOINT)
                client.recv(timeout=1)

    browsers = [
        threading.Thread(target=connect_on_and_on, args=(head,), daemon=True) for head in (b"GET /", b"GET / HTTP/1.1\r\n\r\n")
    ]
    browsers.append(threading.Thread(target=browse_on_and_on, daemon=True))
    for each in browsers:
        each.start()
    for _ in range(times):
        with opened() as (port, _server):
            ports.append(port)
            with contextlib.suppress(OSError):
                ask(port, "GET /nothing HTTP/1.1")
    stopped.set()
    for each in browsers:
        each.join()
    gc.collect()
    assert "Task was destroyed" not in caplog.text
    assert "never retrieved" not in caplog.text
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
