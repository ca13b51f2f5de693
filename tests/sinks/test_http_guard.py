"""Host names and connection limits of the HTTP servers."""

from __future__ import annotations

import socket

import pytest

from remi_stream.sinks import http_guard
from remi_stream.sinks.http_guard import ConnectionLimits, HostNames


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1:7710", "192.168.1.5", "[::1]:7710", "[fe80::1]", "localhost:7710", "LOCALHOST", "localhost."),
        socket.gethostname(),
        f"{socket.gethostname()}:80",
    ],
)
def test_own_names_and_addresses_are_allowed(host: str) -> None:
    assert HostNames().allows(host)


@pytest.mark.parametrize(
    "host",
    [
        *("", ":80", "[", "[]", "[::1", "::1]", "evil.example", "localhost.evil.example", "localhost:", "localhost:x", "a b"),
        *(
            "user@localhost",
            "127.0.0.1.evil.example",
            "[::1].evil.example",
            "localhost\n",
            "localhost:1234567",
            "\udcff",
            "[/",
            "①",
        ),
    ],
)
def test_other_names_and_nonsense_are_refused(host: str) -> None:
    assert not HostNames().allows(host)


def test_local_name_and_configured_names_are_allowed_when_asked_for() -> None:
    local = f"{socket.gethostname().partition('.')[0]}.local"
    assert not HostNames().allows(local)
    names = HostNames(["Cam.Example"], with_local=True)
    assert names.allows(local)
    assert names.allows(f"{local}:7710")
    assert names.allows("cam.example:8443")
    assert not names.allows("other.example")


class Line:
    """A transport that notes its end."""

    def __init__(self) -> None:
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


def test_oldest_of_the_address_with_most_connections_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_guard, "MAX_WAITING", 4)
    limits = ConnectionLimits()
    first, crowd, newest = Line(), [Line() for _ in range(5)], Line()
    limits.add(first, "a")
    for each in crowd:
        limits.add(each, "b")
    limits.add(newest, "c")
    assert [each.aborted for each in (first, *crowd, newest)] == [False, True, True, True, False, False, False]
    assert len(limits) == 4
    limits.answer(first)
    limits.remove(first)
    limits.remove(newest)
    limits.abort_all()
    assert [each.aborted for each in crowd] == [True] * 5
    assert not first.aborted
