"""`tail` against a real bus."""

from __future__ import annotations

import json
import re
import secrets
import signal
import time
from collections.abc import Iterator
from subprocess import Popen
from typing import Any

import msgspec
import numpy as np
import pytest

from remi_stream.cli.status import format_json, format_line, pelvis_m
from remi_stream.messages import Bodies
from remi_stream.paths import run_folder
from remi_stream.transport.address import daemon_address
from remi_stream.transport.link import LinkContext, Publisher
from tests.cli.command import finish, start, turn_until
from tests.sample import bodies, person


class Bus:
    """A daemon that only publishes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.context = LinkContext()
        self.publisher = Publisher(self.context, daemon_address(name))
        self.sent: list[Bodies] = []

    def wait_for_listener(self) -> None:
        """Wait for a subscriber."""
        assert self.publisher.socket.poll(15_000)
        self.publisher.pump()

    def send(self) -> None:
        """Publish the next frame's bodies."""
        self.sent.append(bodies(len(self.sent), captured_at=time.monotonic() - 0.5))
        self.publisher.publish("bodies/front", self.sent[-1])

    def tail(self, *arguments: str) -> Popen[str]:
        """Start `tail` and wait until it is subscribed."""
        process = start("tail", "--name", self.name, *arguments)
        self.wait_for_listener()
        return process


def test_texts_of_a_daemon_steer_no_terminal() -> None:
    message = bodies(1, camera="\x1b[2J\x9b\U000e0001")
    assert json.loads(format_json(message))["camera"] == message.camera
    assert format_json(message).isprintable()


@pytest.fixture
def bus() -> Iterator[Bus]:
    with run_folder(f"t{secrets.token_hex(4)}") as folder:
        bus = Bus(folder.name)
        yield bus
        bus.context.close()


def plain(value: Any) -> Any:
    """Convert a message to plain values, as in JSON."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, msgspec.Struct):
        return plain(msgspec.structs.asdict(value))
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def test_json_line_is_the_whole_message(bus: Bus) -> None:
    code, out, err = finish(bus.tail("--json", "-n", "2"), bus.send)
    lines = [json.loads(each) for each in out.splitlines()]
    assert (code, err, len(lines)) == (0, "", 2)
    for found in lines:
        assert found == plain(bus.sent[found["frame_id"]])
        assert {"captured_at", "stamps", "schema", "people"} <= set(found)


def test_text_line_shows_camera_frame_people_latency_and_position(bus: Bus) -> None:
    code, out, _ = finish(bus.tail("--count", "1"), bus.send)
    assert code == 0
    found = re.fullmatch(r"front  frame \d+  1 person  ([\d.]+) ms  #1 \(0\.25, -0\.50, 3\.00\) m\n", out)
    assert found
    assert 500 <= float(found[1]) < 3000


def test_line_without_people_and_with_two() -> None:
    assert format_line(bodies(5, captured_at=10.0, people=[]), now=10.02) == "front  frame 5  0 people  20.0 ms"
    two = bodies(5, captured_at=10.0, people=[person(1), person(2)])
    assert format_line(two, now=10.02).startswith("front  frame 5  2 people  20.0 ms  #1 (0.25, -0.50, 3.00) m  #2 (")


@pytest.mark.parametrize(
    ("skeleton", "count", "where"),
    [("smpl24", 24, [0, 1, 2]), ("blazepose33", 33, [70.5, 71.5, 72.5]), ("unheard of", 2, [1.5, 2.5, 3.5])],
)
def test_pelvis_is_where_the_skeleton_has_it(skeleton: str, count: int, where: list[float]) -> None:
    joints = np.arange(count * 3, dtype=np.float32).reshape(count, 3)
    assert pelvis_m(person(skeleton=skeleton, joints=count, joints_m=joints)).tolist() == where


def test_person_without_joints_has_no_position() -> None:
    nowhere = person(joints_m=np.zeros((0, 3), np.float32))
    assert format_line(bodies(people=[nowhere]), now=100.0).endswith("#1 (nan, nan, nan) m")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_it_quietly(bus: Bus, how: int) -> None:
    process = bus.tail("--json")
    bus.send()
    assert process.stdout
    assert json.loads(process.stdout.readline())["frame_id"] == 0
    process.send_signal(how)
    assert finish(process, bus.send) == (0, "", "")


def test_closed_pipe_ends_it_quietly(bus: Bus) -> None:
    process = bus.tail()
    bus.send()
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline().startswith("front  frame 0")
    process.stdout.close()
    turn_until(bus.send, lambda: process.poll() is not None)
    assert (process.returncode, process.stderr.read()) == (0, "")


def test_slow_subscriber_does_not_delay_the_pipeline(bus: Bus) -> None:
    process = bus.tail("--json")
    began = time.monotonic()
    for _ in range(3000):
        bus.send()
    assert time.monotonic() - began < 10
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0


def test_daemon_that_is_not_there_is_one_line_and_exit_code_3() -> None:
    name = f"t{secrets.token_hex(4)}"
    process = start("tail", "--name", name, "--timeout", "0.3")
    assert finish(process, lambda: None) == (
        3,
        "",
        f"remi-stream: No bodies on {daemon_address(name).bus} within 0.3 s. "
        "Start a pipeline (remi-stream demo), give its --name, or wait longer with --timeout\n",
    )


def test_pause_after_the_first_bodies_is_no_failure(bus: Bus) -> None:
    process = bus.tail("--timeout", "0.2", "-n", "2", "--json")
    bus.send()
    assert process.stdout
    first = json.loads(process.stdout.readline())
    with pytest.raises(TimeoutError):
        wait_for_end(process, 0.8)
    code, out, _ = finish(process, bus.send)
    assert (code, first["frame_id"], json.loads(out)["frame_id"] > 0) == (0, 0, True)


def wait_for_end(process: Popen[str], seconds: float) -> None:
    """Wait until the process ends. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while process.poll() is None:
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.02)
