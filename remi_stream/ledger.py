"""Ledger of frames: every captured frame is published, dropped for a reason, lost in a crash, or in flight.

The relay keeps one of what it publishes, over its own restarts; a sink that outlives the relay keeps its own, over all epochs.
"""

from __future__ import annotations

from collections import Counter, deque

import msgspec

from remi_stream.messages import CameraFacts, FrameMessage

LOST_IN_CRASH = "lost_in_crash"
"""Drop reason of frames that no stage accounts for."""
MAX_CLOSED_EPOCHS = 16
"""Closed epochs remembered, so that their late messages are not counted twice."""


class EpochState(msgspec.Struct, frozen=True):
    """State of the account of a camera's newest epoch, which a restarted relay goes on with."""

    epoch: int
    first_frame_id: int
    next_frame_id: int
    captured_until: int
    published: int
    dropped: dict[str, int]


class EpochAccount:
    """Account of one epoch's frames from `first_frame_id` on: captured = published + dropped + in_flight."""

    def __init__(self, first_frame_id: int) -> None:
        self.first_frame_id = first_frame_id
        self.next_frame_id = first_frame_id
        self.published = 0
        self.dropped: Counter[str] = Counter()
        self._captured_until = first_frame_id

    @property
    def captured(self) -> int:
        """Number of captured frames known so far."""
        return self._captured_until - self.first_frame_id

    @property
    def captured_until(self) -> int:
        """Number of the next frame that the camera captures, as far as known."""
        return self._captured_until

    @property
    def in_flight(self) -> int:
        """Number of captured frames neither published nor dropped yet."""
        return self._captured_until - self.next_frame_id

    def record_captured(self, frames: int) -> None:
        """Record the number of frames captured since frame 0."""
        self._captured_until = max(self._captured_until, frames)

    def record_published(self, message: FrameMessage) -> Counter[str]:
        """Record a message; return the drops since the last one. A frame already recorded is ignored."""
        gap = message.frame_id - self.next_frame_id
        if gap < 0:
            return Counter()
        dropped = _limit(message.skipped, gap)
        dropped += Counter({LOST_IN_CRASH: gap - dropped.total()})
        self.dropped += dropped
        self.published += 1
        self.next_frame_id = message.frame_id + 1
        self.record_captured(self.next_frame_id)  # the camera's status, which has the count, comes only twice a second
        return dropped

    def close(self) -> None:
        """Record the frames still in flight as lost."""
        self.dropped += Counter({LOST_IN_CRASH: self.in_flight})
        self.next_frame_id = self._captured_until


class CameraAccount:
    """Account of one camera: its epochs, in the order of their first message.

    The first Bodies message of a later epoch closes an epoch: until then its last frames may still be in flight.
    """

    def __init__(self) -> None:
        self.open_epochs: dict[int, EpochAccount] = {}
        self._closed: deque[int] = deque(maxlen=MAX_CLOSED_EPOCHS)
        self._past = EpochAccount(0)

    def record_captured(self, facts: CameraFacts) -> None:
        """Record captured frames. An epoch that was not seen from its start is opened by its first Bodies message instead."""
        if facts.epoch in self._closed:
            return
        if facts.epoch not in self.open_epochs and (facts.captured <= 1 or self._known):
            self._open(facts.epoch, 0)
        if facts.epoch in self.open_epochs:
            self.open_epochs[facts.epoch].record_captured(facts.captured)

    def record_published(self, message: FrameMessage) -> Counter[str]:
        """Record a Bodies message; one of a closed epoch is already counted as lost."""
        if message.epoch in self._closed:
            return Counter()
        if message.epoch not in self.open_epochs:
            self._open(message.epoch, 0 if self._known else max(0, message.frame_id - sum(message.skipped.values())))
        self._close_before(message.epoch)
        return self.open_epochs[message.epoch].record_published(message)

    def total(self) -> EpochAccount:
        """Sum over all epochs, as one epoch from frame 0 on; its counts are monotonic, as Prometheus counters must be."""
        total = EpochAccount(0)
        for epoch in (self._past, *self.open_epochs.values()):
            _add(total, epoch)
        return total

    @property
    def _known(self) -> bool:
        """Whether the camera had an epoch before: then a new epoch is seen from its frame 0 on."""
        return bool(self.open_epochs or self._closed)

    def _open(self, epoch: int, first_frame_id: int) -> None:
        # at most two stay open, the new one and the one before it: a camera that restarts for ever must not fill the memory
        self._close_before(next(reversed(self.open_epochs), epoch))
        self.open_epochs[epoch] = EpochAccount(first_frame_id)

    def _close_before(self, epoch: int) -> None:
        for earlier in list(self.open_epochs):
            if earlier == epoch:
                return
            closed = self.open_epochs.pop(earlier)
            closed.close()
            _add(self._past, closed)
            self._closed.append(earlier)


class Ledger:
    """Ledger of all cameras."""

    def __init__(self) -> None:
        self._accounts: dict[str, CameraAccount] = {}

    def current_epoch(self, camera: str) -> EpochAccount | None:
        """Account of a camera's newest epoch."""
        account = self._accounts.get(camera)
        return account.open_epochs[next(reversed(account.open_epochs))] if account and account.open_epochs else None

    def state(self, camera: str) -> EpochState:
        """State of the account of a camera's newest epoch, which must have one."""
        account = self._accounts[camera]
        epoch, newest = next(reversed(account.open_epochs.items()))
        ids = newest.first_frame_id, newest.next_frame_id, newest.captured_until
        return EpochState(epoch, *ids, newest.published, dict(newest.dropped))

    def restore(self, camera: str, state: EpochState) -> None:
        """Go on with the account of a relay that died: what it published stays published, what is missing since is lost."""
        restored = EpochAccount(state.first_frame_id)
        restored.next_frame_id, restored.published = state.next_frame_id, state.published
        restored.dropped.update(state.dropped)
        restored.record_captured(state.captured_until)
        self._account(camera).open_epochs[state.epoch] = restored

    def total(self, camera: str) -> EpochAccount:
        """Sum over all epochs of a camera."""
        return self._account(camera).total()

    def record_published(self, message: FrameMessage) -> dict[str, int]:
        """Record a message; return the drops of its epoch since the last one, including unexplained ones (lost in a crash)."""
        return dict(self._account(message.camera).record_published(message))

    def record_captured(self, facts: CameraFacts) -> None:
        """Record the number of frames captured by a camera."""
        self._account(facts.camera).record_captured(facts)

    def _account(self, camera: str) -> CameraAccount:
        return self._accounts.setdefault(camera, CameraAccount())


def _add(total: EpochAccount, epoch: EpochAccount) -> None:
    total.record_captured(total.captured + epoch.captured)
    total.next_frame_id += epoch.captured - epoch.in_flight
    total.published += epoch.published
    total.dropped += epoch.dropped


def _limit(skipped: dict[str, int], gap: int) -> Counter[str]:
    """Limit the counts, so that their sum is at most the number of missing frames."""
    kept: Counter[str] = Counter()
    for reason, count in skipped.items():
        kept[reason] = min(count, gap - kept.total())
    return +kept
