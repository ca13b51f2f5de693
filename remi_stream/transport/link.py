"""ZeroMQ transport: links with credit-based flow control, the bus, the control socket.

A consumer binds a Receiver, producers connect Senders; outbox and inbox (mailbox.py) control the flow. The relay publishes with
a Publisher, clients use a Subscriber. Every socket is closed with a linger and the context destroyed, or exit would hang.

ZeroMQ's own options cannot deliver the newest message: CONFLATE loses parts of multipart messages, and a high-water mark of 1
keeps the oldest.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import msgspec
import zmq

from remi_stream.errors import RemiError, UsageError
from remi_stream.messages import Bodies, Frame, FrameMessage, FrameView, Health, Message, MessageCodec, message_key
from remi_stream.redaction import printable
from remi_stream.topics import BUS_TOPICS, LAST_VALUE_TOPICS, Topic
from remi_stream.transport.address import DaemonAddress, ServerKeys
from remi_stream.transport.mailbox import CREDIT_RENEW_S, Credit, FrameRequest, Inbox, Outbox, add_skipped, pop_skipped
from remi_stream.transport.remote_clock import RemoteClock
from remi_stream.transport.sockets import MAX_MESSAGES_PER_TURN, InvalidMessages, bind, connect, read_queued
from remi_stream.transport.sockets import LinkContext as LinkContext
from remi_stream.transport.sockets import SocketPoller as SocketPoller

LINGER_MS = 500
"""Time that a closed socket may still send queued messages, ms."""
BUS_HIGH_WATER_MARK = 200
"""ZeroMQ high-water mark: messages queued per subscriber; later ones are lost."""
NEWEST_MAX_AGE_S = 1.0
"""Older messages about frames are not returned by `receive_newest`, s."""
MAX_FRAME_BYTES = 1 << 30
"""Maximum size of a part that holds an image: 16384 x 16384 px are 0.8 GB."""
MAX_MESSAGE_BYTES = 1 << 26
"""Maximum size of a part of any other message."""
MAX_REQUEST_BYTES = 1 << 14
"""Maximum size of a control request."""
MAX_REPLY_BYTES = 1 << 22
"""Maximum size of its reply: the status of a thousand cameras is less than 1 MB."""
MAX_SUBSCRIPTION_BYTES = 1 << 12
"""Maximum size of a subscription, and of ZeroMQ's handshake before it."""
MAX_PARTS = 1024
"""Maximum number of parts of a message: each array over 64 kB is one."""
MAX_REQUESTS_S = 0.002
"""Time after which one call of `pump` answers no further control request, s: a status of many cameras takes half of it."""
LAST_VALUES_INTERVAL_S = 0.05
"""Minimum time between two repetitions of the last values, s, however often clients subscribe."""

M = TypeVar("M", bound=Message)

_HELLO, _AVAILABLE, _BYE, _MESSAGE = b"h", b"n", b"b", b"m"
"""Kinds of what a producer sends: its announcement, that a message waits for credit, its end, a message."""


def _max_bytes(topic: Topic) -> int:
    return MAX_FRAME_BYTES if topic.message_type is Frame else MAX_MESSAGE_BYTES


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
        self.invalid = InvalidMessages(f"the producer of {topic.name}")
        self.socket = context.create_socket(zmq.DEALER, MAX_MESSAGE_BYTES)
        # unique per life: the receiver must not mistake a restarted producer for the old one
        self.socket.setsockopt(zmq.IDENTITY, f"{reason}-{os.getpid()}-".encode() + os.urandom(4))
        self.socket.setsockopt(zmq.RECONNECT_IVL, 50)
        connect(self.socket, address)

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
        for parts in read_queued(self.socket):
            try:
                self.outbox.add_credit(msgspec.msgpack.decode(b"".join(parts), type=Credit))
            except (msgspec.MsgspecError, RecursionError) as error:
                self.invalid.add(error)
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

    reason: drop reason of live messages that come without credit. one_at_a_time: see Inbox. cameras: the only ones that messages
    may be about; None: any.
    """

    def __init__(
        self,
        context: LinkContext,
        address: str,
        topic: Topic,
        *,
        reason: str,
        one_at_a_time: bool = False,
        cameras: Collection[str] | None = None,
    ) -> None:
        self.topic = topic
        self.is_live = topic.delivery == "live"
        self.inbox: Inbox[bytes] = Inbox(topic.depth, one_at_a_time=one_at_a_time and self.is_live)
        self.unsolicited = 0
        self.invalid = InvalidMessages(f"the consumer of {topic.name}")
        self._reason = reason
        self._cameras = cameras
        self._codec: MessageCodec[M] = MessageCodec(topic.message_type)
        self._arrived: deque[M] = deque()
        self._skipped: Counter[tuple[str, int, str]] = Counter()
        self.socket = context.create_socket(zmq.ROUTER, _max_bytes(topic))
        self.socket.setsockopt(zmq.ROUTER_HANDOVER, 1)  # a producer that reconnects replaces its old connection
        self._address = address
        bind(self.socket, address)

    def next_message(self) -> M | None:
        """Next message that has arrived, or None."""
        return self._arrived.popleft() if self._arrived else None

    @property
    def may_read_ahead(self) -> bool:
        """Whether a credit may be granted before the stage is idle: no other message has arrived or is on its way."""
        return not self._arrived and self.inbox.takes_turns and not self.inbox.has_outstanding

    def pump(self, now: float) -> None:
        """Read everything that has arrived."""
        for producer, *parts in read_queued(self.socket, copy=False):
            try:
                self._read(producer.bytes, parts, now)
            except (msgspec.MsgspecError, RecursionError) as error:
                self.invalid.add(error)

    def grant_credits(self, now: float, request: Callable[[str], FrameRequest] | None = None) -> None:
        """Grant the credits that are due; a live consumer calls this only when it is free."""
        for producer, credit in self.inbox.due_credits(now, request):
            self.socket.send_multipart([producer, msgspec.msgpack.encode(credit)])

    def close(self) -> None:
        """Unbind, which removes the socket file."""
        self.socket.close(linger=0)

    def _read(self, producer: bytes, parts: list[Any], now: float) -> None:
        kind = parts[0].bytes if parts else b""
        if kind == _HELLO and len(parts) == 2:
            camera, sent, waiting = msgspec.msgpack.decode(parts[1].buffer, type=tuple[str, int, bool])
            self._check_camera(camera or None)
            self.inbox.on_hello(producer, camera, sent, waiting, now)
        elif kind == _AVAILABLE:
            self.inbox.on_message_available(producer)
        elif kind == _BYE:
            self.inbox.on_bye(producer)
        elif kind == _MESSAGE and 2 < len(parts) <= MAX_PARTS:
            message = self._codec.decode([part.buffer for part in parts[2:]])
            self._check_camera(None if isinstance(message, Health) else message_key(message))
            has_credit = self.inbox.on_message(producer, int.from_bytes(parts[1].bytes, "little"), now)
            self._accept(message, has_credit or not self.is_live)
        else:
            raise msgspec.DecodeError(f"kind {kind[:16]!r} with {len(parts)} parts")

    def _check_camera(self, camera: str | None) -> None:
        if camera is not None and self._cameras is not None and camera not in self._cameras:
            raise msgspec.ValidationError(f"there is no camera {camera!r}")

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
    """The bus: publishes to all subscribers without waiting; slow subscribers lose messages.

    watched: topics that `has_subscriber` may be asked for. What clients subscribe to is kept only as far as it concerns them.
    keys: for CURVE on TCP.
    """

    def __init__(
        self, context: LinkContext, daemon: DaemonAddress, watched: Iterable[str] = (), keys: ServerKeys | None = None
    ) -> None:
        self.invalid = InvalidMessages("the bus")
        self.socket = context.create_socket(zmq.XPUB, MAX_SUBSCRIPTION_BYTES)
        self.socket.setsockopt(zmq.SNDHWM, BUS_HIGH_WATER_MARK)
        self.socket.setsockopt(zmq.XPUB_VERBOSE, 1)  # report repeated subscriptions too: their clients need the last values
        self._codecs: dict[str, MessageCodec[Any]] = {name: MessageCodec(kind) for name, kind in BUS_TOPICS.items()}
        self._last_values: dict[bytes, list[Any]] = {}
        self._due: set[bytes] = set()
        """Topics whose last values are to be sent again."""
        self._sent_last_values_at = float("-inf")
        self._watched = {topic.encode() for topic in watched}
        self._subscriptions: set[bytes] = set()
        """Subscribed prefixes of watched topics."""
        bind(self.socket, daemon.bus, keys)

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
        return any(topic.encode().startswith(prefix) for prefix in self._subscriptions)

    def pump(self) -> None:
        """Process subscriptions; new ones get the cached last messages of their topics."""
        for parts in read_queued(self.socket):
            kind, prefix = parts[0][:1], parts[0][1:]
            if len(parts) > 1 or kind not in (b"\x00", b"\x01"):
                self.invalid.add(f"{len(parts)} parts, {parts[0][:16]!r}; a client of the bus can only subscribe")
            elif kind == b"\x00":
                self._subscriptions.discard(prefix)
            else:
                self._due |= {topic for topic in self._last_values if topic.startswith(prefix)}
                if any(topic.startswith(prefix) for topic in self._watched):
                    self._subscriptions.add(prefix)
        now = time.monotonic()
        if self._due and now - self._sent_last_values_at >= LAST_VALUES_INTERVAL_S:
            self._sent_last_values_at = now
            for topic in self._due:
                self.socket.send_multipart(self._last_values[topic])
            self._due.clear()


class Subscriber:
    """Subscriber of the bus. cameras: the only ones that messages may be about; None: any."""

    def __init__(
        self,
        context: LinkContext,
        daemon: DaemonAddress,
        topics: Iterable[str] = ("",),
        cameras: Collection[str] | None = None,
    ) -> None:
        self.invalid = InvalidMessages("a subscriber of the bus")
        self._cameras = cameras
        self._clock = RemoteClock() if daemon.is_remote else None
        self.socket = context.create_socket(zmq.SUB, MAX_MESSAGE_BYTES)
        self.socket.setsockopt(zmq.RCVHWM, BUS_HIGH_WATER_MARK)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 100)
        self._topics: set[str] = set()
        self.subscribe(topics)
        self._codecs: dict[str, MessageCodec[Any]] = {name: MessageCodec(kind) for name, kind in BUS_TOPICS.items()}
        connect(self.socket, daemon.bus, daemon.keys)

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
        end = time.monotonic() + timeout_s
        for _ in range(MAX_MESSAGES_PER_TURN):
            if not self.socket.poll(max(0, int((end - time.monotonic()) * 1000))):
                break
            try:
                return self._decode(self.socket.recv_multipart())
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                self.invalid.add(error)
        return None

    def _decode(self, parts: list[bytes]) -> tuple[str, Any]:
        """Decode a message that the relay can have published. Raises msgspec.MsgspecError, UnicodeDecodeError."""
        name = parts[0].decode()
        kind, _, key = name.partition("/")
        if kind not in self._codecs or len(parts) > MAX_PARTS:
            raise msgspec.DecodeError(f"topic {name[:60]!r} with {len(parts)} parts")
        message = self._codecs[kind].decode(parts[1:])
        if key != message_key(message):
            raise msgspec.ValidationError(f"a message about {message_key(message)[:60]!r} as {name[:60]!r}")
        if self._cameras is not None and not isinstance(message, Health) and key not in self._cameras:
            raise msgspec.ValidationError(f"there is no camera {key[:60]!r}")
        if isinstance(message, FrameMessage) and not all(map(math.isfinite, (message.captured_at, *message.stamps.values()))):
            raise msgspec.ValidationError("times must be finite")
        if isinstance(message, Bodies) and "relay" not in message.stamps:
            raise msgspec.ValidationError("bodies without the stamp of the relay")
        if self._clock and isinstance(message, FrameMessage):
            message = self._clock.convert(message, time.monotonic())
        return name, message

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
    """Server of the control socket (REP): one MessagePack map in, one out. answer: raises RemiError for what is not allowed."""

    def __init__(
        self,
        context: LinkContext,
        daemon: DaemonAddress,
        answer: Callable[[dict[str, Any]], dict[str, Any]],
        keys: ServerKeys | None = None,
    ) -> None:
        self.invalid = InvalidMessages("the control socket")
        self._answer = answer
        self.socket = context.create_socket(zmq.REP, MAX_REQUEST_BYTES)
        bind(self.socket, daemon.control, keys)

    def pump(self) -> None:
        """Answer pending requests, for a limited time."""
        end = time.monotonic() + MAX_REQUESTS_S
        for parts in read_queued(self.socket):
            self.socket.send(msgspec.msgpack.encode(self._reply(parts)))
            if time.monotonic() > end:
                return

    def _reply(self, parts: list[bytes]) -> dict[str, Any]:
        try:
            if len(parts) > 1:
                raise msgspec.DecodeError(f"{len(parts)} parts; allowed: one MessagePack map in one part")
            request = msgspec.msgpack.decode(parts[0], type=dict[str, Any])
        except (msgspec.MsgspecError, RecursionError) as error:
            self.invalid.add(error)
            return {"error": f"Control: {error}"}
        try:
            return self._answer(request)
        except RemiError as error:
            return {"error": str(error)}


def send_control_request(daemon: DaemonAddress, request: dict[str, Any], timeout_s: float = 2.0) -> dict[str, Any]:
    """Send a request to the control socket of a daemon and return its reply. Raises RemiError on error or timeout."""
    if not daemon.control:
        raise UsageError(f"{daemon.name} answers requests only to clients with a key. Give --key FILE")
    context = LinkContext()
    try:
        socket = context.create_socket(zmq.REQ, MAX_REPLY_BYTES)
        connect(socket, daemon.control, daemon.keys)
        socket.send(msgspec.msgpack.encode(request))
        if not socket.poll(int(timeout_s * 1000)):
            if daemon.is_remote:
                raise RemiError(
                    f"No remi-stream answers on {daemon.control}. Is it running with --bus-bind, and is the key its own?"
                )
            raise RemiError(f"No remi-stream answers on {daemon.control}. Start one (remi-stream demo) or select it with --name")
        reply = _decode_reply(daemon, socket.recv_multipart())
    finally:
        context.close()
    if "error" in reply:
        raise RemiError(printable(str(reply["error"])))
    return reply


def _decode_reply(daemon: DaemonAddress, parts: list[bytes]) -> dict[str, Any]:
    """Decode a reply, which another machine may have sent. Raises RemiError."""
    try:
        if len(parts) > 1:
            raise msgspec.DecodeError(f"{len(parts)} parts")
        return msgspec.msgpack.decode(parts[0], type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        what = f"{daemon.control} does not answer as a remi-stream does ({printable(str(error))})"
        raise RemiError(f"{what}. Is this its address, and has it the same version?") from error
