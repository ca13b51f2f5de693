"""ZeroMQ transport: links with credit-based flow control, the bus, the control socket. Nothing else imports zmq.

A consumer binds a Receiver, producers connect Senders; outbox and inbox (mailbox.py) control the flow. The relay publishes with
a Publisher, clients use a Subscriber. Every socket is closed with a linger and the context destroyed, or exit would hang.

ZeroMQ's own options cannot deliver the newest message: CONFLATE loses parts of multipart messages, and a high-water mark of 1
keeps the oldest.
"""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import msgspec
import zmq

from remi_stream.errors import RemiError
from remi_stream.messages import Frame, FrameMessage, FrameView, Message, MessageCodec
from remi_stream.topics import BUS_TOPICS, LAST_VALUE_TOPICS, Topic
from remi_stream.transport.address import DaemonAddress
from remi_stream.transport.mailbox import CREDIT_RENEW_S, Credit, FrameRequest, Inbox, Outbox, add_skipped, pop_skipped

LINGER_MS = 500
"""Time that a closed socket may still send queued messages, ms."""
BUS_HIGH_WATER_MARK = 200
"""ZeroMQ high-water mark: messages queued per subscriber; later ones are lost."""
NEWEST_MAX_AGE_S = 1.0
"""Older messages about frames are not returned by `receive_newest`, s."""

M = TypeVar("M", bound=Message)

_HELLO, _AVAILABLE, _BYE, _MESSAGE = b"h", b"n", b"b", b"m"
"""Kinds of what a producer sends: its announcement, that a message waits for credit, its end, a message."""


class LinkContext:
    """ZeroMQ context of this process; `close` closes all sockets without blocking."""

    def __init__(self) -> None:
        self._zmq = zmq.Context()

    def create_socket(self, kind: int) -> zmq.Socket[bytes]:
        """Create a socket that this context will close."""
        return self._zmq.socket(kind)

    def close(self) -> None:
        """Close every socket; those already closed with a linger still send what they have queued."""
        self._zmq.destroy(linger=0)


def link_address(folder: Path, topic: str, consumer: str) -> str:
    """ZeroMQ address that the consumer of a topic binds."""
    return f"ipc://{folder}/{topic}.{consumer}"


class Sender(Generic[M]):
    """Producer's end of a link. reason: drop reason of the messages that it replaces. lossless: see `is_full`.

    camera: camera of all its messages, or "" for several cameras. render: renders the requested view of a frame. on_sent: called
    with every message that was sent.
    """

    def __init__(
        self,
        context: LinkContext,
        address: str,
        topic: Topic,
        *,
        reason: str,
        camera: str = "",
        lossless: bool = False,
        render: Callable[[Frame, FrameView], Frame] | None = None,
        on_sent: Callable[[M], None] | None = None,
    ) -> None:
        self.topic = topic
        self.outbox: Outbox[M] = Outbox(topic.depth, reason)
        self.lossless = lossless
        self._camera = camera
        self._render = render
        self._on_sent = on_sent
        self._codec: MessageCodec[M] = MessageCodec(topic.message_type)
        self._next_hello = 0.0
        self._announced = False
        self.socket = context.create_socket(zmq.DEALER)
        # unique per life: the receiver must not mistake a restarted producer for the old one
        self.socket.setsockopt(zmq.IDENTITY, f"{reason}-{os.getpid()}-".encode() + os.urandom(4))
        self.socket.setsockopt(zmq.RECONNECT_IVL, 50)
        self.socket.connect(address)

    def put(self, message: M) -> None:
        """Queue a message; it is sent as soon as there is credit."""
        self.outbox.put(message)
        self.pump(time.monotonic())

    @property
    def is_full(self) -> bool:
        """Whether a lossless producer must wait before the next put."""
        return self.lossless and self.outbox.is_full()

    @property
    def is_empty(self) -> bool:
        """Whether no message is queued."""
        return len(self.outbox) == 0

    def pump(self, now: float) -> None:
        """Read credits, send what they allow, announce this producer twice a second."""
        while self.socket.poll(0):
            self.outbox.add_credit(msgspec.msgpack.decode(self.socket.recv(), type=Credit))
        if now >= self._next_hello:
            self._next_hello = now + CREDIT_RENEW_S
            self._send([_HELLO, msgspec.msgpack.encode((self._camera, self.outbox.sent, not self.is_empty))])
        while (item := self.outbox.pop()) is not None:
            self._announced = False
            self._send_message(*item)
            if self._on_sent:
                self._on_sent(item[1])
        if not self.is_empty and not self._announced and self.topic.delivery == "live":
            self._announced = True
            self._send([_AVAILABLE])

    def close(self, wait: bool) -> None:
        """Announce the end to the consumer. wait: allow queued messages half a second to be sent."""
        self._send([_BYE])
        self.socket.close(linger=LINGER_MS if wait else 0)

    def _send_message(self, serial: int, message: M) -> None:
        view = self.outbox.view
        if view is not None and self._render is not None and isinstance(message, Frame):
            message = cast(M, self._render(message, view))
        self._send([_MESSAGE, serial.to_bytes(8, "little"), *self._codec.encode(message)])

    def _send(self, parts: list[Any]) -> None:
        # pyzmq's copy_threshold: below 64 kB a copy is cheaper than tracking a shared buffer
        self.socket.send_multipart(parts, copy=sum(map(len, parts)) < 65536)


class Receiver(Generic[M]):
    """Consumer's end of a link, for any number of producers that connect and disconnect.

    reason: drop reason of live messages that come without credit. one_at_a_time: see Inbox.
    """

    def __init__(self, context: LinkContext, address: str, topic: Topic, *, reason: str, one_at_a_time: bool = False) -> None:
        self.topic = topic
        self.is_live = topic.delivery == "live"
        self.inbox: Inbox[bytes] = Inbox(topic.depth, one_at_a_time=one_at_a_time and self.is_live)
        self.unsolicited = 0
        self._reason = reason
        self._codec: MessageCodec[M] = MessageCodec(topic.message_type)
        self._arrived: deque[M] = deque()
        self._skipped: Counter[tuple[str, int, str]] = Counter()
        self.socket = context.create_socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.ROUTER_HANDOVER, 1)  # a producer that reconnects replaces its old connection
        self._address = address
        _bind(self.socket, address)

    def next_message(self) -> M | None:
        """Next message that has arrived, or None."""
        return self._arrived.popleft() if self._arrived else None

    @property
    def may_read_ahead(self) -> bool:
        """Whether a credit may be granted before the stage is idle: no other message has arrived or is on its way."""
        return not self._arrived and self.inbox.takes_turns and not self.inbox.has_outstanding

    def pump(self, now: float) -> None:
        """Read everything that has arrived."""
        while self.socket.poll(0):
            producer, kind, *parts = self.socket.recv_multipart(copy=False)
            self._read(producer.bytes, kind.bytes, parts, now)

    def grant_credits(self, now: float, request: Callable[[str], FrameRequest] | None = None) -> None:
        """Grant the credits that are due; a live consumer calls this only when it is free."""
        for producer, credit in self.inbox.due_credits(now, request):
            self.socket.send_multipart([producer, msgspec.msgpack.encode(credit)])

    def close(self) -> None:
        """Unbind, which removes the socket file."""
        self.socket.close(linger=0)

    def _read(self, producer: bytes, kind: bytes, parts: list[Any], now: float) -> None:
        if kind == _HELLO:
            camera, sent, waiting = msgspec.msgpack.decode(parts[0].buffer, type=tuple[str, int, bool])
            self.inbox.on_hello(producer, camera, sent, waiting, now)
        elif kind == _AVAILABLE:
            self.inbox.on_message_available(producer)
        elif kind == _BYE:
            self.inbox.on_bye(producer)
        else:
            message = self._codec.decode([part.buffer for part in parts[1:]])
            has_credit = self.inbox.on_message(producer, int.from_bytes(parts[0].bytes, "little"), now)
            self._accept(message, has_credit or not self.is_live)

    def _accept(self, message: M, has_credit: bool) -> None:
        if not has_credit:
            self.unsolicited += 1
            if isinstance(message, FrameMessage):
                for reason, count in {**message.skipped, self._reason: 1}.items():
                    self._skipped[message.camera, message.epoch, reason] += count
            return
        if isinstance(message, FrameMessage):
            message = add_skipped(message, pop_skipped(self._skipped, message))
        self._arrived.append(message)


class Publisher:
    """The bus: publishes to all subscribers without waiting; slow subscribers lose messages."""

    def __init__(self, context: LinkContext, daemon: DaemonAddress) -> None:
        self.socket = context.create_socket(zmq.XPUB)
        self.socket.setsockopt(zmq.SNDHWM, BUS_HIGH_WATER_MARK)
        self.socket.setsockopt(zmq.XPUB_VERBOSER, 1)  # report each subscription and its end, also repeated ones: they are counted
        self._codecs: dict[str, MessageCodec[Any]] = {name: MessageCodec(kind) for name, kind in BUS_TOPICS.items()}
        self._last_values: dict[bytes, list[Any]] = {}
        self._subscriptions: Counter[bytes] = Counter()
        _bind(self.socket, daemon.bus)

    def publish(self, topic: str, message: Any) -> None:
        """Publish a message; topic: "bodies/<camera>" etc."""
        kind = topic.split("/", 1)[0]
        parts = [topic.encode(), *self._codecs[kind].encode(message)]
        if kind in LAST_VALUE_TOPICS:
            self._last_values[parts[0]] = parts
        self.socket.send_multipart(parts)

    def close(self) -> None:
        """Stop publishing; queued messages have half a second to be sent."""
        self.socket.close(linger=LINGER_MS)

    def has_subscriber(self, topic: str) -> bool:
        """Whether this topic has a subscriber."""
        return any(topic.encode().startswith(prefix) for prefix, count in self._subscriptions.items() if count > 0)

    def pump(self) -> None:
        """Process subscriptions; new ones get the cached last messages of their topics."""
        while self.socket.poll(0):
            event = self.socket.recv()
            if event[:1] != b"\x01":
                self._subscriptions[event[1:]] -= 1
                continue
            self._subscriptions[event[1:]] += 1
            for topic in [topic for topic in self._last_values if topic.startswith(event[1:])]:
                self.socket.send_multipart(self._last_values[topic])


class Subscriber:
    """Subscriber of the bus."""

    def __init__(self, context: LinkContext, daemon: DaemonAddress, topics: Iterable[str] = ("",)) -> None:
        self.socket = context.create_socket(zmq.SUB)
        self.socket.setsockopt(zmq.RCVHWM, BUS_HIGH_WATER_MARK)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 100)
        self._topics: set[str] = set()
        self.subscribe(topics)
        self._codecs: dict[str, MessageCodec[Any]] = {name: MessageCodec(kind) for name, kind in BUS_TOPICS.items()}
        self.socket.connect(daemon.bus)

    def subscribe(self, topics: Iterable[str]) -> None:
        """Replace the subscriptions; topics are prefixes."""
        wanted = set(topics)
        for topic in wanted - self._topics:
            self.socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        for topic in self._topics - wanted:
            self.socket.setsockopt(zmq.UNSUBSCRIBE, topic.encode())
        self._topics = wanted

    def receive(self, timeout_s: float) -> tuple[str, Any] | None:
        """Receive the next message as (topic, message); None after the timeout."""
        if not self.socket.poll(int(timeout_s * 1000)):
            return None
        topic, *parts = self.socket.recv_multipart()
        name = topic.decode()
        return name, self._codecs[name.split("/", 1)[0]].decode(parts)

    def receive_newest(self, timeout_s: float) -> dict[str, Any]:
        """Read all queued messages and return the newest of each topic, without frame messages older than a second."""
        found: dict[str, Any] = {}
        item = self.receive(timeout_s)
        while item is not None:
            found[item[0]] = item[1]
            item = self.receive(0)
        oldest = time.monotonic() - NEWEST_MAX_AGE_S
        return {
            topic: message
            for topic, message in found.items()
            if not isinstance(message, FrameMessage) or message.captured_at >= oldest
        }


class ControlServer:
    """Server of the control socket (REP): one MessagePack map in, one out."""

    def __init__(self, context: LinkContext, daemon: DaemonAddress, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._answer = answer
        self.socket = context.create_socket(zmq.REP)
        _bind(self.socket, daemon.control)

    def pump(self) -> None:
        """Answer pending requests."""
        while self.socket.poll(0):
            try:
                reply = self._answer(msgspec.msgpack.decode(self.socket.recv(), type=dict[str, Any]))
            except (msgspec.MsgspecError, RemiError) as error:
                reply = {"error": str(error)}
            self.socket.send(msgspec.msgpack.encode(reply))


def send_control_request(daemon: DaemonAddress, request: dict[str, Any], timeout_s: float = 2.0) -> dict[str, Any]:
    """Send a request to the control socket of a daemon and return its reply. Raises RemiError on error or timeout."""
    context = LinkContext()
    try:
        socket = context.create_socket(zmq.REQ)
        socket.connect(daemon.control)
        socket.send(msgspec.msgpack.encode(request))
        if not socket.poll(int(timeout_s * 1000)):
            raise RemiError(f"No remi-stream answers on {daemon.control}. Start one (remi-stream demo) or select it with --name")
        reply: dict[str, Any] = msgspec.msgpack.decode(socket.recv())
    finally:
        context.close()
    if "error" in reply:
        raise RemiError(reply["error"])
    return reply


class SocketPoller:
    """Polls sockets and file descriptors."""

    def __init__(self) -> None:
        self._poller = zmq.Poller()

    def register(self, socket: zmq.Socket[bytes] | int) -> None:
        """Register a socket or file descriptor for reading."""
        self._poller.register(socket, zmq.POLLIN)

    def wait(self, timeout_s: float) -> None:
        """Wait until one is readable, or the timeout."""
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
