"""REMI sink: sends the first person of the newest bodies to a REMI relay, in the packets of REMI's pose program.

A relay that reads slowly gets the newest bodies whenever it reads; the others are dropped. A lost relay is connected to again.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Callable

import numpy as np

from remi_stream.body.known_bodies import retargeter_to_known_body
from remi_stream.config import Config
from remi_stream.geometry import Intrinsics
from remi_stream.messages import Bodies, Smpl
from remi_stream.remi.wire import RemiPacket, empty_packet, encode_packet, make_packet, parse_address, unknown_pose_packet
from remi_stream.stage import Sink, StageSpec

FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.5, 5.0
"""Exponential back-off between connection attempts, s: doubled from the first to the longest."""
CONNECT_TIMEOUT_S, POLL_S, STOP_TIMEOUT_S = 2.0, 0.5, 0.5
"""Timeouts: to connect, between checks of an idle connection, and for the thread to end, s."""
STALLED_S = 1.0
"""A relay that blocks one packet for longer, s, is reported as not reading."""
SEND_BUFFER_BYTES = 4096
"""SO_SNDBUF. The kernel raises it to its minimum: a few packets, so that what is queued is not older than that."""

log = logging.getLogger("remi_stream")


class RemiSink(Sink):
    """Sends the bodies of the pipeline's first camera, and reports the connection's state in its heartbeats."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        assert config.remi_relay is not None
        self._camera = config.cameras[0].name
        self._client = RemiRelayClient(*parse_address(config.remi_relay), lambda bodies: encode_packet(remi_packet(bodies)))
        self.topics = [f"bodies/{self._camera}"]
        self.tick(0.0)

    def open(self) -> None:
        """Start connecting; a relay that is not there is not an error."""
        self._client.start()

    def step(self, message: Bodies) -> None:
        """Send bodies of the first camera. A topic is a prefix, so those of `front2` arrive with `front`."""
        if message.camera == self._camera:
            self._client.enqueue(message)

    def tick(self, now: float) -> None:
        """Update the facts and counts of the heartbeat."""
        self._client.check_thread()
        self.facts["relay"] = self._client.connection_state(now)
        self.counts["sent"], self.counts["dropped"] = self._client.sent, self._client.dropped

    def close(self) -> None:
        """Disconnect after the packet that is being sent."""
        self._client.stop()


def remi_packet(bodies: Bodies) -> RemiPacket:
    """Return the packet that REMI's pose program would send for these bodies."""
    if not bodies.people:
        return empty_packet()
    person = bodies.people[0]
    if person.smpl is None:
        return unknown_pose_packet()
    # REMI expects SMPL: poses of another body are retargeted.
    smpl = person.smpl if person.smpl.body == "smpl" else retargeter_to_known_body(person.smpl.body).retarget(person.smpl)
    shift = square_camera_shift(smpl.transl, person.box_xyxy, bodies.intrinsics)
    return make_packet(smpl.global_orient, smpl.body_pose, smpl_betas(smpl), shift)


def smpl_betas(smpl: Smpl) -> np.ndarray:
    """SMPL betas (10,). Those of another body mean nothing to SMPL: zeros (the mean shape) instead."""
    return smpl.betas if smpl.body == "smpl" else np.zeros(10)


def square_camera_shift(transl: np.ndarray, box_xyxy: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
    """Weak-perspective tx, ty (2,), m, of a square around a person's bounding box, for engines that have no such camera.

    The offset of the body's origin from the middle of the box at the body's depth: the inverse of the weak-perspective camera
    of the SMPL regressors.
    """
    fx, fy, cx, cy = intrinsics
    x, y, z = transl.astype(np.float64)
    middle = (box_xyxy[:2] + box_xyxy[2:]).astype(np.float64) / 2
    return np.array([x - (middle[0] - cx) * z / fx, y * fy / fx - (middle[1] - cy) * z / fx])


class RemiRelayClient:
    """A thread that sends the newest bodies as soon as the relay reads. Each packet is sent whole or dropped whole.

    encode_bodies: called only for those that are sent. sent, dropped: numbers of bodies; at most one more is pending.
    """

    def __init__(self, host: str, port: int, encode_bodies: Callable[[Bodies], bytes]) -> None:
        self.sent = self.dropped = 0
        self._host, self._port = host, port
        self._address = f"{host}:{port}"
        self._encode = encode_bodies
        self._condition = threading.Condition()
        self._waiting: Bodies | None = None
        self._connection: socket.socket | None = None
        self._sending_since: float | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def start(self) -> None:
        """Start connecting, on a thread."""
        self._thread.start()

    def enqueue(self, bodies: Bodies | None) -> None:
        """Replace the pending bodies, which count as dropped. None clears them."""
        with self._condition:
            self.dropped += self._waiting is not None
            self._waiting = bodies
            self._condition.notify()

    def connection_state(self, now: float) -> str:
        """Describe the connection, for `status`. now: monotonic s."""
        if self._connection is None:
            return f"connecting to {self._address}"
        since = self._sending_since
        return f"{self._address} does not read" if since and now - since > STALLED_S else f"connected to {self._address}"

    def check_thread(self) -> None:
        """Raise RuntimeError if the thread has died of an exception."""
        if self._thread.ident and not self._thread.is_alive() and not self._stopping.is_set():
            raise RuntimeError("the thread that sends to the relay has died of an exception; see the traceback above")

    def stop(self) -> None:
        """Disconnect. A relay that does not read gets only a part of the last packet."""
        self._stopping.set()
        with self._condition:
            self._condition.notify()
        if self._thread.ident:
            self._thread.join(STOP_TIMEOUT_S)
        connection = self._connection
        if connection is not None:
            shut_down(connection)

    def _run(self) -> None:
        pause_s, logged = FIRST_BACKOFF_S, False
        while not self._stopping.is_set():
            began = time.monotonic()
            why, connected = self._connect_and_send()
            # Log the first failure and each lost connection, but not every attempt in between.
            if (connected or not logged) and not self._stopping.is_set():
                log.warning("REMI relay %s: %s; reconnecting", self._address, why)
            logged = True
            # A connection that lasted resets the back-off; one that is closed at once does not.
            if time.monotonic() - began > MAX_BACKOFF_S:
                pause_s = FIRST_BACKOFF_S
            self._stopping.wait(pause_s)
            pause_s = min(2 * pause_s, MAX_BACKOFF_S)

    def _connect_and_send(self) -> tuple[str, bool]:
        """Connect and send until the connection is lost. Return the reason, and whether it had been connected."""
        try:
            connection = connect_relay(self._host, self._port)
        except OSError as error:
            return error_text(error), False
        with connection:
            log.info("REMI relay %s: connected", self._address)
            self.enqueue(None)  # bodies from before the connection are stale
            self._connection = connection
            try:
                self._send_all(connection)
            except OSError as error:
                return error_text(error), True
            finally:
                self._connection = self._sending_since = None
        return "connection closed by the relay", True

    def _send_all(self, connection: socket.socket) -> None:
        """Send until the relay closes the connection or `stop` is called. Raises OSError."""
        while not self._stopping.is_set() and not is_closed_by_peer(connection):
            bodies = self._next_bodies()
            if bodies is not None:
                self._send(connection, bodies)

    def _next_bodies(self) -> Bodies | None:
        """Take the pending bodies; wait up to POLL_S for them."""
        with self._condition:
            if self._waiting is None and not self._stopping.is_set():
                self._condition.wait(POLL_S)
            bodies, self._waiting = self._waiting, None
            return bodies

    def _send(self, connection: socket.socket, bodies: Bodies) -> None:
        self._sending_since = time.monotonic()
        try:
            connection.sendall(self._encode(bodies))
        except OSError:
            self.dropped += 1
            raise
        self.sent += 1
        self._sending_since = None


def connect_relay(host: str, port: int) -> socket.socket:
    """Connect with a small send buffer, so that few packets queue in the kernel. Raises OSError."""
    connection = socket.create_connection((host, port), CONNECT_TIMEOUT_S)
    if connection.getsockname() == connection.getpeername():
        # TCP self-connect: no process listens on the port, and the kernel chose it as this connection's own source port.
        connection.close()
        raise ConnectionRefusedError(None, "connection refused")
    # No timeout: it could end a packet in its middle. `stop` shuts the socket down instead.
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    # without Nagle's algorithm, which would hold a packet back until the last one is acknowledged
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def is_closed_by_peer(connection: socket.socket) -> bool:
    """Whether the relay has closed its end. It never sends data, so readable means closed."""
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable) and not connection.recv(4096)


def shut_down(connection: socket.socket) -> None:
    """Shut a connection down; a thread that is blocked in `sendall` wakes up with an error."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # already disconnected


def error_text(error: OSError) -> str:
    """The text of a connection error, in lower case."""
    return (error.strerror or str(error) or type(error).__name__).lower()


def make_remi_stage(spec: StageSpec) -> RemiSink:
    """Create the REMI sink from its StageSpec."""
    return RemiSink(spec.config)
