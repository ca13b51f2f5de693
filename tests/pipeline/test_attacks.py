"""What a hostile client may send to a running relay: it is counted and dropped, and the bodies keep flowing."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import viser
import zmq
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from remi_stream.config import METRICS_SERVICE, WEB_SERVICE, daemon_port
from remi_stream.sinks.web.access import LINK_FILE, read_viewer_link
from remi_stream.transport.address import DaemonAddress
from tests.pipeline.daemon import SYNTHETIC, Daemon, running

CAMERA = {"name": "front", "source": "synthetic:?fps=30"}
GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01" + b"NULL".ljust(20, b"\0") + bytes(32)
"""ZMTP 3.1 without security, rfc.zeromq.org/spec/23."""
QUESTION = msgspec.msgpack.encode({"ask": "status"})

Attack = Callable[[DaemonAddress], object]


@contextlib.contextmanager
def client(kind: int, address: str) -> Iterator[zmq.Socket[bytes]]:
    context = zmq.Context()
    with context.socket(kind) as client:
        client.setsockopt(zmq.SNDHWM, 0)
        client.setsockopt(zmq.LINGER, 5000)
        client.connect(address)
        yield client
    context.term()


def ask(*parts: bytes) -> Attack:
    def attack(daemon: DaemonAddress) -> None:
        with client(zmq.DEALER, daemon.control) as dealer:
            dealer.send_multipart([b"", *parts])
            dealer.poll(500)

    return attack


def ask_50000_questions(daemon: DaemonAddress) -> None:
    with client(zmq.DEALER, daemon.control) as dealer:
        for _ in range(50_000):
            dealer.send_multipart([b"", QUESTION], copy=True)
        time.sleep(3.0)
        dealer.setsockopt(zmq.LINGER, 0)


def subscribe_300000_times(daemon: DaemonAddress) -> None:
    code = """
import sys, zmq
xsub = zmq.Context().socket(zmq.XSUB)
xsub.setsockopt(zmq.SNDHWM, 0)
xsub.connect(sys.argv[1])
for number in range(300_000):
    xsub.send(b"\\x01preview/%d" % number)
sys.stdin.read(1)
"""
    process = subprocess.Popen([sys.executable, "-c", code, daemon.bus], stdin=subprocess.PIPE)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(4.0)
    process.kill()
    process.wait()


def send_to_the_bus(*messages: list[bytes]) -> Attack:
    def attack(daemon: DaemonAddress) -> None:
        with client(zmq.XSUB, daemon.bus) as xsub:
            for message in messages:
                xsub.send_multipart(message)
            time.sleep(0.3)

    return attack


def announce(size: int, to_bus: bool) -> Attack:
    """A part of this many bytes; the connection must end before 64 MB of them have come."""

    def attack(daemon: DaemonAddress) -> None:
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(5.0)
        peer.connect((daemon.bus if to_bus else daemon.control).removeprefix("ipc://"))
        peer.sendall(GREETING)
        read = b""
        while len(read) < 64:
            read += peer.recv(64 - len(read))
        ready = b"\x05READY\x0bSocket-Type" + (b"\x00\x00\x00\x03SUB" if to_bus else b"\x00\x00\x00\x03REQ")
        peer.sendall(bytes([4, len(ready)]) + ready)
        head = (b"" if to_bus else b"\x01\x00") + b"\x02" + size.to_bytes(8, "big")
        with pytest.raises(OSError, match="Broken pipe|reset by peer"):  # noqa: RUF043
            peer.sendall(head + bytes(64 << 20))
        peer.close()

    return attack


ATTACKS: dict[str, Attack] = {
    "a deeply nested question": ask(b"\x82\xa3ask\xa6status\xa1x" + b"\x91" * 3000 + b"\xc0"),
    "a question in three parts": ask(b"a", b"b", b"c"),
    "a question that is no map": ask(b"\xc1"),
    "an empty question": ask(b""),
    "50,000 questions": ask_50000_questions,
    "300,000 subscriptions": subscribe_300000_times,
    "messages to the bus": send_to_the_bus([b""], [b"\x00"], [b"\x00never"], [b"x", b"\x01", b"y"], [b"\x01", *[b"z"] * 2000]),
    "1.5 GB to the control socket": announce(1_500_000_000, to_bus=False),
    "1.5 GB to the bus": announce(1_500_000_000, to_bus=True),
}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running(tmp_path_factory.mktemp("attacked"), cameras=[CAMERA], **SYNTHETIC) as daemon:
        daemon.more_bodies(5)
        yield daemon


@pytest.mark.parametrize("attack", ATTACKS)
def test_relay_goes_on_after(attack: str, daemon: Daemon) -> None:
    relay = daemon.status()["stages"]["relay"]
    ATTACKS[attack](daemon.address)
    daemon.take(0.1)
    began = time.monotonic()
    daemon.more_bodies(30)
    assert time.monotonic() - began < 5, "thirty bodies are a second"
    after = daemon.status()["stages"]["relay"]
    assert (after["pid"], after["restarts"]) == (relay["pid"], 0), daemon.log()
    assert after["memory_bytes"] - relay["memory_bytes"] < 200e6


def test_invalid_messages_are_counted_and_the_first_is_logged(daemon: Daemon) -> None:
    before = daemon.status()["stages"]["relay"]["counts"]["invalid"]
    ask(b"a", b"b", b"c")(daemon.address)
    daemon.listen(lambda: daemon.stages["relay"].counts["invalid"] == before + 1)
    assert daemon.log().count("an invalid message came to the control socket and was dropped") == 1


def as_nobody(*attempts: Callable[[], object]) -> list[str]:
    """What each attempt raises in a process of the user nobody."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        for attempt in attempts:
            try:
                attempt()
                os.write(write, b"nothing ")
            except Exception as error:  # noqa: BLE001 - whatever it is, its name is the result
                os.write(write, type(error).__name__.encode() + b" ")
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with open(read) as results:
        return results.read().split()


@pytest.fixture
def whole_daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with everything that listens on loopback."""
    with running(tmp_path, cameras=[CAMERA], viewer="web", metrics=True, **SYNTHETIC) as daemon:
        daemon.more_bodies(5)
        daemon.listen(lambda: read_viewer_link(daemon.runtime / "remi-stream" / daemon.name))
        yield daemon


def page(url: str, **headers: str) -> Callable[[], object]:
    """Get a page; a refusal is a PermissionError."""

    def get() -> object:
        try:
            return urllib.request.build_opener().open(urllib.request.Request(url, headers=headers), timeout=5).read()
        except urllib.error.HTTPError as error:
            raise PermissionError if error.code in (401, 403) else error from error

    return get


def websocket(url: str, **headers: str) -> Callable[[], object]:
    """Open the viewer's WebSocket, over which pictures come and filters are changed; a refusal is a PermissionError."""
    # of viser's own version, else it would be refused for that
    protocols: Any = [f"viser-v{viser.__version__}"]

    def get() -> object:
        try:
            with connect(url, subprotocols=protocols, additional_headers=headers) as client:
                return client.recv(5)
        except InvalidStatus as error:
            raise PermissionError if error.response.status_code in (401, 403) else error from error

    return get


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_other_user_can_read_change_and_kill_nothing(whole_daemon: Daemon) -> None:
    daemon = whole_daemon
    folder = daemon.runtime / "remi-stream" / daemon.name
    pids = [daemon.process.pid, *(stage["pid"] for stage in daemon.status()["stages"].values())]
    daemon.runtime.chmod(0o755)  # as /tmp is
    paths = [daemon.address.bus.removeprefix("ipc://"), daemon.address.control.removeprefix("ipc://")]
    attempts: list[Callable[[], object]] = [
        *[lambda path=path: socket.socket(socket.AF_UNIX).connect(path) for path in paths],
        lambda: list(folder.iterdir()),
        lambda: list(folder.parent.iterdir()),
        lambda: (folder / "bus").unlink(),
        lambda: folder.parent.rename(folder.parent.with_name("other")),
        *[lambda pid=pid: os.kill(pid, signal.SIGKILL) for pid in pids],
        (folder / LINK_FILE).read_text,
    ]
    viewer, port = f"127.0.0.1:{daemon_port(daemon.name, WEB_SERVICE)}", daemon_port(daemon.name, WEB_SERVICE)
    for token in ("", "?token=", "?token=wrong"):
        attempts += [page(f"http://{viewer}/{token}", Cookie=f"remi_{port}="), websocket(f"ws://{viewer}/{token}")]
    attempts += [page(f"http://{viewer}/index.html"), websocket(f"ws://{viewer}/", Cookie=f"remi_{port}=wrong")]
    # The owner first, in this process: what is imported late comes from folders that another user may not read.
    assert websocket(read_viewer_link(folder).replace("http", "ws", 1))()
    with pytest.raises(PermissionError):
        page(f"http://{viewer}/")()
    assert as_nobody(*attempts) == ["PermissionError"] * len(attempts)
    daemon.more_bodies(5)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_other_user_can_read_figures_without_pictures_and_credentials(whole_daemon: Daemon) -> None:
    address = f"http://127.0.0.1:{daemon_port(whole_daemon.name, METRICS_SERVICE)}"
    pages = [page(f"{address}/{name}") for name in ("metrics", "healthz")]
    texts: list[Any] = [get() for get in pages]
    assert as_nobody(*pages) == ["nothing", "nothing"], "Prometheus is another user"
    token = read_viewer_link(whole_daemon.runtime / "remi-stream" / whole_daemon.name).partition("token=")[2].encode()
    for text in texts:
        assert b"front" in text
        assert token not in text
        assert b"synthetic:" not in text, "the camera's address"


def test_no_stage_listens_on_tcp(daemon: Daemon) -> None:
    inodes = set()
    for stage in daemon.status()["stages"].values():
        for descriptor in Path(f"/proc/{stage['pid']}/fd").iterdir():
            with contextlib.suppress(OSError):
                inodes.add(os.readlink(descriptor))
    tables = [Path(f"/proc/net/{table}").read_text().splitlines()[1:] for table in ("tcp", "tcp6")]
    assert any(inode.startswith("socket:[") for inode in inodes), "their descriptors could not be read"
    assert not [line for table in tables for line in table if f"socket:[{line.split()[9]}]" in inodes]
