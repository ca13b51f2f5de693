"""Exact books: every frame that a camera captured was published, dropped for a reason, lost in a crash, or is in flight.

The relay keeps them for what it publishes; a sink that outlives the relay keeps its own, over all epochs.
"""

from __future__ import annotations

from collections import Counter, deque

from remi_stream.messages import CameraFacts, Message

LOST = "lost_in_crash"
CLOSED_KEPT = 16


class Epoch:
    """Frames from `begun_at` on: captured = published + dropped + in_flight."""

    def __init__(self, begun_at: int) -> None:
        self.begun_at = begun_at
        self.next_frame_id = begun_at
        self.published = 0
        self.dropped: Counter[str] = Counter()
        self._captured_until = begun_at

    @property
    def captured(self) -> int:
        """Frames that the camera is known to have captured."""
        return self._captured_until - self.begun_at

    @property
    def in_flight(self) -> int:
        """Frames that were captured and of which nothing is known yet."""
        return self._captured_until - self.next_frame_id

    def capture(self, frames: int) -> None:
        """Book how many frames the camera has captured since its frame 0."""
        self._captured_until = max(self._captured_until, frames)

    def publish(self, message: Message) -> Counter[str]:
        """Book a message; give everything dropped since the last one. A frame that is booked already is not booked again."""
        gap = message.frame_id - self.next_frame_id
        if gap < 0:
            return Counter()
        dropped = _cut(message.skipped, gap)
        dropped += Counter({LOST: gap - dropped.total()})
        self.dropped += dropped
        self.published += 1
        self.next_frame_id = message.frame_id + 1
        self.capture(self.next_frame_id)
        return dropped

    def close(self) -> None:
        """Book what is still in flight as lost."""
        self.dropped += Counter({LOST: self.in_flight})
        self.next_frame_id = self._captured_until


class Account:
    """One camera's epochs, in the order of their first message.

    An epoch is closed by the first body of a later one: until then its last frames may still be under way.
    """

    def __init__(self) -> None:
        self.open: dict[int, Epoch] = {}
        self._closed: deque[int] = deque(maxlen=CLOSED_KEPT)
        self._past = Epoch(0)

    def capture(self, facts: CameraFacts) -> None:
        """Book facts. An epoch that was not seen from its first frame is opened by a body, which says where it stands."""
        if facts.epoch in self._closed:
            return
        if facts.epoch not in self.open and (facts.captured <= 1 or self._known):
            self._open(facts.epoch, 0)
        if facts.epoch in self.open:
            self.open[facts.epoch].capture(facts.captured)

    def publish(self, message: Message) -> Counter[str]:
        """Book a body; one of a closed epoch is counted as lost already."""
        if message.epoch in self._closed:
            return Counter()
        if message.epoch not in self.open:
            self._open(message.epoch, 0 if self._known else max(0, message.frame_id - sum(message.skipped.values())))
        self._close_before(message.epoch)
        return self.open[message.epoch].publish(message)

    def total(self) -> Epoch:
        """The sum over all epochs, as one epoch from frame 0 on; none of its counts ever falls."""
        total = Epoch(0)
        for epoch in (self._past, *self.open.values()):
            _add(total, epoch)
        return total

    @property
    def _known(self) -> bool:
        """Whether the camera was watched before: then a new epoch is seen from its frame 0 on."""
        return bool(self.open or self._closed)

    def _open(self, epoch: int, begun_at: int) -> None:
        self._close_before(next(reversed(self.open), epoch))
        self.open[epoch] = Epoch(begun_at)

    def _close_before(self, epoch: int) -> None:
        for earlier in list(self.open):
            if earlier == epoch:
                return
            books = self.open.pop(earlier)
            books.close()
            _add(self._past, books)
            self._closed.append(earlier)


class Books:
    """An account for each camera."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}

    def of(self, camera: str) -> Epoch | None:
        """The books of a camera's newest epoch."""
        account = self._accounts.get(camera)
        return account.open[next(reversed(account.open))] if account and account.open else None

    def total(self, camera: str) -> Epoch:
        """The sum over all epochs of a camera."""
        return self._account(camera).total()

    def publish(self, message: Message) -> dict[str, int]:
        """Book a message; give everything of its epoch that was dropped since the last one, with what no stage explains."""
        return dict(self._account(message.camera).publish(message))

    def capture(self, facts: CameraFacts) -> None:
        """Book how many frames the camera has captured."""
        self._account(facts.camera).capture(facts)

    def _account(self, camera: str) -> Account:
        return self._accounts.setdefault(camera, Account())


def _add(total: Epoch, epoch: Epoch) -> None:
    total.capture(total.captured + epoch.captured)
    total.next_frame_id += epoch.captured - epoch.in_flight
    total.published += epoch.published
    total.dropped += epoch.dropped


def _cut(skipped: dict[str, int], gap: int) -> Counter[str]:
    """Give the counts, but no more of them together than frames are missing."""
    kept: Counter[str] = Counter()
    for reason, count in skipped.items():
        kept[reason] = min(count, gap - kept.total())
    return +kept
