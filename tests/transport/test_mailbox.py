"""Credits and mailboxes on a virtual clock: the flow never stops, nothing is lost silently, cameras get fair shares."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remi_stream.messages import Bodies, Frame, FrameView
from remi_stream.transport.mailbox import CREDIT_RENEW_S, PRODUCER_TIMEOUT_S, Credit, FrameRequest, Inbox, Outbox


def frame(frame_id: int, camera: str = "a", epoch: int = 1, skipped: dict[str, int] | None = None) -> Frame:
    image = np.zeros((1, 1, 3), np.uint8)
    place = {"camera": camera, "epoch": epoch, "frame_id": frame_id, "captured_at": 0.0, "skipped": skipped or {}}
    return Frame(**place, image=image, size=(1, 1), rectangle=(0, 0, 1, 1))


def bodies(frame_id: int, camera: str = "a", skipped: dict[str, int] | None = None) -> Bodies:
    place = {"camera": camera, "epoch": 1, "frame_id": frame_id, "captured_at": 0.0, "skipped": skipped or {}}
    return Bodies(**place, engine="e", size=(1, 1), intrinsics=(1, 1, 0, 0), people=[])


def take_all(outbox: Outbox[Any]) -> list[Any]:
    return [taken[1] for taken in iter(outbox.pop, None)]


def test_nothing_is_sent_without_credit() -> None:
    outbox: Outbox[Frame] = Outbox(1, "capture/superseded")
    outbox.put(frame(0))
    assert outbox.pop() is None
    outbox.add_credit(Credit(0, 1))
    assert [f.frame_id for f in take_all(outbox)] == [0]


def test_newest_frame_replaces_the_waiting_one_and_carries_the_count() -> None:
    outbox: Outbox[Frame] = Outbox(1, "capture/superseded")
    for index in range(5):
        outbox.put(frame(index))
    outbox.add_credit(Credit(0, 1))
    (sent,) = take_all(outbox)
    assert (sent.frame_id, sent.skipped) == (4, {"capture/superseded": 4})


def test_dropped_message_passes_its_own_skipped_counts_on() -> None:
    outbox: Outbox[Bodies] = Outbox(1, "pose/overflow")
    outbox.put(bodies(3, skipped={"capture/superseded": 3}))
    outbox.put(bodies(5, skipped={"capture/superseded": 1}))
    outbox.add_credit(Credit(0, 1))
    assert take_all(outbox)[0].skipped == {"capture/superseded": 4, "pose/overflow": 1}


def test_full_fifo_drops_the_oldest_of_the_same_camera_only() -> None:
    outbox: Outbox[Bodies] = Outbox(2, "pose/overflow")
    outbox.put(bodies(0, "b"))
    for index in range(3):
        outbox.put(bodies(index, "a"))
    outbox.add_credit(Credit(0, 10))
    assert [(m.camera, m.frame_id) for m in take_all(outbox)] == [("b", 0), ("a", 1), ("a", 2)]


@given(st.lists(st.tuples(st.sampled_from(["put", "credit", "repeat"]), st.sampled_from("ab")), max_size=80))
def test_every_frame_is_sent_waiting_or_counted(events: list[tuple[str, str]]) -> None:
    outbox: Outbox[Bodies] = Outbox(3, "pose/overflow")
    made: Counter[str] = Counter()
    accounted: Counter[str] = Counter()
    credit = Credit(0, 0)
    for event, camera in events:
        if event == "put":
            outbox.put(bodies(made[camera], camera))
            made[camera] += 1
        else:
            credit = Credit(outbox.sent, outbox.sent + 1) if event == "credit" else credit
            outbox.add_credit(credit)
        for message in take_all(outbox):
            assert message.frame_id == accounted[message.camera] + sum(message.skipped.values())
            accounted[message.camera] = message.frame_id + 1
    outbox.add_credit(Credit(outbox.sent, outbox.sent + 100))
    for message in take_all(outbox):
        assert message.frame_id == accounted[message.camera] + sum(message.skipped.values())
        accounted[message.camera] = message.frame_id + 1
    assert accounted == made


def test_repeated_credit_allows_no_second_message() -> None:
    outbox: Outbox[Frame] = Outbox(1, "capture/superseded")
    outbox.put(frame(0))
    outbox.add_credit(Credit(0, 1))
    assert len(take_all(outbox)) == 1
    outbox.put(frame(1))
    outbox.add_credit(Credit(0, 1))
    assert not take_all(outbox)


def test_view_of_a_credit_is_remembered() -> None:
    outbox: Outbox[Frame] = Outbox(1, "capture/superseded")
    outbox.add_credit(Credit(0, 1, view=FrameView(longest_side=224)))
    assert outbox.view == FrameView(longest_side=224)


class World:
    """Cameras, one consumer and lossy wires on a virtual clock.

    loss: which messages (by count) are lost on the way. work_s: what the consumer needs per message.
    """

    def __init__(self, cameras: dict[str, float], work_s: float, loss: set[int], one_at_a_time: bool = True) -> None:
        self.now, self.count, self.loss, self.work_s = 0.0, 0, loss, work_s
        self.outboxes: dict[str, Outbox[Frame]] = {name: Outbox(1, "capture/superseded") for name in cameras}
        self.periods = cameras
        self.inbox = Inbox(1, one_at_a_time=one_at_a_time)
        self.queue: list[tuple[float, int, Any]] = []
        self.waiting: list[tuple[str, Frame]] = []
        self.busy_until = 0.0
        self.served: list[tuple[float, str, Frame, float]] = []
        self.captured: Counter[str] = Counter()
        self.due: Counter[str] = Counter()
        self.born: dict[tuple[str, int], float] = {}
        for index, name in enumerate(cameras):
            self.later(0.001 * index, lambda name=name: self.capture(name))
            self.later(0.0, lambda name=name: self.hello(name))
        self.later(0.0, self.consume)

    def later(self, delay: float, action: Any) -> None:
        self.count += 1
        heapq.heappush(self.queue, (self.now + delay, self.count, action))

    def wire(self, action: Any) -> None:
        self.count += 1
        if self.count not in self.loss:
            self.later(0.001, action)

    def capture(self, name: str) -> None:
        self.born[name, self.captured[name]] = self.now
        self.outboxes[name].put(frame(self.captured[name], name))
        self.captured[name] += 1
        if not self.push(name):
            self.wire(lambda: self.inbox.on_message_available(name))
        self.later(self.periods[name], lambda: self.capture(name))

    def hello(self, name: str) -> None:
        sent, waiting = self.outboxes[name].sent, len(self.outboxes[name]) > 0
        self.wire(lambda: self.inbox.on_hello(name, name, sent, waiting, self.now))
        self.later(CREDIT_RENEW_S, lambda: self.hello(name))

    def push(self, name: str) -> bool:
        taken = self.outboxes[name].pop()
        if taken is not None:
            self.wire(lambda: self.arrive(name, *taken))
        return taken is not None

    def arrive(self, name: str, serial: int, message: Frame) -> None:
        if self.inbox.on_message(name, serial, self.now):
            self.waiting.append((name, message))

    def consume(self) -> None:
        if self.now >= self.busy_until and self.waiting:
            name, message = self.waiting.pop(0)
            self.served.append((self.now, name, message, self.now - self.born[name, message.frame_id]))
            self.busy_until = self.now + self.work_s
        elif self.now >= self.busy_until:
            for name, credit in self.inbox.due_credits(self.now):
                self.wire(lambda name=name, credit=credit: self.credit(str(name), credit))
        self.later(0.002, self.consume)

    def credit(self, name: str, credit: Credit) -> None:
        self.outboxes[name].add_credit(credit)
        self.push(name)

    def run(self, seconds: float) -> World:
        while self.queue[0][0] < seconds:
            self.now, _, action = heapq.heappop(self.queue)
            action()
        return self


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 2000), max_size=60))
def test_lost_credits_hellos_and_frames_never_stop_the_flow(loss: set[int]) -> None:
    world = World({"a": 1 / 30}, work_s=0.01, loss=loss).run(20.0)
    assert any(at > 19.5 for at, *_ in world.served)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.001, 0.3), st.integers(1, 5))
def test_frame_age_is_bounded_and_the_ledger_balances_for_any_consumer(work_s: float, cameras: int) -> None:
    world = World({f"c{i}": 1 / 30 for i in range(cameras)}, work_s, loss=set()).run(10.0)
    ages = [age for *_, age in world.served]
    assert max(ages) < 1 / 30 + 0.02
    last = {name: -1 for name in world.outboxes}
    for _, name, message, _ in world.served:
        assert message.frame_id - last[name] - 1 == sum(message.skipped.values())
        last[name] = message.frame_id


@pytest.mark.parametrize("work_s", [0.02, 0.05])
def test_cameras_get_fair_shares_of_a_busy_consumer(work_s: float) -> None:
    world = World({f"c{i}": 1 / 30 for i in range(4)}, work_s, loss=set()).run(20.0)
    shares = Counter(name for _, name, *_ in world.served)
    assert max(shares.values()) - min(shares.values()) <= 2


def test_slow_camera_does_not_hold_up_a_fast_one() -> None:
    world = World({"slow": 2.0, "fast": 1 / 30}, work_s=0.005, loss=set()).run(10.0)
    assert sum(name == "fast" for _, name, *_ in world.served) > 280


def test_busy_gpu_requests_from_every_camera_at_once() -> None:
    inbox = Inbox(1)
    for name in "abc":
        inbox.on_hello(name, name, 0, False, 0.0)
    assert len(inbox.due_credits(0.0)) == 3


def test_silent_producer_is_removed() -> None:
    inbox = Inbox(1)
    inbox.on_hello("a", "a", 0, False, 0.0)
    inbox.due_credits(PRODUCER_TIMEOUT_S + 0.1)
    assert inbox.cameras == []


def test_camera_gets_no_credit_before_the_stage_requests_it() -> None:
    inbox = Inbox(1)
    inbox.on_hello("a", "a", 0, False, 0.0)
    assert inbox.due_credits(0.0, lambda camera: FrameRequest(None, 1.0)) == []
    assert len(inbox.due_credits(1.0, lambda camera: FrameRequest(None, 1.0))) == 1


def test_answer_to_a_credit_of_an_earlier_life_is_not_accepted() -> None:
    inbox = Inbox(1)
    assert not inbox.on_message("a", 7, 0.0)
    inbox.on_hello("a", "a", 7, False, 0.0)
    assert not inbox.on_message("a", 7, 0.0)
    inbox.due_credits(0.0)
    assert inbox.on_message("a", 8, 0.0)
