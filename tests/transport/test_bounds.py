"""Messages that nobody of ours sends: real sockets, invalid messages, valid ones behind them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from remi_stream.cli.foreground import StatusLine
from remi_stream.config import CameraConfig, Config
from remi_stream.errors import RemiError
from remi_stream.messages import Bodies, CameraFacts, DetectionInterval, Health, MessageCodec
from remi_stream.relay.stage import RelayStage
from remi_stream.topics import LINK_TOPICS
from remi_stream.transport.address import DaemonAddress, address_in, daemon_address
from remi_stream.transport.link import LinkContext, Publisher, Receiver, Sender, Subscriber, link_address
from tests.sample import bodies, facts, person

CODEC = MessageCodec(Bodies)
DEEP = b"\x81\xa6people" + b"\x91" * 3000


def changed(**values: Any) -> list[bytes]:
    """Bodies with other values, unchecked."""
    plain = msgspec.msgpack.decode(CODEC.encode(bodies(1))[0])
    return [msgspec.msgpack.encode({**plain, **values})]


def array(dtype: Any, shape: Any, data: Any) -> list[bytes]:
    one = msgspec.msgpack.decode(CODEC.encode(bodies(1))[0])["people"][0]
    return changed(people=[{**one, "joints_m": [dtype, shape, data]}])


FORGED: dict[str, list[bytes]] = {
    "no stamp of the relay": [b"bodies/front", *changed(stamps={})],
    "a stamp that is no time": [b"bodies/front", *changed(stamps={"relay": math.nan})],
    "no time of capture": [b"bodies/front", *changed(captured_at=math.inf)],
    "another camera than its topic": [b"bodies/front", *changed(camera="side")],
    "an unknown camera": [b"bodies/other", *changed(camera="other")],
    "an unknown topic": [b"secrets/front", *changed()],
    "a topic that is no text": [b"bodies/\xff", *changed()],
    "nothing behind the topic": [b"bodies/front"],
    "no message": [b""],
    "no MessagePack": [b"bodies/front", b"\xc1"],
    "deep nesting": [b"bodies/front", DEEP],
    "an array of objects": [b"bodies/front", *array("|O", [1, 3], bytes(24))],
    "an array of records": [b"bodies/front", *array("f4,O", [1, 3], bytes(24))],
    "a dtype that is a list": [b"bodies/front", *array([["a", "O"]], [1, 3], bytes(24))],
    "an array of 2^100 rows": [b"bodies/front", *array("<f4", [1 << 60, 3], bytes(24))],
    "an array in a part that is missing": [b"bodies/front", *array("<f4", [1, 3], 7)],
    "five thousand parts": [b"bodies/front", *changed(), *[b"x"] * 5000],
}


@pytest.fixture
def context() -> Iterator[LinkContext]:
    context = LinkContext()
    yield context
    context.close()


def publisher(context: LinkContext, daemon: DaemonAddress) -> zmq.Socket[bytes]:
    socket = context.create_socket(zmq.XPUB, -1)
    socket.bind(daemon.bus)
    return socket


@pytest.mark.parametrize("name", FORGED)
def test_subscriber_drops_a_forged_message_and_reads_the_next(name: str, context: LinkContext, tmp_path: Path) -> None:
    bus = publisher(context, address_in(tmp_path))
    subscriber = Subscriber(context, address_in(tmp_path), cameras=["front", "side"])
    assert bus.poll(5000)
    bus.send_multipart(FORGED[name])
    bus.send_multipart([b"bodies/front", *CODEC.encode(bodies(2))])
    item = subscriber.receive(5.0)
    assert item is not None
    assert item[1].frame_id == 2
    assert subscriber.invalid.count == 1


def test_supervisor_trusts_no_message(
    context: LinkContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    config = Config(name="forged", cameras=(CameraConfig(name="front", source="synthetic:"),), metrics=False)
    (Path(daemon_address("forged").bus.removeprefix("ipc://")).parent).mkdir(mode=0o700)
    bus = publisher(context, daemon_address("forged"))
    with StatusLine(config, "text", live=False) as line:
        assert bus.poll(5000)
        for message in FORGED.values():
            bus.send_multipart(message)
        bus.send_multipart([b"bodies/front", *CODEC.encode(bodies(2))])
        end = time.monotonic() + 5
        while "bodies on" not in capsys.readouterr().err:
            assert time.monotonic() < end
            line.tick([])


def test_stage_drops_what_is_no_message_of_its_link(context: LinkContext, tmp_path: Path) -> None:
    topic, address = LINK_TOPICS["searches"], link_address(tmp_path, "searches", "detect")
    receiver: Receiver[DetectionInterval] = Receiver(context, address, topic, reason="x", cameras=["front"])
    hostile = context.create_socket(zmq.DEALER, -1)
    hostile.connect(address)
    unknown = msgspec.msgpack.encode(DetectionInterval(camera="other", interval_s=1.0))
    garbage: list[list[bytes]] = [
        [b""],
        [b"x"],
        [b"h"],
        [b"h", DEEP],
        [b"m"],
        [b"m", b"1"],
        [b"m", b"1", b"\xc1"],
        [b"m", b"1", unknown],
    ]
    garbage += [[b"m", b"1", *[b"z"] * 3000], [b"h", msgspec.msgpack.encode(("other", 0, True))]]
    for message in garbage:
        hostile.send_multipart(message)
    sender: Sender[DetectionInterval] = Sender(context, address, topic, reason="x", camera="front")
    sender.put(DetectionInterval(camera="front", interval_s=0.5))
    received = wait_for(lambda: turn(sender, receiver))
    assert received.interval_s == 0.5
    assert receiver.invalid.count == len(garbage)


def turn(sender: Sender[Any], receiver: Receiver[Any]) -> Any:
    now = time.monotonic()
    sender.pump(now)
    receiver.pump(now)
    receiver.grant_credits(now)
    return receiver.next_message()


def wait_for(done: Callable[[], Any], timeout_s: float = 5.0) -> Any:
    end = time.monotonic() + timeout_s
    while not (found := done()):
        assert time.monotonic() < end
    return found


def test_many_subscriptions_are_read_in_turns_and_kept_only_where_they_matter(context: LinkContext, tmp_path: Path) -> None:
    bus = Publisher(context, address_in(tmp_path), ["preview/front"])
    bus.publish("camera/front", facts())
    flood = context.create_socket(zmq.XSUB, -1)
    flood.setsockopt(zmq.SNDHWM, 0)
    flood.connect(address_in(tmp_path).bus)
    for number in range(30_000):
        flood.send(b"\x01preview/%d" % number)
        flood.send(b"\x01camera/")
    longest, end = 0.0, time.monotonic() + 10
    flood.send(b"\x01preview/f")
    while not bus.has_subscriber("preview/front"):
        began = time.monotonic()
        bus.pump()
        longest = max(longest, time.monotonic() - began)
        assert began < end
    assert longest < 0.25
    assert bus._subscriptions == {b"preview/f"}
    flood.send(b"\x00preview/f")
    wait_for(lambda: bus.pump() or not bus.has_subscriber("preview/front"))


RELAY = RelayStage(Config(cameras=(CameraConfig(name="front", source="synthetic:"),)))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=9) | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("name", "options", "camera", "on", "seek_s", "speed", "paused")
ASKS = ("status", "filter", "filter_metrics", "record", "play")


@settings(max_examples=400)
@given(
    ask=st.sampled_from(ASKS) | VALUES,
    more=st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(("one_euro", "front")) | VALUES),
)
def test_any_request_has_an_answer_or_one_line(ask: Any, more: dict[str, Any]) -> None:
    try:
        msgspec.msgpack.encode(RELAY.answer_control({"ask": ask, **more}))
    except RemiError as error:
        lines = str(error).splitlines()
    else:
        lines = [""]
    assert len(lines) == 1


@settings(max_examples=400)
@given(st.lists(st.binary(max_size=60) | VALUES.map(msgspec.msgpack.encode), max_size=3), st.data())
def test_anything_decodes_or_is_a_msgspec_error(parts: list[bytes], data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from((Bodies, CameraFacts, Health)))
    message = bytearray(MessageCodec(Bodies).encode(bodies(1, people=[person()]))[0])
    for _ in range(data.draw(st.integers(0, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    for given_parts in (parts, [bytes(message)]):
        try:
            assert isinstance(MessageCodec(kind).decode(given_parts), kind)
        except msgspec.MsgspecError:
            continue


def test_array_that_is_too_large_for_one_part_still_comes_back() -> None:
    sent = bodies(1, people=[person(joints=9000)])
    found = CODEC.decode([bytes(part) for part in CODEC.encode(sent)])
    assert np.array_equal(found.people[0].joints_m, sent.people[0].joints_m)
