"""Real sockets: the links' delivery, the bus, the control socket, clean ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import zmq

from remi_stream.capture.preprocess import render_view
from remi_stream.errors import RemiError
from remi_stream.messages import Bodies, CameraFacts, DetectionInterval, Frame, FrameView
from remi_stream.topics import LINK_TOPICS
from remi_stream.transport.address import address_in
from remi_stream.transport.link import (
    ControlServer,
    LinkContext,
    Publisher,
    Receiver,
    Sender,
    Subscriber,
    link_address,
    send_control_request,
)
from remi_stream.transport.mailbox import FrameRequest
from remi_stream.transport.sockets import bind


@pytest.fixture
def context() -> Iterator[LinkContext]:
    context = LinkContext()
    yield context
    context.close()


def frame(frame_id: int) -> Frame:
    image = np.full((36, 64, 3), frame_id % 256, np.uint8)
    return Frame(camera="a", epoch=1, frame_id=frame_id, captured_at=0.0, image=image, size=(64, 36), rectangle=(0, 0, 64, 36))


def bodies(frame_id: int, captured_at: float = 0.0) -> Bodies:
    place = {"camera": "a", "epoch": 1, "frame_id": frame_id, "captured_at": captured_at, "stamps": {"relay": captured_at}}
    return Bodies(**place, engine="e", size=(1, 1), intrinsics=(1, 1, 0, 0), people=[])


def pump(sender: Sender[Any], receiver: Receiver[Any], until: Callable[[], Any], request: Any = None) -> None:
    end = time.monotonic() + 5
    while not until():
        assert time.monotonic() < end
        now = time.monotonic()
        receiver.pump(now)
        receiver.grant_credits(now, request)
        sender.pump(now)


def test_live_link_delivers_the_newest_frame_in_the_requested_view(context: LinkContext, tmp_path: Path) -> None:
    address = link_address(tmp_path, "frames", "pose")
    receiver: Receiver[Frame] = Receiver(context, address, LINK_TOPICS["frames"], reason="pose/unasked")
    sender: Sender[Frame] = Sender(
        context, address, LINK_TOPICS["frames"], reason="capture/superseded", camera="a", render=render_view
    )
    for index in range(10):
        sender.put(frame(index))
    found: list[Frame] = []
    view = FrameRequest(FrameView(rectangle=(0, 0, 32, 36), longest_side=18))
    pump(sender, receiver, lambda: found.append(m) or True if (m := receiver.next_message()) else False, lambda camera: view)
    assert found[0].frame_id == 9
    assert found[0].skipped == {"capture/superseded": 9}
    assert found[0].image.shape == (18, 16, 3)
    assert found[0].rectangle == (0, 0, 32, 36)


def test_fifo_link_keeps_the_order_and_loses_nothing(context: LinkContext, tmp_path: Path) -> None:
    address = link_address(tmp_path, "poses", "relay")
    receiver: Receiver[Bodies] = Receiver(context, address, LINK_TOPICS["poses"], reason="relay/unasked")
    sender: Sender[Bodies] = Sender(context, address, LINK_TOPICS["poses"], reason="pose/overflow")
    seen: list[int] = []
    made = iter(range(200))

    def done() -> bool:
        if not sender.outbox.is_full():
            sender.put(bodies(next(made, 200)))
        while (message := receiver.next_message()) is not None:
            seen.append(message.frame_id)
        return len(seen) >= 200

    pump(sender, receiver, done)
    assert seen[:200] == list(range(200))


def test_consumer_that_was_restarted_is_served_again(tmp_path: Path) -> None:
    address = link_address(tmp_path, "frames", "pose")
    first, second = LinkContext(), LinkContext()
    receiver: Receiver[Frame] = Receiver(first, address, LINK_TOPICS["frames"], reason="pose/unasked")
    sender: Sender[Frame] = Sender(second, address, LINK_TOPICS["frames"], reason="capture/superseded", camera="a")
    sender.put(frame(0))
    pump(sender, receiver, lambda: receiver.next_message() is not None)
    first.close()
    third = LinkContext()
    receiver = Receiver(third, address, LINK_TOPICS["frames"], reason="pose/unasked")
    made = iter(range(1, 10**6))

    def arrived() -> bool:
        sender.put(frame(next(made)))
        return receiver.next_message() is not None

    pump(sender, receiver, arrived)
    second.close()
    third.close()


def test_new_subscriber_gets_the_last_published_facts(context: LinkContext, tmp_path: Path) -> None:
    publisher = Publisher(context, address_in(tmp_path))
    facts = CameraFacts(camera="a", epoch=1, state="live", source="x", size=(1, 1), fps=30.0, captured=5)
    publisher.publish("camera/a", facts)
    subscriber = Subscriber(context, address_in(tmp_path), ["camera/"])
    item = None
    while item is None:
        publisher.pump()
        item = subscriber.receive(0.05)
    assert item == ("camera/a", facts)


def test_receive_newest_returns_the_last_message_of_each_topic_and_no_old_bodies(context: LinkContext, tmp_path: Path) -> None:
    publisher = Publisher(context, address_in(tmp_path))
    subscriber = Subscriber(context, address_in(tmp_path), ["bodies/", "camera/"])
    facts = CameraFacts(camera="a", epoch=1, state="live", source="x", size=(1, 1), fps=30.0, captured=5)
    while subscriber.receive(0.05) is None:
        publisher.publish("camera/a", facts)
    now = time.monotonic()
    for index in range(3):
        publisher.publish("bodies/a", bodies(index, now))
        publisher.publish("bodies/old", bodies(index, now - 2))
    publisher.publish("camera/a", msgspec.structs.replace(facts, captured=6))
    found: dict[str, Any] = {}
    while "camera/a" not in found or found["camera/a"].captured < 6:
        found.update(subscriber.receive_newest(0.5))
    assert found["bodies/a"].frame_id == 2
    assert "bodies/old" not in found


def test_subscriber_that_never_reads_does_not_block_the_publisher(context: LinkContext, tmp_path: Path) -> None:
    publisher = Publisher(context, address_in(tmp_path))
    silent = Subscriber(context, address_in(tmp_path))
    reader = Subscriber(context, address_in(tmp_path), ["bodies/"])
    while reader.receive(0.02) is None:
        publisher.publish("bodies/a", bodies(0))
    for index in range(5000):
        publisher.publish("bodies/a", bodies(index))
    last = None
    while (item := reader.receive(0.3)) is not None:
        last = item
    assert last is not None
    assert silent.receive(0.1) is not None


def test_invalid_control_request_is_answered_with_an_error(context: LinkContext, tmp_path: Path) -> None:
    import threading

    def answer(fields: dict[str, Any]) -> dict[str, Any]:
        if "ask" not in fields:
            raise RemiError("Control: unknown request")
        return {"it": "works"}

    server = ControlServer(context, address_in(tmp_path), answer)
    stop = threading.Event()

    def serve() -> None:
        while not stop.wait(0.01):
            server.pump()

    thread = threading.Thread(target=serve)
    thread.start()
    assert send_control_request(address_in(tmp_path), {"ask": "status"}) == {"it": "works"}
    with pytest.raises(RemiError, match="unknown request"):
        send_control_request(address_in(tmp_path), {})
    stop.set()
    thread.join()


NOT_A_REPLY = {
    "not MessagePack": [b"\xc1"],
    "nothing": [b""],
    "no map": [msgspec.msgpack.encode(7)],
    "a map of numbers": [msgspec.msgpack.encode({1: 2})],
    "a text that is no text": [b"\x81\xa1a\xa1\xff"],
    "deeply nested": [b"\x81\xa1a" + b"\x91" * 3000 + b"\xc0"],
    "two parts": [b"\x80", b"\x80"],
}


@pytest.mark.parametrize("reply", [*NOT_A_REPLY, "an error that steers the terminal"])
def test_reply_of_another_program_is_one_line(reply: str, context: LinkContext, tmp_path: Path) -> None:
    import threading

    parts = NOT_A_REPLY.get(reply, [msgspec.msgpack.encode({"error": "\x1b[2J\nout"})])
    socket = context.create_socket(zmq.REP, 10_000)
    bind(socket, address_in(tmp_path).control)
    thread = threading.Thread(target=lambda: (socket.poll(5000), socket.recv(), socket.send_multipart(parts)))
    thread.start()
    with pytest.raises(RemiError) as raised:
        send_control_request(address_in(tmp_path), {"ask": "status"})
    thread.join()
    assert str(raised.value).isprintable()
    assert ("does not answer as a remi-stream does" in str(raised.value)) == (reply in NOT_A_REPLY)


def test_missing_daemon_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RemiError, match=f"No remi-stream answers on ipc://{tmp_path}/control"):
        send_control_request(address_in(tmp_path), {"ask": "status"}, timeout_s=0.2)


def test_context_with_unsent_messages_closes_at_once(tmp_path: Path) -> None:
    context = LinkContext()
    sender: Sender[DetectionInterval] = Sender(
        context, link_address(tmp_path, "searches", "detect"), LINK_TOPICS["searches"], reason="x"
    )
    sender.put(DetectionInterval(camera="a", interval_s=0.1))
    start = time.monotonic()
    context.close()
    assert time.monotonic() - start < 2


def test_next_camera_is_asked_ahead_only_while_nothing_else_has_arrived_or_is_on_its_way(
    context: LinkContext, tmp_path: Path
) -> None:
    address = link_address(tmp_path, "frames", "pose")
    receiver: Receiver[Frame] = Receiver(context, address, LINK_TOPICS["frames"], reason="pose/unasked", one_at_a_time=True)
    senders: list[Sender[Frame]] = [
        Sender(context, address, LINK_TOPICS["frames"], reason="capture/superseded", camera=name) for name in "ab"
    ]

    def exchange(until: Callable[[], Any], grant: bool) -> None:
        end = time.monotonic() + 5
        while not until():
            assert time.monotonic() < end
            receiver.pump(time.monotonic())
            for sender in senders:
                sender.pump(time.monotonic())
            if grant:
                receiver.grant_credits(time.monotonic())

    for sender in senders:
        sender.put(frame(0))
    exchange(lambda: len(receiver.inbox.cameras) == 2, grant=False)
    assert receiver.may_read_ahead
    exchange(lambda: receiver.inbox.has_outstanding, grant=True)
    assert not receiver.may_read_ahead, "one is on its way"
    exchange(lambda: not receiver.inbox.has_outstanding, grant=False)
    assert not receiver.may_read_ahead, "one has arrived"
    assert receiver.next_message() is not None
    assert receiver.may_read_ahead
