"""Credit-based flow control of a link: outbox and inbox, without sockets and without a clock.

The consumer grants credits, the producer spends them. Messages have serial numbers 1, 2, 3, ... per producer; a credit means
"received up to `received`, may send up to `send_up_to`". Credits are idempotent; a lost credit or message is recovered by
the next renewal, half a second later.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from remi_stream.messages import FrameMessage, FrameView, Message, message_key

CREDIT_RENEW_S = 0.5
"""Interval of credit renewals and of the producers' announcements, s."""
PRODUCER_TIMEOUT_S = 2.0
"""Time without a message after which a producer is removed, s: four missed announcements."""
ANSWER_TIMEOUT_S = 0.05
"""Time that a one-at-a-time consumer waits for a producer to answer a credit before it serves the next one, s."""

M = TypeVar("M", bound=Message)
P = TypeVar("P", bound=Hashable)


class Credit(msgspec.Struct, frozen=True):
    """Permission to send messages."""

    received: int
    """Highest serial number received."""
    send_up_to: int
    """Highest serial number that may be sent."""
    renewal: bool = False
    """Repeats a credit that was not answered: messages sent before it count as lost."""
    view: FrameView | None = None
    """Requested view of the frame."""


class FrameRequest(NamedTuple):
    """A stage's request for the next frame of a camera."""

    view: FrameView | None = None
    not_before: float = 0.0
    """Earliest time, monotonic s."""


class Outbox(Generic[M]):
    """Producer's queue for one consumer: at most `depth` messages per camera.

    When full it drops the oldest message of that camera and counts it: the next message of the same camera and epoch
    carries the count in `skipped` under `reason`, together with the counts that the dropped message carried.
    """

    def __init__(self, depth: int, reason: str) -> None:
        self.depth = depth
        self.reason = reason
        self.sent = 0
        self.dropped = 0
        self.view: FrameView | None = None
        self._send_up_to = 0
        self._queue: deque[M] = deque()
        self._skipped: Counter[tuple[str, int, str]] = Counter()

    def put(self, message: M) -> None:
        """Queue a message; drop the oldest of its camera if there are too many."""
        key = message_key(message)
        same = [queued for queued in self._queue if message_key(queued) == key]
        if len(same) >= self.depth:
            self._drop(same[0])
        self._queue.append(message)

    def is_full(self) -> bool:
        """Whether the next put may drop a message; a lossless producer then waits."""
        return len(self._queue) >= self.depth

    def add_credit(self, credit: Credit) -> None:
        """Process a credit. A renewal counts from the messages sent: those not received by then are lost."""
        start = self.sent if credit.renewal else credit.received
        self._send_up_to = start + credit.send_up_to - credit.received
        self.view = credit.view

    def pop(self) -> tuple[int, M] | None:
        """Remove the next message, as (serial, message); None without message or credit."""
        if not self._queue or self.sent >= self._send_up_to:
            return None
        self.sent += 1
        return self.sent, self._with_skipped(self._queue.popleft())

    def __len__(self) -> int:
        return len(self._queue)

    def _drop(self, message: M) -> None:
        self.dropped += 1
        self._queue.remove(message)
        if isinstance(message, FrameMessage):
            for reason, count in {**message.skipped}.items():
                self._skipped[message.camera, message.epoch, reason] += count
            self._skipped[message.camera, message.epoch, self.reason] += 1

    def _with_skipped(self, message: M) -> M:
        if not isinstance(message, FrameMessage):
            return message
        return add_skipped(message, pop_skipped(self._skipped, message))


def pop_skipped(counts: Counter[tuple[str, int, str]], message: FrameMessage) -> dict[str, int]:
    """Remove the counts of the message's camera and epoch from `counts`, and return them as {reason: count}."""
    keys = [key for key in counts if key[:2] == (message.camera, message.epoch)]
    return {key[2]: counts.pop(key) for key in keys}


def add_skipped(message: Any, skipped: dict[str, int]) -> Any:
    """Copy of the message with these counts added to its `skipped`."""
    if not skipped:
        return message
    return msgspec.structs.replace(message, skipped=dict(Counter(message.skipped) + Counter(skipped)))


class _Peer:
    """A consumer's state of one producer."""

    def __init__(self, camera: str, received: int, now: float) -> None:
        self.camera = camera
        self.received = self.send_up_to = received
        self.granted_at = self.heard_at = now
        self.served_at = float("-inf")
        self.has_message_queued = False

    @property
    def outstanding(self) -> bool:
        return self.send_up_to > self.received


class Inbox(Generic[P]):
    """Consumer's end: the known producers, and which may send next.

    window: messages allowed in transit per producer. one_at_a_time: of several producers, grant credit only to the least
    recently served one that has announced a message (one CPU that serves many cameras), to the next if it does not answer.
    """

    def __init__(self, window: int = 1, one_at_a_time: bool = False) -> None:
        self.window = window
        self.one_at_a_time = one_at_a_time
        self._peers: dict[P, _Peer] = {}

    @property
    def cameras(self) -> list[str]:
        """Cameras of the known producers."""
        return [peer.camera for peer in self._peers.values()]

    @property
    def takes_turns(self) -> bool:
        """Whether several producers get credit in turn."""
        return self.one_at_a_time and len(self._peers) > 1

    @property
    def has_outstanding(self) -> bool:
        """Whether a credit has not been answered yet."""
        return any(peer.outstanding for peer in self._peers.values())

    def on_hello(self, producer: P, camera: str, sent: int, has_message: bool, now: float) -> None:
        """Register or refresh a producer: messages sent so far, and whether more are queued."""
        peer = self._peers.get(producer)
        if peer is None:  # messages sent before this consumer knew it are gone: count from here
            self._peers[producer] = peer = _Peer(camera, sent, now)
        peer.heard_at = now
        peer.has_message_queued = has_message

    def on_message_available(self, producer: P) -> None:
        """Note that a producer without credit has a message queued."""
        if producer in self._peers:
            self._peers[producer].has_message_queued = True

    def on_bye(self, producer: P) -> None:
        """Remove a producer."""
        self._peers.pop(producer, None)

    def on_message(self, producer: P, serial: int, now: float) -> bool:
        """Count a message; False if no credit allowed it (a credit from before a restart, or a repeated one)."""
        peer = self._peers.get(producer)
        if peer is None:
            return False
        has_credit = peer.received < serial <= peer.send_up_to
        peer.received = max(peer.received, serial)
        peer.send_up_to = max(peer.send_up_to, peer.received)
        peer.heard_at = peer.served_at = now
        peer.has_message_queued = False
        return has_credit

    def due_credits(self, now: float, request: Callable[[str], FrameRequest] | None = None) -> list[tuple[P, Credit]]:
        """Credits to send now: new ones, and renewals of those unanswered for half a second."""
        self._remove_stale(now)
        wanted = {key: request(peer.camera) if request else FrameRequest() for key, peer in self._peers.items()}
        granted = []
        for key in self._select([key for key, want in wanted.items() if want.not_before <= now], now):
            peer = self._peers[key]
            peer.send_up_to, peer.granted_at = peer.received + self.window, now
            granted.append((key, Credit(peer.received, peer.send_up_to, False, wanted[key].view)))
        return granted + self._renewals(now, wanted)

    def _select(self, ready: list[P], now: float) -> list[P]:
        """Producers that get a new credit: those that used half of the last one; with one_at_a_time only the next in turn."""
        eligible = [key for key in ready if 2 * (self._peers[key].send_up_to - self._peers[key].received) < self.window]
        # a single producer gets its credit before it announces a frame, which saves a round trip
        if not self.takes_turns:
            return eligible
        if any(peer.outstanding and now - peer.granted_at < ANSWER_TIMEOUT_S for peer in self._peers.values()):
            return []
        news = [key for key in eligible if self._peers[key].has_message_queued]
        return sorted(news, key=lambda key: self._peers[key].served_at)[:1]

    def _renewals(self, now: float, wanted: dict[P, FrameRequest]) -> list[tuple[P, Credit]]:
        renewed = []
        for key, peer in self._peers.items():
            if peer.outstanding and now - peer.granted_at >= CREDIT_RENEW_S:
                peer.granted_at = now
                renewed.append((key, Credit(peer.received, peer.send_up_to, True, wanted[key].view)))
        return renewed

    def _remove_stale(self, now: float) -> None:
        for key in [key for key, peer in self._peers.items() if now - peer.heard_at > PRODUCER_TIMEOUT_S]:
            del self._peers[key]
