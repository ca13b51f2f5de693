"""Who may send what, and what is dropped when nobody takes it: the two ends of a link, without sockets and without a clock.

The consumer grants credits, the producer spends them. A message has a serial number, 1, 2, 3, ... per producer; a credit says
"I have seen up to `received`, send up to `upto`". A credit that is repeated changes nothing; a credit or message that is lost
is made good by the next renewal, half a second later.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from remi_stream.messages import Message, View

RENEW_S = 0.5
FORGET_S = 2.0
PATIENCE_S = 0.05

M = TypeVar("M")


class Credit(msgspec.Struct, frozen=True):
    """Leave to send messages up to serial number `upto`, in the view that is wanted."""

    received: int
    upto: int
    renewal: bool = False
    view: View | None = None


class Request(NamedTuple):
    """What a stage wants next from a camera: the view, and not before which monotonic second."""

    view: View | None = None
    not_before: float = 0.0


class Outbox(Generic[M]):
    """A producer's end: what waits for one consumer, at most `depth` messages of each camera.

    When it is full the oldest message of that camera goes, and is counted: the next message of the same camera and epoch
    carries the count in `skipped` under `reason`, together with what the dropped one carried itself.
    """

    def __init__(self, depth: int, reason: str) -> None:
        self.depth = depth
        self.reason = reason
        self.sent = 0
        self.dropped = 0
        self.view: View | None = None
        self._upto = 0
        self._waiting: deque[M] = deque()
        self._skipped: Counter[tuple[str, int, str]] = Counter()

    def put(self, message: M) -> None:
        """Add a message; drop the camera's oldest one if there are too many."""
        same = [waiting for waiting in self._waiting if _camera(waiting) == _camera(message)]
        if len(same) >= self.depth:
            self._drop(same[0])
        self._waiting.append(message)

    def full(self) -> bool:
        """Whether the next put may drop something; a lossless producer waits until it is not."""
        return len(self._waiting) >= self.depth

    def allow(self, credit: Credit) -> None:
        """Take a credit. A renewal is counted from what was sent: what the consumer has not seen by now is lost."""
        start = self.sent if credit.renewal else credit.received
        self._upto = start + credit.upto - credit.received
        self.view = credit.view

    def take(self) -> tuple[int, M] | None:
        """Give (serial, message) if there is one and a credit for it."""
        if not self._waiting or self.sent >= self._upto:
            return None
        self.sent += 1
        return self.sent, self._with_books(self._waiting.popleft())

    def __len__(self) -> int:
        return len(self._waiting)

    def _drop(self, message: M) -> None:
        self.dropped += 1
        self._waiting.remove(message)
        if isinstance(message, Message):
            for reason, count in {**message.skipped}.items():
                self._skipped[message.camera, message.epoch, reason] += count
            self._skipped[message.camera, message.epoch, self.reason] += 1

    def _with_books(self, message: M) -> M:
        if not isinstance(message, Message):
            return message
        return add_skipped(message, take_skipped(self._skipped, message))


def take_skipped(books: Counter[tuple[str, int, str]], message: Message) -> dict[str, int]:
    """Take out of the books what belongs to the message's camera and epoch, as {reason: count}."""
    keys = [key for key in books if key[:2] == (message.camera, message.epoch)]
    return {key[2]: books.pop(key) for key in keys}


def add_skipped(message: Any, skipped: dict[str, int]) -> Any:
    """Give the message with these counts added to its `skipped`."""
    if not skipped:
        return message
    return msgspec.structs.replace(message, skipped=dict(Counter(message.skipped) + Counter(skipped)))


def _camera(message: object) -> object:
    return getattr(message, "camera", None) or getattr(message, "stage", None)


class _Peer:
    """What a consumer knows of one producer."""

    def __init__(self, camera: str, received: int, now: float) -> None:
        self.camera = camera
        self.received = self.upto = received
        self.granted_at = self.heard_at = now
        self.served_at = float("-inf")
        self.has_news = False

    @property
    def outstanding(self) -> bool:
        return self.upto > self.received


class Inbox:
    """A consumer's end: which producers there are and who may send next.

    window: how many messages may be under way from a producer. one_at_a_time: of several producers, grant only to the least
    recently served one that has announced news (a CPU that serves many cameras), and to the next one if it does not answer.
    """

    def __init__(self, window: int = 1, one_at_a_time: bool = False) -> None:
        self.window = window
        self.one_at_a_time = one_at_a_time
        self._peers: dict[Hashable, _Peer] = {}

    @property
    def cameras(self) -> list[str]:
        """The cameras of the producers that are alive."""
        return [peer.camera for peer in self._peers.values()]

    def hello(self, who: Hashable, camera: str, sent: int, waiting: bool, now: float) -> None:
        """A producer says that it is there, how many messages it has sent so far, and whether it has news."""
        peer = self._peers.get(who)
        if peer is None:
            self._peers[who] = peer = _Peer(camera, sent, now)
        peer.heard_at = now
        peer.has_news = waiting

    def news(self, who: Hashable) -> None:
        """A producer without credit says that it has something."""
        if who in self._peers:
            self._peers[who].has_news = True

    def bye(self, who: Hashable) -> None:
        """A producer leaves."""
        self._peers.pop(who, None)

    def arrived(self, who: Hashable, serial: int, now: float) -> bool:
        """Note a message; False if it was not asked for (it answers a credit of an earlier life, or was asked for twice)."""
        peer = self._peers.get(who)
        if peer is None:
            return False
        asked = peer.received < serial <= peer.upto
        peer.received = max(peer.received, serial)
        peer.upto = max(peer.upto, peer.received)
        peer.heard_at = peer.served_at = now
        peer.has_news = False
        return asked

    def grants(self, now: float, request: Callable[[str], Request] | None = None) -> list[tuple[Hashable, Credit]]:
        """Give the credits to send now: new ones, and those out for half a second once more."""
        self._forget(now)
        wanted = {who: request(peer.camera) if request else Request() for who, peer in self._peers.items()}
        granted = []
        for who in self._chosen([who for who, want in wanted.items() if want.not_before <= now], now):
            peer = self._peers[who]
            peer.upto, peer.granted_at = peer.received + self.window, now
            granted.append((who, Credit(peer.received, peer.upto, False, wanted[who].view)))
        return granted + self._renewals(now, wanted)

    def _chosen(self, ready: list[Hashable], now: float) -> list[Hashable]:
        """Who gets a new credit: whoever used up half of the last one, or only the one whose turn it is."""
        hungry = [who for who in ready if 2 * (self._peers[who].upto - self._peers[who].received) < self.window]
        if not self.one_at_a_time or len(self._peers) == 1:
            return hungry
        if any(peer.outstanding and now - peer.granted_at < PATIENCE_S for peer in self._peers.values()):
            return []
        news = [who for who in hungry if self._peers[who].has_news]
        return sorted(news, key=lambda who: self._peers[who].served_at)[:1]

    def _renewals(self, now: float, wanted: dict[Hashable, Request]) -> list[tuple[Hashable, Credit]]:
        renewed = []
        for who, peer in self._peers.items():
            if peer.outstanding and now - peer.granted_at >= RENEW_S:
                peer.granted_at = now
                renewed.append((who, Credit(peer.received, peer.upto, True, wanted[who].view)))
        return renewed

    def _forget(self, now: float) -> None:
        for who in [who for who, peer in self._peers.items() if now - peer.heard_at > FORGET_S]:
            del self._peers[who]
