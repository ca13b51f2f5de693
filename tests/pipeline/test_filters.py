"""Filters in running pipelines: changed without a lost frame, kept over a crash, and no business of a listener's."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import zmq

from remi_stream.errors import RemiError
from remi_stream.messages import Bodies
from remi_stream.transport.link import LinkContext, send_control_request
from tests.cli.command import start
from tests.pipeline.daemon import SYNTHETIC, Daemon, check_books, running
from tests.pipeline.test_demo import CAMERA as SAMPLE
from tests.pipeline.test_networks import bring, store

__all__ = ["store"]
CAMERA = {"name": "front", "source": "synthetic:?fps=30"}
NONSENSE: list[dict[str, Any]] = [{"ask": ["x"]}, {"ask": "filter", "options": 3}, {}]
LISTENER = """
import sys, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.setsockopt(zmq.SUBSCRIBE, b"bodies/")
socket.setsockopt(zmq.RCVBUF, 4096)
socket.connect("%s")
socket.poll()
print("hears", flush=True)
while socket.recv_multipart():
    pass
"""


def ask(daemon: Daemon, **question: Any) -> dict[str, Any]:
    return send_control_request(daemon.address, question, 10.0)


def change(daemon: Daemon, name: str, **options: float) -> float:
    """Change the filter; give when it was asked for."""
    asked_at = time.monotonic()
    ask(daemon, ask="filter", name=name, options=options)
    return asked_at


def in_relay_s(bodies: list[Bodies]) -> float:
    """How long they usually were in the relay."""
    return float(np.median([each.stamps["relay"] - each.stamps["relay_in"] for each in bodies]))


def rate(bodies: list[Bodies]) -> float:
    """Bodies a second."""
    return (len(bodies) - 1) / (bodies[-1].stamps["relay"] - bodies[0].stamps["relay"])


def test_filter_is_changed_within_a_second_and_no_frame_is_lost(tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA], **SYNTHETIC) as daemon:
        daemon.more_bodies(20)
        assert daemon.bodies[-1].filter == "one_euro"
        for name, label in (("none", "none"), ("oneeuro-moderate", "OneEuro Moderate"), ("moving-avg", "moving_avg")):
            since = len(daemon.bodies)
            asked_at = change(daemon, name)
            daemon.listen(lambda label=label: daemon.bodies[-1].filter == label)  # type: ignore[misc]
            first = next(each for each in daemon.bodies[since:] if each.filter == label)
            assert first.stamps["relay"] - asked_at < 1.0
            daemon.more_bodies(10)
        for question in NONSENSE:
            with pytest.raises(RemiError, match="Control"):
                ask(daemon, **question)
        daemon.more_bodies(10)
        assert "lost_in_crash" not in check_books(daemon.bodies)
        assert daemon.cameras["front"].filter == "moving_avg"
        assert daemon.stages["relay"].restarts == 0


def test_command_changes_the_filter_of_a_running_pipeline(tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA], **SYNTHETIC) as daemon:
        daemon.more_bodies(5)
        command = start("control", "filter", "single-exp", "--time-s", "0.2", "--name", daemon.name, **daemon.environment)
        daemon.listen(lambda: daemon.bodies[-1].filter == "single_exp", 60)
        assert command.wait(60) == 0
        assert ask(daemon, ask="status")["filters"]["front"]["options"] == {"time_s": 0.2}


def test_killed_relay_keeps_the_filter_that_was_chosen(tmp_path: Path) -> None:
    cameras = [{**CAMERA, "name": name, "source": "synthetic:?fps=15"} for name in ("left", "right")]
    with running(tmp_path, cameras=cameras, **SYNTHETIC) as daemon:
        daemon.more_bodies(10)
        ask(daemon, ask="filter", name="moving_avg", options={"window_s": 0.4}, camera="left")
        before, old = ask(daemon, ask="filter")["filters"], daemon.pid("relay")
        os.kill(old, signal.SIGKILL)
        daemon.listen(lambda: daemon.stages["relay"].state == "ready" and daemon.stages["relay"].pid != old)
        since = len(daemon.bodies)
        daemon.listen(lambda: {each.camera for each in daemon.bodies[since:]} == {"left", "right"})
        assert {each.camera: each.filter for each in daemon.bodies[since:]} == {"left": "moving_avg", "right": "one_euro"}
        after = ask(daemon, ask="filter")["filters"]
        assert [after[camera]["options"] for camera in after] == [before[camera]["options"] for camera in after]


@contextlib.contextmanager
def stopped_listener(daemon: Daemon) -> Iterator[None]:
    """A process that listened to the bus, and was stopped while it did."""
    process = subprocess.Popen([sys.executable, "-c", LISTENER % daemon.address.bus], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "hears\n"
        process.send_signal(signal.SIGSTOP)
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def deaf_listener(daemon: Daemon) -> Iterator[zmq.Socket[bytes]]:
    """One that has subscribed to everything and never reads."""
    context = LinkContext()
    socket = context.create_socket(zmq.SUB, -1)
    socket.setsockopt(zmq.RCVHWM, 1)
    socket.setsockopt(zmq.RCVBUF, 4096)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.connect(daemon.address.bus)
    try:
        assert socket.poll(10_000)
        yield socket
    finally:
        context.close()


def missed(socket: zmq.Socket[bytes], bodies: list[Bodies]) -> int:
    """How many of these bodies a listener did not get that reads only now."""
    missing, newest = {each.frame_id for each in bodies}, -1
    while newest < bodies[-1].frame_id and socket.poll(5000):
        topic, *parts = socket.recv_multipart()
        if topic.startswith(b"bodies/"):
            newest = msgspec.msgpack.decode(parts[0])["frame_id"]
            missing.discard(newest)
    return len(missing)


def test_listener_that_never_reads_and_one_that_is_stopped_change_nothing_for_the_others(tmp_path: Path) -> None:
    with running(tmp_path, cameras=[{**CAMERA, "source": "synthetic:?fps=120"}], **SYNTHETIC) as daemon:
        daemon.more_bodies(20)
        alone = daemon.more_bodies(120)
        with stopped_listener(daemon), deaf_listener(daemon) as deaf:
            beside = daemon.more_bodies(900, 60)
            change(daemon, "moving_avg")
            daemon.listen(lambda: daemon.bodies[-1].filter == "moving_avg", 2.0)
            daemon.more_bodies(20)
            assert missed(deaf, beside) > 0
        assert "pose/overflow" not in check_books(daemon.bodies)
        assert "lost_in_crash" not in check_books(daemon.bodies)
        assert [each.frame_id for each in beside] == sorted({each.frame_id for each in beside})
        assert in_relay_s(beside) < max(0.002, 2 * in_relay_s(alone))
        assert rate(beside) > 0.7 * rate(alone)
        assert daemon.stages["relay"].restarts == 0


def test_lag_of_the_default_filter_and_remis_measures_are_known_of_somebody_who_moves(tmp_path: Path) -> None:
    with running(tmp_path, cameras=[SAMPLE]) as daemon:
        daemon.listen(lambda: "sample" in daemon.cameras and daemon.cameras["sample"].filter_lag_s is not None, 60)
        facts, told = daemon.cameras["sample"], ask(daemon, ask="status")["filters"]["sample"]
        assert (facts.filter, told["name"], told["state"]) == ("one_euro", "one_euro", "on")
        assert facts.filter_lag_s is not None
        assert -0.02 < facts.filter_lag_s < 0.1
        answer = ask(daemon, ask="filter_metrics")
        numbers = dict(zip(answer["columns"], answer["rows"]["sample"]))
        assert numbers["Condition"] == numbers["FilterSetting"] == "one_euro"
        assert numbers["Avg Relay Packet Processing FPS"] > 0
        assert numbers["Avg Filtered Pose Body Change"] < numbers["Avg Raw Pose Body Change"]


@pytest.mark.slow
def test_smoothnet_is_loaded_beside_the_work_of_the_relay(tmp_path: Path, store: Path) -> None:
    (tmp_path / "made").mkdir()
    bring("smoothnet_w8", tmp_path / "made")
    assert start("convert", "smoothnet_w8").wait(170) == 0
    with running(tmp_path, cameras=[CAMERA], **SYNTHETIC) as daemon:
        daemon.more_bodies(10)
        with pytest.raises(RemiError, match="smoothnet_w32 is missing"):
            ask(daemon, ask="filter", name="smoothnet")
        told = ask(daemon, ask="filter", name="smoothnet", options={"window": 8})["filters"]["front"]
        assert (told["name"], told["state"]) == ("smoothnet", "loading")
        daemon.listen(lambda: daemon.bodies[-1].filter == "smoothnet", 60)
        daemon.more_bodies(20)
        assert {each.filter for each in daemon.bodies} == {"one_euro", "smoothnet"}
        assert "lost_in_crash" not in check_books(daemon.bodies)
        assert daemon.stages["relay"].restarts == 0
