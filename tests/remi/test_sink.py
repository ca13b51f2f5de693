"""Packets sent to a REMI relay over real sockets; it may be unavailable, come back, and not read."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from remi_stream.config import CameraConfig, Config
from remi_stream.errors import UsageError
from remi_stream.geometry import default_intrinsics
from remi_stream.messages import Bodies, Smpl
from remi_stream.pose.crop import transl_from_weak_camera
from remi_stream.remi import sink as remi_feed
from remi_stream.remi.sink import RemiSink, remi_packet, square_camera_shift
from remi_stream.remi.wire import encode_packet, parse_address
from tests.remi import wire_packets
from tests.sample import bodies, person

WAIT_S = 5.0


def smpl(seed: int = 0, body: str = "smpl") -> Smpl:
    """A person in a random pose, four metres away."""
    dice = np.random.default_rng(seed)
    return Smpl(
        body=body,  # type: ignore[arg-type]
        global_orient=dice.normal(0, 1, 3).astype(np.float32),
        body_pose=dice.normal(0, 0.3, 69).astype(np.float32),
        betas=dice.normal(0, 1, 10).astype(np.float32),
        transl=np.array([0.3, -0.2, 4], np.float32),
        joint_confidence=np.ones(24, np.float32),
    )


def frame(seed: int = 0, **more: Any) -> Bodies:
    return bodies(frame_id=seed, **{"people": [person(smpl=smpl(seed))], **more})


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remi_feed, "FIRST_BACKOFF_S", 0.02)
    monkeypatch.setattr(remi_feed, "MAX_BACKOFF_S", 0.1)
    monkeypatch.setattr(remi_feed, "STALLED_S", 0.2)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def listener(port: int = 0, receive_buffer: int = 0) -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if receive_buffer:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    server.bind(("127.0.0.1", port))
    server.listen(1)
    server.settimeout(WAIT_S)
    return server


@contextlib.contextmanager
def feeding(port: int, *cameras: str) -> Iterator[RemiSink]:
    named = tuple(CameraConfig(name=name, source="synthetic:") for name in cameras or ("front",))
    sink = RemiSink(Config(cameras=named, remi_relay=f"127.0.0.1:{port}"))
    sink.open()
    try:
        yield sink
    finally:
        sink.close()


def accept(server: socket.socket) -> socket.socket:
    connection = server.accept()[0]
    connection.settimeout(WAIT_S)
    return connection


def wait(sink: RemiSink, condition: Callable[[], bool], act: Callable[[], object] = lambda: None) -> None:
    """Run the sink until a condition holds."""
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, (dict(sink.counts), sink.facts)
        act()
        sink.tick(time.monotonic())
        time.sleep(0.005)


def connected(sink: RemiSink) -> Callable[[], bool]:
    return lambda: sink.facts["relay"].startswith("connected to 127.0.0.1:")


def test_person_arrives_as_remi_sends_people() -> None:
    with listener() as server, feeding(server.getsockname()[1]) as sink, accept(server) as relay:
        wait(sink, connected(sink))
        seen = frame()
        sink.step(seen)
        got = wire_packets.read(relay)
    given = seen.people[0].smpl
    turned = np.diag([1, -1, -1]) @ Rotation.from_rotvec(given.global_orient).as_matrix()
    np.testing.assert_allclose(Rotation.from_rotvec(got["poses_root"][0]).as_matrix(), turned, atol=1e-6)
    assert (got["poses_body"][0] == given.body_pose).all()
    assert (got["betas"][0] == given.betas).all()
    across, down = 4 / 734 * (np.array([320, 180]) - [15.5, 21])  # from the box's middle to the image's, at 4 m
    np.testing.assert_allclose(got["trans"][0], [0.3 + across, -0.2 + down + 0.8, 0], atol=1e-5)


def test_no_person_is_zeros_and_one_without_a_pose_stands_on_the_floor() -> None:
    zeros = {name: np.zeros((1, size)) for name, size in wire_packets.SIZES.items()}
    with listener() as server, feeding(server.getsockname()[1]) as sink, accept(server) as relay:
        wait(sink, connected(sink))
        for people, trans in (([], [0, 0, 0]), ([person(smpl=None), person(smpl=smpl())], [0, 0.8, 0])):
            sink.step(bodies(people=people))
            got = wire_packets.read(relay)
            assert got is not None
            np.testing.assert_allclose(got.pop("trans"), [trans], rtol=1e-6)
            assert all((array == zeros[name]).all() for name, array in got.items())


def test_first_person_of_the_first_camera_is_sent() -> None:
    with listener() as server, feeding(server.getsockname()[1], "front", "front2") as sink, accept(server) as relay:
        wait(sink, connected(sink))
        assert sink.topics == ["bodies/front"]
        sink.step(frame(people=[person(smpl=smpl(1)), person(2, smpl=smpl(2))]))
        sink.step(frame(7, camera="front2"))
        got = wire_packets.read(relay)
        wait(sink, lambda: sink.counts["sent"] > 0)
        assert (sink.counts["sent"], sink.counts["dropped"]) == (1, 0)
    assert got is not None
    assert (got["poses_body"][0] == smpl(1).body_pose).all()


def test_shape_of_another_body_is_not_sent() -> None:
    packet = remi_packet(frame(people=[person(smpl=smpl(3, "open"))]))
    assert not packet.betas.any()
    assert packet.poses_body.any()


@pytest.mark.parametrize("seed", range(5))
def test_shift_is_that_of_a_regressor_with_that_square_crop(seed: int) -> None:
    dice = np.random.default_rng(seed)
    camera, middle, side = np.array([0.9, *dice.normal(0, 0.2, 2)]), dice.uniform(100, 900, 2), dice.uniform(100, 600)
    fx, _, cx, cy = default_intrinsics(1280, 720)
    intrinsics = (fx, fx * 1.1, cx, cy)
    box = np.concatenate([middle - side / 3, middle + side / 3]).astype(np.float32)
    transl = transl_from_weak_camera(camera, middle, side, intrinsics).astype(np.float32)
    np.testing.assert_allclose(square_camera_shift(transl, box, intrinsics), camera[1:], atol=1e-4)


def test_relay_comes_goes_and_comes_back() -> None:
    port = free_port()
    with feeding(port) as sink:
        assert sink.facts["relay"] == f"connecting to 127.0.0.1:{port}"
        for seed in range(3):
            sink.step(frame(seed))
        for round_ in range(3):
            with listener(port) as server, accept(server) as relay:
                wait(sink, connected(sink))
                sink.step(frame(100 + round_))
                got = wire_packets.read(relay)
                assert got is not None
                assert (got["poses_body"][0] == smpl(100 + round_).body_pose).all()
            wait(sink, lambda: sink.facts["relay"].startswith("connecting"))
        sink.tick(0.0)
        assert (sink.counts["sent"], sink.counts["dropped"]) == (3, 3)


def test_bodies_from_before_the_connection_are_not_sent() -> None:
    port = free_port()
    with feeding(port) as sink:
        sink.step(frame(1))
        with listener(port) as server, accept(server) as relay:
            wait(sink, connected(sink))
            relay.settimeout(0.2)
            with pytest.raises(TimeoutError):
                relay.recv(1)


def test_relay_that_does_not_read_costs_no_time_and_later_gets_whole_packets_that_are_new() -> None:
    with listener(receive_buffer=4096) as server, feeding(server.getsockname()[1]) as sink, accept(server) as relay:
        wait(sink, connected(sink))
        count = 0

        def offer() -> None:
            nonlocal count
            count += 1
            began = time.monotonic()
            sink.step(frame(count))
            assert time.monotonic() - began < 0.5

        wait(sink, lambda: "does not read" in sink.facts["relay"], offer)
        for _ in range(50):
            offer()
        sink.tick(time.monotonic())
        assert sink.counts["sent"] <= 40
        assert count - 2 <= sink.counts["sent"] + sink.counts["dropped"] <= count
        newest = smpl(count).body_pose
        read = 0
        while (got := wire_packets.read(relay)) is not None and (got["poses_body"][0] != newest).any():
            read += 1
        assert got is not None
        assert read <= sink.counts["sent"] + 1
        wait(sink, connected(sink))


def test_close_does_not_wait_for_a_relay_that_does_not_read() -> None:
    with listener(receive_buffer=4096) as server, feeding(server.getsockname()[1]) as sink, accept(server):
        wait(sink, lambda: "does not read" in sink.facts["relay"], lambda: sink.step(frame()))
        began = time.monotonic()
        sink.close()
        assert time.monotonic() - began < 2
        sink._client._thread.join(WAIT_S)
        assert not sink._client._thread.is_alive()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_error_of_the_sending_thread_is_raised() -> None:
    with listener() as server, feeding(server.getsockname()[1]) as sink, accept(server):
        wait(sink, connected(sink))
        sink.step(frame(people=[None]))
        with pytest.raises(RuntimeError, match="sends to the relay"):
            wait(sink, lambda: False)


@pytest.mark.parametrize("text", ["", "host", "host:", ":9999", "host:0", "host:65536", "host:x", "host:\u0663"])
def test_address_without_a_host_or_a_port_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        parse_address(text)


def test_ipv6_addresses_may_be_in_brackets() -> None:
    assert parse_address("[::1]:9999") == parse_address("::1:9999") == ("::1", 9999)


def test_packet_is_the_same_bytes_each_time() -> None:
    assert encode_packet(remi_packet(frame(4))) == encode_packet(remi_packet(frame(4)))
