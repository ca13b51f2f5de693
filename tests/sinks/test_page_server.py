"""The exporter's HTTP server, under attack and with odd requests."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from remi_stream.sinks import page_server
from remi_stream.sinks.page_server import HttpPage, HttpPageServer
from tests.sinks.attack import ask, dripping, slowest_answer_s


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = int(free.getsockname()[1])
    server = HttpPageServer(number, {"/metrics": lambda: HttpPage(b"x" * 50_000), "/failing": lambda: HttpPage(b"%d" % (1 // 0))})
    server.start()
    yield number
    server.stop()


@pytest.mark.parametrize("piece", ["X-A: 1", ""], ids=["dripping", "silent"])
def test_pages_are_answered_within_a_second_while_1500_connections_drip(port: int, piece: str) -> None:
    with dripping(port, 1500, piece):
        assert slowest_answer_s(port, "/metrics") < 1.0


def test_client_that_does_not_read_its_answers_stops_no_other(port: int) -> None:
    lines = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(200)]
    for line in lines:
        line.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert slowest_answer_s(port, "/metrics") < 1.0
    for line in lines:
        line.close()


def test_silent_client_is_disconnected(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_server, "HEAD_TIMEOUT_S", 0.2)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as caller:
        caller.send(b"GET / HT")
        start = time.monotonic()
        assert caller.recv(100) == b""
    assert time.monotonic() - start < 2.0


@pytest.mark.parametrize("host", ["evil.example", "[", "[::1", "a b", "\udcff"])
def test_page_under_a_foreign_name_is_refused_without_a_log_line(port: int, host: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert ask(port, "GET /metrics HTTP/1.1", host=host).startswith(b"HTTP/1.1 421 ")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET /metrics HTTP/1.1", 200),
        ("HEAD /metrics?a=b HTTP/1.0", 200),
        ("GET /nothing HTTP/1.1", 404),
        ("GET //[ HTTP/1.1", 404),
        ("GET /%ff%00" + 3000 * "x" + " HTTP/1.1", 404),
        ("POST /metrics HTTP/1.1", 405),
        ("GET http://127.0.0.1/metrics HTTP/1.1", 400),
        ("GET /metrics", 400),
        ("\x16\x03\x01", 400),
        ("GET /metrics HTTP/1.1\r\nhost: evil.example", 400),
    ],
)
def test_each_request_gets_its_status(port: int, line: str, status: int) -> None:
    answer = ask(port, line)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert len(answer) < 1000 or status == 200
    assert (b"xxx" in answer) == (line == "GET /metrics HTTP/1.1" or "x" * 100 in line)


def test_endless_head_is_cut_off(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as caller, pytest.raises(OSError, match=r"reset|Broken"):
        caller.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 10**7)


def test_page_that_fails_is_an_answer_and_a_log_line(port: int, caplog: pytest.LogCaptureFixture) -> None:
    assert ask(port, "GET /failing HTTP/1.1").startswith(b"HTTP/1.1 500 ")
    assert "page /failing failed" in caplog.text
    assert ask(port, "GET /metrics HTTP/1.1").startswith(b"HTTP/1.1 200 ")
