"""Exact books: every frame that a camera captured was published, dropped for a reason, lost in a crash, or is in flight."""

from __future__ import annotations

from collections import Counter

from remi_stream.messages import CameraFacts, Message

LOST = "lost_in_crash"


class Epoch:
    """The books of one camera's one epoch, from the first message that was seen of it."""

    def __init__(self, first_frame_id: int, skipped: int) -> None:
        self.begun_at = max(0, first_frame_id - skipped)
        self.next_frame_id = self.begun_at
        self.captured = 0
        self.published = 0
        self.dropped: Counter[str] = Counter()

    @property
    def in_flight(self) -> int:
        """Frames that were captured and of which nothing is known yet."""
        return max(0, self.captured - self.next_frame_id)


class Books:
    """Keeps the books by camera; an epoch's end closes its books."""

    def __init__(self) -> None:
        self._epochs: dict[str, tuple[int, Epoch]] = {}

    def of(self, camera: str) -> Epoch | None:
        """The books of a camera's present epoch."""
        entry = self._epochs.get(camera)
        return entry[1] if entry else None

    def publish(self, message: Message) -> dict[str, int]:
        """Book a message and what it skipped; give everything dropped since the last one, with what no stage accounts for."""
        books, closed = self._open(message.camera, message.epoch, message.frame_id, sum(message.skipped.values()))
        gap = message.frame_id - books.next_frame_id
        lost = max(0, gap - sum(message.skipped.values()))
        dropped = Counter(message.skipped) + Counter({LOST: lost})
        books.dropped += dropped
        books.published += 1
        books.next_frame_id = message.frame_id + 1
        books.captured = max(books.captured, books.next_frame_id)
        return dict(dropped + Counter({LOST: closed}))

    def capture(self, facts: CameraFacts) -> dict[str, int]:
        """Book how many frames the camera has captured; give what was lost with an earlier epoch."""
        if facts.camera not in self._epochs:
            return {}
        books, closed = self._open(facts.camera, facts.epoch, 0, 0)
        books.captured = max(books.captured, facts.captured)
        return {LOST: closed} if closed else {}

    def _open(self, camera: str, epoch: int, frame_id: int, skipped: int) -> tuple[Epoch, int]:
        known = self._epochs.get(camera)
        if known is not None and known[0] == epoch:
            return known[1], 0
        fresh = Epoch(frame_id if known is None else 0, skipped)
        self._epochs[camera] = (epoch, fresh)
        return fresh, known[1].in_flight if known else 0
