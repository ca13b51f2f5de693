"""A pipeline that drops and crashes, a relay that restarts, a bus that loses messages: the accounts balance at every moment."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from remi_stream.ledger import LOST_IN_CRASH, EpochAccount, Ledger
from remi_stream.messages import Bodies, CameraFacts
from tests.sample import bodies
from tests.sample import facts as camera_facts


def body(frame_id: int, skipped: dict[str, int] | None = None, epoch: int = 1) -> Bodies:
    return bodies(frame_id, skipped=skipped or {}, epoch=epoch, people=[])


def facts(captured: int, epoch: int = 1) -> CameraFacts:
    return camera_facts(captured, epoch=epoch)


def assert_balance(account: EpochAccount) -> None:
    assert account.captured == account.published + account.dropped.total() + account.in_flight
    assert account.in_flight >= 0
    assert all(count > 0 for count in account.dropped.values())


class World(RuleBasedStateMachine):
    """frames: what the present and the last epoch have in the pipeline, oldest first, each with what was dropped before it."""

    @initialize()
    def start(self) -> None:
        self.relay, self.sink = Ledger(), Ledger()
        self.epoch = self.captured = 0
        self.pending: list[tuple[int, int]] = []
        self.skipped: Counter[str] = Counter()
        self.true_drops: Counter[str] = Counter()
        self.heard: Counter[int] = Counter()
        self.delivered = 0
        self.last = EpochAccount(0)
        self.send_facts()

    @rule(count=st.integers(1, 40))
    def capture(self, count: int) -> None:
        self.pending += [(self.epoch, self.captured + index) for index in range(count)]
        self.captured += count

    @rule()
    def send_facts(self) -> None:
        message = facts(self.captured, self.epoch)
        self.relay.record_captured(message)
        self.sink.record_captured(message)
        self.heard[self.epoch] = max(self.heard[self.epoch], self.captured)

    @rule(reason=st.sampled_from(["capture/superseded", "pose/overflow"]), count=st.integers(1, 5))
    def drop(self, reason: str, count: int) -> None:
        for epoch, _ in self.take(count):
            if epoch == self.epoch:
                self.skipped[reason] += 1
                self.true_drops[reason] += 1

    @rule(count=st.integers(1, 5), with_counts=st.booleans())
    def crash(self, count: int, with_counts: bool) -> None:
        self.take(count)
        if with_counts:
            self.skipped.clear()

    @rule(heard=st.booleans())
    def publish(self, heard: bool) -> None:
        for epoch, frame_id in self.take(1):
            skipped = dict(self.skipped) if epoch == self.epoch else {}
            message = body(frame_id, skipped, epoch)
            if skipped:
                self.skipped.clear()
            self.pass_on(message, heard)

    @rule(saved=st.booleans())
    def restart_relay(self, saved: bool) -> None:
        before, self.relay = self.relay, Ledger()
        if saved and before.current_epoch("front"):
            self.relay.restore("front", before.state("front"))
            assert self.relay.state("front") == before.state("front")

    @rule(left=st.integers(0, 3))
    def restart_camera(self, left: int) -> None:
        self.pending = self.pending[:left]
        self.skipped.clear()
        self.epoch += 1
        self.captured = 0
        self.send_facts()

    @invariant()
    def accounts_balance_and_never_fall(self) -> None:
        total = self.sink.total("front")
        assert_balance(total)
        for epoch in (self.relay.current_epoch("front"), self.sink.current_epoch("front")):
            assert epoch is None or assert_balance(epoch) is None
        assert total.captured >= self.last.captured
        assert total.published >= self.last.published
        assert total.dropped >= self.last.dropped
        self.last = total

    @invariant()
    def accounts_match_the_truth(self) -> None:
        total = self.sink.total("front")
        assert total.captured == sum(self.heard.values())
        assert total.published == self.delivered
        explained = {reason: count for reason, count in total.dropped.items() if reason != LOST_IN_CRASH}
        assert self.true_drops >= Counter(explained)

    def take(self, count: int) -> list[tuple[int, int]]:
        taken, self.pending = self.pending[:count], self.pending[count:]
        return taken

    def pass_on(self, message: Bodies, heard: bool) -> None:
        dropped = self.relay.record_published(message)
        if heard and message.epoch >= self.epoch - 1:
            self.sink.record_published(body(message.frame_id, dropped, message.epoch))
            self.heard[message.epoch] = max(self.heard[message.epoch], message.frame_id + 1)
            self.delivered += 1


TestLedger = World.TestCase
TestLedger.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)


def test_gap_that_no_stage_explains_is_lost_in_a_crash() -> None:
    ledger = Ledger()
    ledger.record_published(body(0))
    assert ledger.record_published(body(10, {"capture/superseded": 6})) == {"capture/superseded": 6, LOST_IN_CRASH: 3}


def test_sink_counts_what_was_lost_with_the_relay() -> None:
    relay, sink = Ledger(), Ledger()
    for frame_id in range(5):
        sink.record_published(body(frame_id, relay.record_published(body(frame_id))))
    relay = Ledger()
    sink.record_published(body(8, relay.record_published(body(8, {"capture/superseded": 1}))))
    assert sink.total("front").dropped == {"capture/superseded": 1, LOST_IN_CRASH: 2}


def test_account_that_starts_in_the_middle_does_not_count_earlier_frames() -> None:
    ledger = Ledger()
    ledger.record_captured(facts(100))
    ledger.record_published(body(98, {"capture/superseded": 2}))
    ledger.record_captured(facts(101))
    total = ledger.total("front")
    assert (total.captured, total.published, total.dropped.total(), total.in_flight) == (5, 1, 2, 2)


def test_frames_before_the_first_body_of_a_watched_camera_are_lost() -> None:
    ledger = Ledger()
    ledger.record_captured(facts(1))
    ledger.record_published(body(7, {"capture/superseded": 3}))
    assert ledger.total("front").dropped == {"capture/superseded": 3, LOST_IN_CRASH: 4}


def test_last_body_of_an_old_epoch_is_counted_there_after_facts_of_the_new_one() -> None:
    ledger = Ledger()
    for frame_id in range(3):
        ledger.record_published(body(frame_id, epoch=1))
    ledger.record_captured(facts(6, epoch=1))
    ledger.record_captured(facts(1, epoch=2))
    assert ledger.record_published(body(3, epoch=1)) == {}
    assert ledger.total("front").in_flight == 3
    assert ledger.record_published(body(0, epoch=2)) == {}
    assert ledger.total("front").dropped == {LOST_IN_CRASH: 2}
    assert ledger.record_published(body(4, epoch=1)) == {}
    assert ledger.total("front").published == 5


def test_repeated_body_is_counted_once() -> None:
    ledger = Ledger()
    ledger.record_published(body(3))
    assert ledger.record_published(body(3)) == {}
    assert ledger.total("front").published == 1


def test_more_drops_than_missing_frames_are_limited() -> None:
    ledger = Ledger()
    ledger.record_published(body(0))
    assert ledger.record_published(body(3, {"capture/superseded": 9})) == {"capture/superseded": 2}
    assert_balance(ledger.total("front"))


def test_cameras_that_restart_for_ever_keep_two_epochs_open() -> None:
    ledger = Ledger()
    for epoch in range(100):
        ledger.record_captured(facts(1, epoch))
    assert len(ledger._account("front").open_epochs) == 2
    assert ledger.total("front").captured == 100
    assert ledger.total("front").dropped == {LOST_IN_CRASH: 98}


def test_relay_that_goes_on_with_a_saved_account_counts_what_was_lost_between() -> None:
    dead, relay = Ledger(), Ledger()
    for frame_id in range(5):
        dead.record_published(body(frame_id))
    relay.restore("front", dead.state("front"))
    assert relay.record_published(body(8, {"capture/superseded": 1})) == {"capture/superseded": 1, LOST_IN_CRASH: 2}
    account = relay.current_epoch("front")
    assert account
    assert (account.captured, account.published, account.dropped.total(), account.in_flight) == (9, 6, 3, 0)
