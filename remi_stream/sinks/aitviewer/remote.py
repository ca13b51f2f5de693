"""Client of a remote aitviewer server (`python -m aitviewer.server`): sends a daemon's newest people."""

from __future__ import annotations

import contextlib
import pickle
import re
import socket
import struct
import time
from collections.abc import Iterator
from threading import Event
from typing import Any

import numpy as np
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from remi_stream.body.known_bodies import known_body
from remi_stream.errors import RemiError, UsageError
from remi_stream.messages import Smpl
from remi_stream.models.manifest import find_model_file
from remi_stream.models.smpl_pickle import SMPL_FILE
from remi_stream.models.store import missing_file_hint
from remi_stream.render.colours import track_colour
from remi_stream.sinks.aitviewer.meshes import PersonMesh, mesh_faces
from remi_stream.sinks.aitviewer.subscriber import BodySubscriber
from remi_stream.sinks.aitviewer.viewer import Report
from remi_stream.transport.address import DaemonAddress

# Messages of aitviewer's remote protocol: pickles, written here and never read, as reading one can run code. A message is a map
# {"type", "uid", "args", "kwargs"}. The type is a member of an enum of aitviewer's, written by name: no aitviewer is needed here.
# Arrays are pickled as numpy.ndarray(shape, dtype, bytearray): readable by every NumPy version, and writable at the receiver.

MESHES_TYPE, SMPL_TYPE, DELETE_TYPE, UPDATE_FRAMES_TYPE = 2, 10, 100, 102
"""Members of aitviewer.remote.message.Message."""

PICKLE_PROTOCOL = 3
"""Pickle protocol: the highest without frames, so that opcodes can be appended."""
TYPE_KEY = b"X\x04\x00\x00\x00type"
MESSAGE_CLASS = b"caitviewer.remote.message\nMessage\n"
OP_BYTE, OP_CALL, OP_SET_ITEM, OP_STOP = b"K", b"\x85R", b"s", b"."
"""Opcodes: a small integer, a call with one argument, an item of the map below, the end."""


class PortableArray:
    """Pickles an array as a call of numpy.ndarray."""

    def __init__(self, array: np.ndarray, dtype: str) -> None:
        self._shape, self._dtype, self._data = array.shape, dtype, np.ascontiguousarray(array, dtype).tobytes()

    def __reduce__(self) -> tuple[Any, ...]:
        return np.ndarray, (self._shape, self._dtype, bytearray(self._data))


def encode_message(message_type: int, uid: int, **values: Any) -> bytes:
    """Encode a message about node uid; float arrays are sent as float32, integer arrays as int32."""
    kwargs = {name: _picklable(value) for name, value in values.items()}
    # The opcodes of ["type"] = Message(message_type), appended before OP_STOP.
    rest = pickle.dumps({"uid": uid, "args": (), "kwargs": kwargs}, protocol=PICKLE_PROTOCOL)
    return (
        rest.removesuffix(OP_STOP) + TYPE_KEY + MESSAGE_CLASS + OP_BYTE + bytes([message_type]) + OP_CALL + OP_SET_ITEM + OP_STOP
    )


def _picklable(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    return PortableArray(value, "<f4" if np.issubdtype(value.dtype, np.floating) else "<i4")


CONNECT_TIMEOUT_S = 3.0
"""Timeout of a connection attempt, s."""
SEND_TIMEOUT_S = 10.0
"""A server that acknowledges nothing for longer is considered lost, s."""


class AitviewerConnection:
    """A WebSocket to the server; the server's messages are discarded unread.

    Sends one batch at a time, at most every interval_s, acknowledged by a WebSocket pong. All its errors are OSError.
    """

    def __init__(self, host: str, port: int, interval_s: float) -> None:
        plain = socket.create_connection((host, port), CONNECT_TIMEOUT_S)
        plain.settimeout(None)
        # websockets' synchronous `send` has no timeout: the kernel's ends a send to a server that does not read.
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(SEND_TIMEOUT_S), 0))
        with _translated_errors():
            self._socket = connect(
                f"ws://{host}:{port}",
                sock=plain,
                compression=None,
                open_timeout=CONNECT_TIMEOUT_S,
                close_timeout=1.0,
                max_size=None,
            )
        self._interval_s = interval_s
        self._acknowledged = Event()
        self._acknowledged.set()
        self._sent_at = float("-inf")

    def is_ready(self, now: float) -> bool:
        """Whether the last batch is acknowledged and the interval is over. now: monotonic s."""
        # Unread messages would fill the receive queue, and pongs could not pass.
        with _translated_errors(), contextlib.suppress(TimeoutError):
            while True:
                self._socket.recv(timeout=0)
        if not self._acknowledged.is_set() and now - self._sent_at > SEND_TIMEOUT_S:
            raise OSError(f"no answer for {SEND_TIMEOUT_S:.0f} s")
        return self._acknowledged.is_set() and now - self._sent_at >= self._interval_s

    def send(self, messages: list[bytes], now: float) -> None:
        """Send messages, then a ping, whose pong acknowledges them. now: monotonic s."""
        with _translated_errors():
            for each in messages:
                self._socket.send(each)
            self._acknowledged, self._sent_at = self._socket.ping(), now

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError), _translated_errors():
            self._socket.close()


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except WebSocketException as error:
        raise OSError(str(error) or type(error).__name__) from None


class RemotePeople:
    """Our people as nodes in the server's scene. as_poses: send SMPL poses, not meshes, for a server that has SMPL's files."""

    def __init__(self, as_poses: bool) -> None:
        self._posed = as_poses
        self._nodes: dict[int, int] = {}
        self._sent: dict[int, PersonMesh] = {}
        self._uid = 0

    def updates(self, meshes: list[PersonMesh]) -> list[bytes]:
        """The messages that make the remote scene show exactly these people."""
        kinds = {mesh.track_id: mesh.kind for mesh in meshes}
        gone = [track_id for track_id, sent in self._sent.items() if kinds.get(track_id) != sent.kind]
        messages = [encode_message(DELETE_TYPE, self._forget(track_id)) for track_id in gone]
        for mesh in meshes:
            if mesh.track_id not in self._sent:
                messages.append(self._create(mesh))
            elif self._sent[mesh.track_id] is not mesh:
                messages.append(self._update(mesh))
            self._sent[mesh.track_id] = mesh
        return messages

    def _forget(self, track_id: int) -> int:
        del self._sent[track_id]
        return self._nodes.pop(track_id)

    def _create(self, mesh: PersonMesh) -> bytes:
        self._uid += 1
        self._nodes[mesh.track_id] = self._uid
        appearance = {"name": f"person {mesh.track_id}", "color": (*(part / 255 for part in track_colour(mesh.track_id)), 1.0)}
        if self._posed and mesh.smpl is not None:
            body = {"model_type": "smpl", "gender": "neutral", "num_betas": 10}
            frame = {name: value[None] for name, value in _pose(mesh.smpl).items()}
            return encode_message(SMPL_TYPE, self._uid, **frame, **body, **appearance)
        # Flat shading: the server keeps the normals of a mesh's first pose, so smooth shading would be wrong afterwards.
        return encode_message(
            MESHES_TYPE, self._uid, vertices=mesh.vertices[None], faces=mesh_faces(mesh.kind), flat_shading=True, **appearance
        )

    def _update(self, mesh: PersonMesh) -> bytes:
        now = _pose(mesh.smpl) if self._posed and mesh.smpl is not None else {"vertices": mesh.vertices}
        return encode_message(UPDATE_FRAMES_TYPE, self._nodes[mesh.track_id], frames=0, **now)


def _pose(smpl: Smpl) -> dict[str, np.ndarray]:
    """A pose under aitviewer's names: (69,), (3,), (3,), (10,)."""
    return {"poses_body": smpl.body_pose, "poses_root": smpl.global_orient, "trans": smpl.transl, "betas": smpl.betas}


RECONNECT_S = 1.0
"""Time between two connection attempts, s."""
POLL_S = 0.01
"""Time to wait for bus messages in each cycle, s."""
MESH_INTERVAL_S, POSE_INTERVAL_S = 1 / 30, 1 / 10
"""Minimum time between updates, s. The server computes a body from each pose before it draws, 12 ms of CPU time or more; with
more updates than it can process it draws nothing at all, without an error.
"""


class RemoteFeeder:
    """A reconnecting client that sends the newest people whenever the server is ready.

    report: gets lines about daemon and server. updates: the number of updates sent.
    """

    def __init__(self, subscriber: BodySubscriber, address: str, as_poses: bool, report: Report) -> None:
        self._subscriber, self._posed, self._report = subscriber, as_poses, report
        self._address, (self._host, self._port) = address, parse_host_port(address)
        self._connection: AitviewerConnection | None = None
        self._people = RemotePeople(as_poses)
        self._connect_at = float("-inf")
        self._reported: dict[str, str] = {}
        self.updates = 0

    def tick(self, now: float) -> None:
        """Send what has changed, if the server is ready; connect if it is not connected. now: monotonic s."""
        if line := self._subscriber.problem(now) or (self._subscriber.camera and f"showing camera {self._subscriber.camera}"):
            self._report_once("daemon", line)
        try:
            if self._connection is None:
                self._connect(now)
            elif self._connection.is_ready(now) and (messages := self._people.updates(self._subscriber.current_meshes(now))):
                self._connection.send(messages, now)
                self.updates += 1
        except OSError as error:
            line = f"no aitviewer at {self._address} ({error}); reconnecting. Start one: python -m aitviewer.server"
            self._report_once("server", line)
            self._disconnect()
            self._connect_at = now + RECONNECT_S

    def close(self) -> None:
        """Remove our people from the server's scene and disconnect."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.send(self._people.updates([]), time.monotonic())
        self._disconnect()

    def _connect(self, now: float) -> None:
        if now >= self._connect_at:
            self._connection = AitviewerConnection(self._host, self._port, POSE_INTERVAL_S if self._posed else MESH_INTERVAL_S)
            self._people = RemotePeople(self._posed)
            self._report_once("server", f"connected to the aitviewer at {self._address}")

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _report_once(self, subject: str, line: str) -> None:
        if self._reported.get(subject) != line:
            self._reported[subject] = line
            self._report(line)


def feed_server(daemon: DaemonAddress, address: str, as_poses: bool, duration_s: float | None, report: Report) -> None:
    """Send people to a server until Ctrl-C. as_poses: for a server with SMPL's files. Raises RemiError without SMPL here."""
    if as_poses and known_body().name != "smpl":
        raise RemiError(f"--aitviewer-smpl needs SMPL here too. {missing_file_hint(find_model_file(SMPL_FILE))}")
    end = time.monotonic() + (duration_s or float("inf"))
    with contextlib.closing(BodySubscriber(daemon)) as subscriber:
        with (
            contextlib.closing(RemoteFeeder(subscriber, address, as_poses, report)) as feeder,
            contextlib.suppress(KeyboardInterrupt),
        ):
            while time.monotonic() < end:
                subscriber.receive(POLL_S)
                feeder.tick(time.monotonic())
        report(f"{address}: {feeder.updates} updates")


def parse_host_port(address: str) -> tuple[str, int]:
    """Parse "host:port". Raises UsageError."""
    match = re.fullmatch(r"\[?([^\[\]\s/]+?)\]?:(\d{1,5})", address)
    if not match or not 0 < int(match[2]) < 65536:
        raise UsageError(f"--aitviewer-remote {address!r} must be HOST:PORT; aitviewer's own port is 8417")
    return match[1], int(match[2])
