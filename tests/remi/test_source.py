"""Bodies of REMI's clients, over real sockets: honest ones, broken ones, malicious ones."""

from __future__ import annotations

import logging
import os
import pickle
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from remi_stream.config import CameraConfig, check_source
from remi_stream.errors import RemiError, UsageError
from remi_stream.messages import Bodies, CameraFacts
from remi_stream.remi import server as remi_clients
from remi_stream.remi import source as remi
from remi_stream.remi.source import RemiSourceStage
from remi_stream.remi.wire import empty_packet, encode_packet, make_packet, unknown_pose_packet
from remi_stream.sources import find_source
from tests.remi.wire_packets import framed, write

WAIT_S = 5.0


class Source:
    """A running stage, and what it has returned so far."""

    def __init__(self, **camera: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = server.getsockname()[1]
        self.stage = RemiSourceStage(CameraConfig(**{"name": "remi", "source": f"remi:127.0.0.1:{self.port}", **camera}))
        self.stage.open()
        self.bodies: list[Bodies] = []
        self.facts: list[CameraFacts] = []
        self.ended = False

    def turn(self) -> None:
        began = time.monotonic()
        messages = self.stage.step()
        assert time.monotonic() - began < 2
        self.ended = messages is None
        for message in messages or ():
            (self.bodies if isinstance(message, Bodies) else self.facts).append(message)  # type: ignore[arg-type]

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < end, (self.stage.counts, len(self.bodies))
            self.turn()

    def client(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), WAIT_S)

    def more(self, count: int = 1) -> list[Bodies]:
        start = len(self.bodies)
        self.until(lambda: len(self.bodies) >= start + count)
        return self.bodies[start:]

    def closed(self, client: socket.socket) -> bool:
        """Wait until the stage has closed this connection."""
        client.settimeout(WAIT_S)
        try:
            return not client.recv(1)
        except ConnectionResetError:
            return True


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    monkeypatch.setattr(remi, "STATUS_INTERVAL_S", 0.05)
    made = Source()
    yield made
    made.stage.close()


def test_packet_becomes_a_person_in_the_cameras_axes(source: Source) -> None:
    root, pose, betas = np.array([3.0, 0.1, 0.2]), np.linspace(-0.3, 0.3, 69), np.linspace(-1, 1, 10)
    with source.client() as client:
        client.sendall(encode_packet(make_packet(root, pose, betas, np.array([0.25, -0.1]))))
        (bodies,) = source.more()
    (person,) = bodies.people
    assert (bodies.engine, bodies.size, person.skeleton) == ("remi", (1280, 720), "smpl24")
    assert person.smpl is not None
    assert person.smpl.body == "smpl"
    away = Rotation.from_rotvec(person.smpl.global_orient) * Rotation.from_rotvec(root).inv()
    assert away.magnitude() < 1e-6
    np.testing.assert_allclose(person.smpl.body_pose, pose, atol=1e-6)
    np.testing.assert_allclose(person.smpl.betas, betas, atol=1e-6)
    np.testing.assert_allclose(person.smpl.transl, [0.25, -0.1, 4], atol=1e-6)
    fx, fy, cx, cy = bodies.intrinsics
    joints = person.joints_m
    np.testing.assert_allclose(joints[0], [0.25, -0.3, 4], atol=0.15)
    np.testing.assert_allclose(person.keypoints_px, joints[:, :2] / joints[:, 2:] * (fx, fy) + (cx, cy), rtol=1e-4)


def test_person_is_upright_in_the_image(source: Source) -> None:
    with source.client() as client:
        client.sendall(write(root=(0, 0, 0.01)))
        (bodies,) = source.more()
    joints = bodies.people[0].keypoints_px
    pelvis, feet, head = joints[0], joints[[10, 11]].mean(0), joints[15]
    assert 0 < head[1] < pelvis[1] < feet[1] < 720


def test_no_person_and_an_unknown_pose_are_frames_without_people(source: Source) -> None:
    with source.client() as client:
        client.sendall(encode_packet(empty_packet()) + encode_packet(unknown_pose_packet()))
        assert [bodies.people for bodies in source.more(2)] == [[], []]


def test_packets_are_numbered_and_counted_in_the_facts(source: Source) -> None:
    before = time.monotonic()
    with source.client() as client:
        client.sendall(b"".join(write(seed=seed) for seed in range(5)))
        bodies = source.more(5)
        source.until(lambda: source.facts[-1].captured == 5)
    assert [each.frame_id for each in bodies] == [0, 1, 2, 3, 4]
    assert {each.epoch for each in bodies} == {source.facts[-1].epoch}
    times = [before, *(each.captured_at for each in bodies), time.monotonic()]
    assert times == sorted(times)
    assert not any(each.skipped for each in bodies)


def test_state_is_reconnecting_until_a_client_sends_and_when_they_leave(source: Source) -> None:
    source.until(lambda: bool(source.facts))
    assert source.facts[-1].state == "reconnecting"
    with source.client() as client:
        client.sendall(write())
        source.until(lambda: source.facts[-1].state == "live")
    source.until(lambda: source.facts[-1].state == "reconnecting")
    with source.client() as client:
        client.sendall(write())
        source.until(lambda: source.facts[-1].state == "live")


def test_silent_client_is_reconnecting(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remi, "SILENCE_TIMEOUT_S", 0.1)
    with source.client() as client:
        client.sendall(write())
        source.more()
        source.until(lambda: source.facts[-1].state == "reconnecting")
        client.sendall(write())
        source.more()


def test_newest_client_wins_once_it_sends(source: Source) -> None:
    with source.client() as first, source.client() as second:
        first.sendall(write())
        source.more()
        first.sendall(write())
        source.more()
        second.sendall(write())
        source.more()
        assert source.closed(first)
        second.sendall(write())
        source.more()
    assert source.stage.counts["clients"] == 2
    assert len({person.track_id for bodies in source.bodies for person in bodies.people}) == 2


def test_older_client_that_sends_late_is_disconnected(source: Source) -> None:
    with source.client() as first, source.client() as second:
        second.sendall(write())
        source.more()
        first.sendall(write())
        assert source.closed(first)
        second.sendall(write())
        source.more()
    assert len(source.bodies) == 2


def test_idle_connections_do_not_block_a_client(source: Source) -> None:
    with source.client() as client:
        client.sendall(write())
        source.more()
        idle = [source.client() for _ in range(2 * remi_clients.MAX_CONNECTIONS)]
        assert all(source.closed(each) for each in idle[: remi_clients.MAX_CONNECTIONS])
        client.sendall(write())
        source.more()
        for each in idle:
            each.close()


def test_person_after_a_pause_gets_a_new_track_id(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    with source.client() as client:
        client.sendall(write() + encode_packet(empty_packet()) + write())
        (before, _, after) = source.more(3)
        assert before.people[0].track_id == after.people[0].track_id
        monkeypatch.setattr(remi, "NEW_PERSON_AFTER_S", 0.0)
        client.sendall(encode_packet(empty_packet()) + write())
        assert source.more(2)[1].people[0].track_id != after.people[0].track_id


class Shell:
    def __init__(self, command: str) -> None:
        self._command = command

    def __reduce__(self) -> Any:
        return os.system, (self._command,)


def bad_streams(marker: Path) -> dict[str, bytes]:
    good = write()
    return {
        "a shell command": framed(pickle.dumps(Shell(f"touch {marker}"))),
        "another protocol": b"GET / HTTP/1.1\r\n\r\n",
        "a wrong checksum": framed(good[12:], checksum=1),
        "a huge length": framed(b"", length=2**32 - 1),
        "no pickle": framed(b"no pickle"),
        "a name that is a log line": framed(b"\x80\x04c\x1b[2Jos\n12:00:00 forged\n."),
        "a huge number": write(trans=(1e30, 0, 0)),
    }


@pytest.mark.parametrize("bad", bad_streams(Path("x")))
def test_invalid_packet_is_refused_once_and_the_next_client_is_served(
    bad: str, source: Source, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    marker = tmp_path / "ran"
    caplog.set_level(logging.WARNING, "remi_stream")
    logging.getLogger("remi_stream").propagate = True
    with source.client() as client:
        client.sendall(write() + bad_streams(marker)[bad])
        source.more()
        assert source.closed(client)
    source.until(lambda: source.stage.counts["refused"] == 1)
    with source.client() as client:
        client.sendall(write())
        source.more()
    assert not marker.exists()
    assert len(source.bodies) == 2
    # a set: another test's daemon may have left a second handler at the root logger, which gets each record again
    (message,) = {record.getMessage() for record in caplog.records if "connection is closed" in record.getMessage()}
    assert message.isprintable()
    for content in (str(marker), "forged", "touch"):
        assert content not in message


@pytest.mark.parametrize("kept", [3, 12, 100])
def test_client_that_is_killed_in_a_packet_costs_that_packet_alone(kept: int, source: Source) -> None:
    with source.client() as client:
        client.sendall(write() + write()[:kept])
        source.more()
    source.until(lambda: source.stage.counts["refused"] == 1)
    with source.client() as client:
        client.sendall(write())
        assert source.more()[0].frame_id == 1


def test_slow_packet_is_read_and_blocks_no_client(source: Source) -> None:
    packet = write(seed=3)
    with source.client() as slow:
        for index in range(0, len(packet), 20):
            assert not source.bodies
            slow.sendall(packet[index : index + 20])
            source.turn()
        source.until(lambda: len(source.bodies) == 1)
        slow.sendall(packet[:50])
        with source.client() as client:
            client.sendall(write())
            source.more()


def test_source_ends_after_the_configured_number_of_frames() -> None:
    source = Source(frames=3, size=(640, 480), focal_px=700.0)
    with source.client() as client:
        client.sendall(b"".join(write(seed=seed) for seed in range(5)))
        source.until(lambda: source.ended)
    assert [bodies.frame_id for bodies in source.bodies] == [0, 1, 2]
    assert source.facts[-1].state == "ended"
    assert (source.bodies[0].size, source.bodies[0].intrinsics) == ((640, 480), (700.0, 700.0, 320.0, 240.0))
    source.stage.close()


@pytest.mark.parametrize(
    ("camera", "words"),
    [
        ({"source": "remi:"}, "HOST:PORT"),
        ({"source": "remi:localhost"}, "HOST:PORT"),
        ({"mirror": True}, "`mirror` does not apply"),
        ({"masks": (((0, 0), (1, 0), (1, 1)),)}, "`masks` does not apply"),
        ({"engine": "poco"}, "`engine` does not apply"),
    ],
)
def test_camera_setting_that_does_not_apply_is_refused(camera: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check_source(CameraConfig(**{"name": "remi", "source": "remi:127.0.0.1:9999", **camera}))


def test_port_in_use_is_an_error(source: Source) -> None:
    again = RemiSourceStage(source.stage.camera)
    with pytest.raises(RemiError, match=f"127.0.0.1:{source.port}: the port is in use"):
        again.open()


@pytest.mark.parametrize(("host", "warns"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True)])
def test_listening_for_other_machines_logs_a_warning(host: str, warns: bool, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("remi_stream").propagate = True
    source = Source()
    source.stage.close()
    stage = RemiSourceStage(CameraConfig(name="remi", source=f"remi:{host}:{source.port}"))
    stage.open()
    stage.close()
    assert ("other machines" in caplog.text) == warns


def test_source_is_found_by_its_scheme() -> None:
    assert find_source("remi:127.0.0.1:9999").name == "remi"
