"""The bus on TCP, as another machine would use it: with a key, without one, with a wrong one; and plainly open."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from remi_stream.cli.options import find_daemon
from remi_stream.errors import RemiError, UsageError
from remi_stream.messages import Bodies, Frame
from remi_stream.transport.address import ClientKeys, DaemonAddress, tcp_address
from remi_stream.transport.link import LinkContext, Subscriber, send_control_request
from tests.cli.command import finish, start
from tests.pipeline.camera import free_port
from tests.pipeline.daemon import SYNTHETIC, Daemon, running
from tests.pipeline.test_attacks import client

CAMERA = {"name": "front", "source": "synthetic:?fps=30"}
ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def remote(folder: Path, **config: Any) -> Iterator[tuple[Daemon, str]]:
    """A daemon that other machines can reach, and its HOST:PORT. Its user's files are in `folder`."""
    address = f"127.0.0.1:{free_port()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REMI_HOME", str(folder / "home"))
        with running(folder, cameras=[CAMERA], bus_bind=address, **SYNTHETIC, **config) as daemon:
            daemon.more_bodies(5)
            daemon.listen(lambda: daemon.stages.get("remote_bus") and daemon.stages["remote_bus"].state == "ready")
            yield daemon, address


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, str]]:
    with remote(tmp_path_factory.mktemp("guarded")) as both:
        yield both


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, str]]:
    with remote(tmp_path_factory.mktemp("opened"), bus_open=True) as both:
        yield both


def key_file(daemon: Daemon) -> Path:
    return daemon.folder / "home" / "keys" / "client.json"


def receive(daemon: DaemonAddress, topic: str, timeout_s: float) -> Any:
    """The first message of a topic."""
    context = LinkContext()
    item = Subscriber(context, daemon, [topic]).receive(timeout_s)
    context.close()
    return item and item[1]


def test_client_with_the_key_reads_bodies_and_images_and_changes_the_filter(guarded: tuple[Daemon, str]) -> None:
    daemon = find_daemon("default", guarded[1], key_file(guarded[0]))
    bodies = receive(daemon, "bodies/", 10)
    assert isinstance(bodies, Bodies)
    assert 0 <= time.monotonic() - bodies.captured_at < 1
    assert isinstance(receive(daemon, "preview/front", 10), Frame)
    assert send_control_request(daemon, {"ask": "status"})["name"] == guarded[0].name
    changed = send_control_request(daemon, {"ask": "filter", "name": "none"})
    assert changed["filters"]["front"]["kind"] == "none"
    with pytest.raises(RemiError, match="unknown request"):
        send_control_request(daemon, {"ask": "everything"})


def strangers(guarded: tuple[Daemon, str]) -> dict[str, DaemonAddress]:
    good = msgspec.json.decode(key_file(guarded[0]).read_bytes(), type=ClientKeys)
    own = dict(zip(("public", "secret"), (key.decode() for key in zmq.curve_keypair()), strict=True))
    other_server = zmq.curve_keypair()[0].decode()
    keys = {
        "none": None,
        "of its own": ClientKeys(server=good.server, **own),
        "for another server": msgspec.structs.replace(good, server=other_server),
    }
    return {name: tcp_address(guarded[1], 0, "x", each) for name, each in keys.items()}


@pytest.mark.parametrize("key", ["none", "of its own", "for another server"])
def test_client_without_the_right_key_gets_nothing(key: str, guarded: tuple[Daemon, str]) -> None:
    stranger = strangers(guarded)[key]
    assert receive(stranger, "", 1.0) is None
    with pytest.raises(RemiError, match="is the key its own"):
        send_control_request(stranger, {"ask": "record", "on": False}, timeout_s=0.5)


def test_client_whose_public_key_was_removed_cannot_connect_again(guarded: tuple[Daemon, str]) -> None:
    file = key_file(guarded[0]).parent / "clients" / "client.json"
    aside = file.rename(file.with_suffix(".aside"))
    try:
        assert receive(find_daemon("default", guarded[1], key_file(guarded[0])), "", 1.0) is None
    finally:
        aside.rename(file)
    assert receive(find_daemon("default", guarded[1], key_file(guarded[0])), "bodies/", 10) is not None


def test_key_files_are_readable_by_their_owner_only(guarded: tuple[Daemon, str], tmp_path: Path) -> None:
    folder = key_file(guarded[0]).parent
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")]}
    assert modes == {"keys": 0o700, "clients": 0o700, "server.json": 0o600, "client.json": 0o600}
    copy = Path(shutil.copy(key_file(guarded[0]), tmp_path))
    copy.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        find_daemon("default", guarded[1], copy)


def test_commands_use_a_daemon_on_tcp(guarded: tuple[Daemon, str]) -> None:
    daemon, address = guarded
    for command, words in ((("status",), "front"), (("tail", "-n", "1"), "front  frame"), (("control", "filter"), "front")):
        process = start(*command, "--connect", address, "--key", str(key_file(daemon)))
        code, out, err = finish(process, lambda: daemon.take(0.05), 60)
        assert (code, err, words in out) == (0, "", True), (out, err)


def test_open_bus_has_bodies_and_states_but_neither_images_nor_control(opened: tuple[Daemon, str]) -> None:
    daemon, address = opened
    anyone = find_daemon("default", address, None)
    assert isinstance(receive(anyone, "bodies/", 10), Bodies)
    assert receive(anyone, "camera/front", 10).state == "live"
    assert receive(anyone, "preview/", 1.0) is None
    with pytest.raises(UsageError, match="--key FILE"):
        send_control_request(anyone, {"ask": "status"})
    host, port = address.split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port) + 1), 1)
    assert "open to anyone" in daemon.log()


def test_flood_on_tcp_does_not_reach_the_relay(opened: tuple[Daemon, str]) -> None:
    daemon, address = opened
    relay = daemon.status()["stages"]["relay"]
    with client(zmq.XSUB, f"tcp://{address}") as xsub:
        for number in range(100_000):
            xsub.send(b"\x01bodies/%d" % number)
        xsub.send_multipart([b"x"] * 500)
        daemon.more_bodies(30)
        assert isinstance(receive(find_daemon("default", address, None), "bodies/", 10), Bodies)
        xsub.setsockopt(zmq.LINGER, 0)
    after = daemon.status()["stages"]["relay"]
    assert (after["pid"], after["counts"]["invalid"]) == (relay["pid"], 0)
    assert after["memory_bytes"] - relay["memory_bytes"] < 20e6


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("demo", "--bus-open"), "`bus_open` needs `bus_bind`"),
        (("demo", "--bus-bind", "a b"), "must be ADDRESS"),
        (("demo", "--bus-bind", "127.0.0.1:65535"), "a port of 1 to 65534"),
        (("status", "--key", "x"), "--connect HOST[:PORT]"),
        (("status", "--connect", "127.0.0.1", "--name", "other"), "give one of them"),
        (("status", "--connect", "127.0.0.1"), "Give --key FILE"),
        (("status", "--connect", "127.0.0.1", "--key", "/missing"), "Cannot read the key file /missing"),
        (("status", "--connect", "127.0.0.1", "--key", "pyproject.toml"), "is not a key file"),
    ],
)
def test_wrong_combination_is_one_line_and_exit_code_2(arguments: tuple[str, ...], words: str) -> None:
    code, out, err = finish(start(*arguments), lambda: None, 60)
    assert (code, out, len(err.splitlines()), words in err) == (2, "", 1, True), err


def test_address_of_another_machine_is_one_line_and_exit_code_3() -> None:
    arguments = ("--bus-bind", "192.0.2.1", "--name", "elsewhere", "--viewer", "none", "--no-metrics", "--log-format", "text")
    code, _, err = finish(start("demo", *arguments), lambda: None, 90)
    assert (code, "192.0.2.1 is no address of this machine" in err.splitlines()[-1]) == (3, True), err


def test_client_of_the_document_reads_a_daemon_on_another_machine(guarded: tuple[Daemon, str], tmp_path: Path) -> None:
    document = (ROOT / "docs" / "reference" / "protocol.md").read_text()
    code = re.findall(r"```python\n(.*?)```", document.split("## From another machine")[1], flags=re.DOTALL)[0]
    assert "remi_stream" not in code
    (tmp_path / "client.py").write_text(code.replace("tcp://HOST:7700", f"tcp://{guarded[1]}"))
    shutil.copy(key_file(guarded[0]), tmp_path)
    process = subprocess.Popen([sys.executable, "client.py"], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("front ")
    finally:
        process.kill()
        process.wait()
