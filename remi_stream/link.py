"""How messages travel between processes; the only file that imports zmq.

A consumer binds a Receiver, producers connect Senders; mailbox.py decides who may send what. The relay publishes on a Publisher,
anything may listen with a Subscriber. Every socket is closed with a linger and the context is destroyed, or exit would hang.
"""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import zmq

from remi_stream.errors import RemiError
from remi_stream.mailbox import RENEW_S, Credit, Inbox, Outbox, Request, add_skipped, take_skipped
from remi_stream.messages import Frame, Message, View, Wire
from remi_stream.topics import BUS, FACTS, Topic

LINGER_MS = 500
BUS_HWM = 200
NEWEST_MAX_AGE_S = 1.0

M = TypeVar("M")

_HELLO, _NEWS, _BYE, _MESSAGE = b"h", b"n", b"b", b"m"


class Context:
    """The sockets of this process; `close` closes them all and never hangs."""

    def __init__(self) -> None:
        self._zmq = zmq.Context()

    def socket(self, kind: int) -> zmq.Socket[bytes]:
        """A new socket that this context will close."""
        return self._zmq.socket(kind)

    def close(self) -> None:
        """Close every socket; what a closed Sender still has queued gets half a second to leave."""
        self._zmq.destroy(linger=0)


def endpoint(folder: Path, topic: str, consumer: str) -> str:
    """Where the consumer of a topic binds."""
    return f"ipc://{folder}/{topic}.{consumer}"


class Sender(Generic[M]):
    """A producer's end of a link. camera: whose messages these are, or "" for several.

    render: makes the view of a frame that the consumer asked for. on_sent: hears of every message that the consumer took.
    """

    def __init__(
        self,
        context: Context,
        address: str,
        topic: Topic,
        *,
        reason: str,
        camera: str = "",
        lossless: bool = False,
        render: Callable[[Frame, View], Frame] | None = None,
        on_sent: Callable[[M], None] | None = None,
    ) -> None:
        self.topic = topic
        self.outbox: Outbox[M] = Outbox(topic.depth, reason)
        self.lossless = lossless
        self._camera = camera
        self._render = render
        self._on_sent = on_sent
        self._wire: Wire[M] = Wire(topic.kind)
        self._next_hello = 0.0
        self._announced = False
        self.socket = context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.IDENTITY, f"{reason}-{os.getpid()}-".encode() + os.urandom(4))
        self.socket.setsockopt(zmq.RECONNECT_IVL, 50)
        self.socket.connect(address)

    def put(self, message: M) -> None:
        """Send the message as soon as the consumer allows it."""
        self.outbox.put(message)
        self.pump(time.monotonic())

    @property
    def full(self) -> bool:
        """Whether a lossless producer has to wait before the next put."""
        return self.lossless and self.outbox.full()

    @property
    def empty(self) -> bool:
        """Whether everything was taken."""
        return len(self.outbox) == 0

    def pump(self, now: float) -> None:
        """Read credits, send what they allow, say hello twice a second."""
        while self.socket.poll(0):
            self.outbox.allow(msgspec.msgpack.decode(self.socket.recv(), type=Credit))
        if now >= self._next_hello:
            self._next_hello = now + RENEW_S
            self._send([_HELLO, msgspec.msgpack.encode((self._camera, self.outbox.sent, not self.empty))])
        while (taken := self.outbox.take()) is not None:
            self._announced = False
            self._send_message(*taken)
            if self._on_sent:
                self._on_sent(taken[1])
        if not self.empty and not self._announced and self.topic.delivery == "live":
            self._announced = True
            self._send([_NEWS])

    def close(self, wait: bool) -> None:
        """Tell the consumer that nothing more will come. wait: what is queued has half a second to leave."""
        self._send([_BYE])
        self.socket.close(linger=LINGER_MS if wait else 0)

    def _send_message(self, serial: int, message: M) -> None:
        view = self.outbox.view
        if view is not None and self._render is not None and isinstance(message, Frame):
            message = self._render(message, view)  # type: ignore[assignment]
        self._send([_MESSAGE, serial.to_bytes(8, "little"), *self._wire.encode(message)])

    def _send(self, parts: list[Any]) -> None:
        self.socket.send_multipart(parts, copy=sum(map(len, parts)) < 65536)


class Receiver(Generic[M]):
    """A consumer's end of a link, for any number of producers that come and go."""

    def __init__(self, context: Context, address: str, topic: Topic, *, reason: str, one_at_a_time: bool = False) -> None:
        self.topic = topic
        self.live = topic.delivery == "live"
        self.inbox = Inbox(topic.depth, one_at_a_time=one_at_a_time and self.live)
        self.unasked = 0
        self._reason = reason
        self._wire: Wire[M] = Wire(topic.kind)
        self._arrived: deque[M] = deque()
        self._skipped: Counter[tuple[str, int, str]] = Counter()
        self.socket = context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self._address = address
        _bind(self.socket, address)

    def take(self) -> M | None:
        """Give the next message that has arrived."""
        return self._arrived.popleft() if self._arrived else None

    def pump(self, now: float) -> None:
        """Read everything that has arrived."""
        while self.socket.poll(0):
            who, kind, *parts = self.socket.recv_multipart(copy=False)
            self._read(who.bytes, kind.bytes, parts, now)

    def ask(self, now: float, request: Callable[[str], Request] | None = None) -> None:
        """Grant the credits that are due; a live consumer calls this only when it is free."""
        for who, credit in self.inbox.grants(now, request):
            self.socket.send_multipart([who, msgspec.msgpack.encode(credit)])  # type: ignore[list-item]

    def close(self) -> None:
        """Unbind; the file of the socket goes with it."""
        self.socket.close(linger=0)

    def _read(self, who: bytes, kind: bytes, parts: list[Any], now: float) -> None:
        if kind == _HELLO:
            camera, sent, waiting = msgspec.msgpack.decode(parts[0].buffer, type=tuple[str, int, bool])
            self.inbox.hello(who, camera, sent, waiting, now)
        elif kind == _NEWS:
            self.inbox.news(who)
        elif kind == _BYE:
            self.inbox.bye(who)
        else:
            message = self._wire.decode([part.buffer for part in parts[1:]])
            asked = self.inbox.arrived(who, int.from_bytes(parts[0].bytes, "little"), now)
            self._accept(message, asked or not self.live)

    def _accept(self, message: M, asked: bool) -> None:
        if not asked:
            self.unasked += 1
            if isinstance(message, Message):
                for reason, count in {**message.skipped, self._reason: 1}.items():
                    self._skipped[message.camera, message.epoch, reason] += count
            return
        if isinstance(message, Message):
            message = add_skipped(message, take_skipped(self._skipped, message))
        self._arrived.append(message)


class Publisher:
    """The bus: everybody who listens gets everything, slow listeners lose messages and nobody waits for them."""

    def __init__(self, context: Context, port: int, host: str = "127.0.0.1") -> None:
        self.socket = context.socket(zmq.XPUB)
        self.socket.setsockopt(zmq.SNDHWM, BUS_HWM)
        self.socket.setsockopt(zmq.XPUB_VERBOSER, 1)
        self._wires: dict[str, Wire[Any]] = {name: Wire(kind) for name, kind in BUS.items()}
        self._facts: dict[bytes, list[Any]] = {}
        self._listeners: Counter[bytes] = Counter()
        _bind(self.socket, f"tcp://{host}:{port}")

    def publish(self, topic: str, message: Any) -> None:
        """Send the message as "bodies/<camera>" and the like."""
        kind = topic.split("/", 1)[0]
        parts = [topic.encode(), *self._wires[kind].encode(message)]
        if kind in FACTS:
            self._facts[parts[0]] = parts
        self.socket.send_multipart(parts)

    def close(self) -> None:
        """Stop publishing; listeners that still read have half a second to get the last messages."""
        self.socket.close(linger=LINGER_MS)

    def heard(self, topic: str) -> bool:
        """Whether somebody listens to this topic."""
        return any(topic.encode().startswith(prefix) for prefix, count in self._listeners.items() if count > 0)

    def pump(self) -> None:
        """Serve new listeners: send them the facts they asked for."""
        while self.socket.poll(0):
            event = self.socket.recv()
            if event[:1] != b"\x01":
                self._listeners[event[1:]] -= 1
                continue
            self._listeners[event[1:]] += 1
            for topic in [topic for topic in self._facts if topic.startswith(event[1:])]:
                self.socket.send_multipart(self._facts[topic])


class Subscriber:
    """A listener on the bus."""

    def __init__(self, context: Context, port: int, topics: Iterable[str] = ("",), host: str = "127.0.0.1") -> None:
        self.socket = context.socket(zmq.SUB)
        self.socket.setsockopt(zmq.RCVHWM, BUS_HWM)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 100)
        self._topics: set[str] = set()
        self.hear(topics)
        self._wires: dict[str, Wire[Any]] = {name: Wire(kind) for name, kind in BUS.items()}
        self.socket.connect(f"tcp://{host}:{port}")

    def hear(self, topics: Iterable[str]) -> None:
        """Listen to these topics from now on, and to no others; each stands for all that begin like it."""
        wanted = set(topics)
        for topic in wanted - self._topics:
            self.socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        for topic in self._topics - wanted:
            self.socket.setsockopt(zmq.UNSUBSCRIBE, topic.encode())
        self._topics = wanted

    def read(self, timeout_s: float) -> tuple[str, Any] | None:
        """Wait for the next message and give (topic, message); None when none comes in time."""
        if not self.socket.poll(int(timeout_s * 1000)):
            return None
        topic, *parts = self.socket.recv_multipart()
        name = topic.decode()
        return name, self._wires[name.split("/", 1)[0]].decode(parts)

    def newest(self, timeout_s: float) -> dict[str, Any]:
        """Drain what has come and give the newest message of each topic, without bodies that are older than a second."""
        found: dict[str, Any] = {}
        item = self.read(timeout_s)
        while item is not None:
            found[item[0]] = item[1]
            item = self.read(0)
        oldest = time.monotonic() - NEWEST_MAX_AGE_S
        return {
            topic: message
            for topic, message in found.items()
            if not isinstance(message, Message) or message.captured_at >= oldest
        }


class ControlServer:
    """The relay's end of the control socket: one JSON-like map in, one out."""

    def __init__(self, context: Context, port: int, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._answer = answer
        self.socket = context.socket(zmq.REP)
        _bind(self.socket, f"tcp://127.0.0.1:{port}")

    def pump(self) -> None:
        """Answer what was asked."""
        while self.socket.poll(0):
            try:
                asked = msgspec.msgpack.decode(self.socket.recv(), type=dict[str, Any])
                reply = self._answer(asked)
            except (msgspec.MsgspecError, RemiError) as error:
                reply = {"error": str(error)}
            self.socket.send(msgspec.msgpack.encode(reply))


def ask_control(port: int, question: dict[str, Any], timeout_s: float = 2.0) -> dict[str, Any]:
    """Ask a running daemon. Raises RemiError when none answers."""
    context = Context()
    try:
        socket = context.socket(zmq.REQ)
        socket.connect(f"tcp://127.0.0.1:{port}")
        socket.send(msgspec.msgpack.encode(question))
        if not socket.poll(int(timeout_s * 1000)):
            raise RemiError(f"No remi-stream answers on 127.0.0.1:{port}. Start one (remi-stream demo) or name it with --name")
        reply: dict[str, Any] = msgspec.msgpack.decode(socket.recv())
    finally:
        context.close()
    if "error" in reply:
        raise RemiError(reply["error"])
    return reply


class Waiter:
    """Sleeps until something arrives on one of the sockets or file descriptors."""

    def __init__(self) -> None:
        self._poller = zmq.Poller()

    def watch(self, what: zmq.Socket[bytes] | int) -> None:
        """Wake up when this becomes readable."""
        self._poller.register(what, zmq.POLLIN)

    def wait(self, timeout_s: float) -> None:
        """Sleep at most this long."""
        self._poller.poll(max(0, int(timeout_s * 1000)))


def _bind(socket: zmq.Socket[bytes], address: str) -> None:
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        port = address.rsplit(":", 1)[-1]
        if error.errno == zmq.EADDRINUSE and address.startswith("tcp"):
            raise RemiError(
                f"Port {port} is in use, by another remi-stream or another program. Stop it, or start this one with --name"
            ) from None
        raise RemiError(f"Cannot bind {address}: {error}") from None
