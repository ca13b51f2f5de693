"""Messages to an aitviewer server, and connections to it."""

from __future__ import annotations

import contextlib
import pickle
import pickletools
import socket
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from remi_stream.errors import RemiError, UsageError
from remi_stream.sinks.aitviewer.meshes import SKIN, PeopleMeshes, PersonMesh
from remi_stream.sinks.aitviewer.remote import (
    MESHES_TYPE,
    SMPL_TYPE,
    UPDATE_FRAMES_TYPE,
    RemoteFeeder,
    RemotePeople,
    encode_message,
    feed_server,
    parse_host_port,
)
from remi_stream.sinks.aitviewer.subscriber import BodySubscriber
from remi_stream.transport.address import daemon_address
from tests.browser.replay import bodies, replaying


@pytest.fixture
def aitviewer(monkeypatch: pytest.MonkeyPatch) -> type[Enum]:
    """aitviewer's enum under its name, as a server has it."""
    module = types.ModuleType("aitviewer.remote.message")
    module.Message = Enum("Message", {"MESHES": 2, "SMPL": 10, "DELETE": 100, "UPDATE_FRAMES": 102})  # type: ignore[attr-defined]
    for name in ("aitviewer", "aitviewer.remote"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module.Message  # type: ignore[no-any-return]


def seen(k: int = 0, at: float = 0.0) -> PersonMesh:
    meshes = PeopleMeshes()
    meshes.add(bodies(k), at)
    return meshes.current_meshes(at)[0]


def test_pickle_is_what_aitviewer_expects_and_names_nothing_else(aitviewer: type[Enum]) -> None:
    vertices = np.arange(12, dtype=np.float64).reshape(1, 4, 3)
    sent = encode_message(MESHES_TYPE, 7, vertices=vertices, faces=np.array([[0, 1, 2]]), name="person 1", flat_shading=True)
    got = pickle.loads(sent)
    assert (got["type"], got["uid"], got["args"]) == (aitviewer["MESHES"], 7, ())
    assert got["kwargs"]["vertices"].dtype == np.float32
    assert np.array_equal(got["kwargs"]["vertices"], vertices)
    assert got["kwargs"]["faces"].dtype == np.int32
    assert (got["kwargs"]["name"], got["kwargs"]["flat_shading"]) == ("person 1", True)
    got["kwargs"]["vertices"][0] = 1.0  # a server writes into it
    named = {argument for opcode, argument, _ in pickletools.genops(sent) if opcode.name == "GLOBAL"}
    assert named == {"numpy ndarray", "builtins bytearray", "aitviewer.remote.message Message"}


def test_people_are_added_updated_and_deleted(aitviewer: type[Enum]) -> None:
    people = RemotePeople(as_poses=False)
    first, second = seen(0), seen(1)
    came = [pickle.loads(each) for each in people.updates([first])]
    moved = [pickle.loads(each) for each in people.updates([second])]
    assert came[0]["kwargs"]["flat_shading"], "a stock server keeps the normals of the first pose"
    assert people.updates([second]) == [], "an unchanged person is not sent again"
    gone = [pickle.loads(each) for each in people.updates([])]
    assert [each["type"].name for each in came + moved + gone] == ["MESHES", "UPDATE_FRAMES", "DELETE"]
    assert len({each["uid"] for each in came + moved + gone}) == 1
    assert np.array_equal(moved[0]["kwargs"]["vertices"], second.vertices)
    assert moved[0]["kwargs"]["frames"] == 0
    again = pickle.loads(people.updates([first])[0])
    assert again["uid"] != came[0]["uid"]


def test_people_are_sent_as_poses_on_request(aitviewer: type[Enum]) -> None:
    people = RemotePeople(as_poses=True)
    came, moved = (pickle.loads(people.updates([seen(k)])[0]) for k in (0, 1))
    assert (came["type"].value, moved["type"].value) == (SMPL_TYPE, UPDATE_FRAMES_TYPE)
    shapes = {name: value.shape for name, value in came["kwargs"].items() if isinstance(value, np.ndarray)}
    assert shapes == {"poses_body": (1, 69), "poses_root": (1, 3), "trans": (1, 3), "betas": (1, 10)}
    assert moved["kwargs"]["poses_body"].shape == (69,)


def test_person_that_becomes_a_skeleton_is_another_node(aitviewer: type[Enum]) -> None:
    people, skin = RemotePeople(as_poses=False), seen(0)
    people.updates([skin])
    bones = PersonMesh(skin.track_id, "smpl24", np.zeros((3, 3), np.float32), None)
    assert [pickle.loads(each)["type"].name for each in people.updates([bones])] == ["DELETE", "MESHES"]
    assert skin.kind == SKIN


@pytest.mark.parametrize("address", ["here", "here:", ":8417", "here:0", "here:70000", "a b:1", "ws://here:8417"])
def test_bad_addresses_are_refused(address: str) -> None:
    with pytest.raises(UsageError, match="must be HOST:PORT"):
        parse_host_port(address)


def test_addresses() -> None:
    assert parse_host_port("10.0.0.7:8417") == ("10.0.0.7", 8417)
    assert parse_host_port("[::1]:8417") == ("::1", 8417)


def test_poses_need_smpl_here_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RemiError, match=r"needs SMPL here too.*smpl\.is\.tue\.mpg\.de"):
        feed_server(daemon_address("not-running"), "127.0.0.1:1", True, 0.1, print)


class Mark:
    """Leaves a file when its pickle is read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self._path), "w")


class Listener:
    """A server that keeps the messages it gets, and answers with a pickle that must not be read."""

    def __init__(self, answer: bytes, port: int = 0) -> None:
        self.messages: list[bytes] = []
        self._connections: list[ServerConnection] = []
        self._answer = answer
        self._server: Server = serve(self._serve, "127.0.0.1", port, max_size=None)
        self.port = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        for each in self._connections:
            each.close()
        self._thread.join()

    def _serve(self, connection: ServerConnection) -> None:
        self._connections.append(connection)
        for each in connection:
            self.messages.append(bytes(each))
            with contextlib.suppress(ConnectionClosed):  # the client may have left; what it sent before is still read
                connection.send(self._answer)


@contextlib.contextmanager
def feeding(
    daemon: str, port: int, report: Callable[[str], None] = lambda _: None
) -> Iterator[tuple[RemoteFeeder, BodySubscriber]]:
    with (
        contextlib.closing(BodySubscriber(daemon_address(daemon))) as subscriber,
        contextlib.closing(RemoteFeeder(subscriber, f"127.0.0.1:{port}", False, report)) as feeder,
    ):
        yield feeder, subscriber


def turn_until(feeder: RemoteFeeder, subscriber: BodySubscriber, done: Callable[[], object], timeout_s: float = 20.0) -> None:
    end = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < end, f"not done within {timeout_s} s"
        subscriber.receive(0.01)
        feeder.tick(time.monotonic())


def test_server_gets_messages_and_its_answers_are_never_unpickled(tmp_path: Path, aitviewer: type[Enum]) -> None:
    with contextlib.closing(Listener(pickle.dumps(Mark(tmp_path / "mark")))) as server, replaying() as replay:
        with feeding(replay.name, server.port) as (feeder, subscriber):
            began = time.monotonic()
            turn_until(feeder, subscriber, lambda: len(server.messages) > 20)
            took_s = time.monotonic() - began
        end = time.monotonic() + 10
        while pickle.loads(server.messages[-1])["type"].name != "DELETE" and time.monotonic() < end:
            time.sleep(0.01)
        kinds = [pickle.loads(each)["type"].name for each in server.messages]
    assert kinds[0] == "MESHES"
    assert set(kinds[1:-1]) == {"UPDATE_FRAMES"}
    assert kinds[-1] == "DELETE", "our people leave with us"
    assert len(kinds) / took_s < 33
    assert not (tmp_path / "mark").exists()


def test_server_that_reads_nothing_is_sent_one_update_and_no_more() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        replaying() as replay,
        feeding(replay.name, listening.getsockname()[1]) as (feeder, subscriber),
    ):
        accepting = threading.Thread(target=handshake, args=(listening,))
        accepting.start()
        turn_until(feeder, subscriber, lambda: feeder.updates == 1)
        accepting.join()
        then = replay.frame_id
        turn_until(feeder, subscriber, lambda: replay.frame_id > then + 30)
        assert feeder.updates == 1


def handshake(listening: socket.socket) -> None:
    """Accept a WebSocket as a server, then read nothing."""
    from websockets.server import ServerProtocol

    connection, _ = listening.accept()
    protocol = ServerProtocol()
    while not (events := protocol.events_received()):
        protocol.receive_data(connection.recv(4096))
    protocol.send_response(protocol.accept(events[0]))
    for data in protocol.data_to_send():
        connection.sendall(data)
    HELD.append(connection)


HELD: list[socket.socket] = []
"""Connections that stay open until the tests end."""


def test_missing_server_is_reconnected_to_until_it_answers() -> None:
    lines: list[str] = []

    def of_the_server() -> str:
        return [line for line in lines if "aitviewer at" in line][-1]

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with replaying() as replay, feeding(replay.name, port, lines.append) as (feeder, subscriber):
        turn_until(feeder, subscriber, lambda: any("no aitviewer at" in line for line in lines))
        assert "python -m aitviewer.server" in of_the_server()
        for _ in range(2):
            server = Listener(b"", port)
            with contextlib.closing(server):
                turn_until(feeder, subscriber, lambda: len(server.messages) > 3)  # noqa: B023
            assert of_the_server() == f"connected to the aitviewer at 127.0.0.1:{port}"
            turn_until(feeder, subscriber, lambda: "no aitviewer at" in of_the_server())
