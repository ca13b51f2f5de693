"""REMI's packets out of and into real daemons: a relay that is fed, clients that are listened to."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from remi_stream import config
from remi_stream.messages import Bodies
from remi_stream.pipeline import pipeline_processes
from remi_stream.remi.sink import remi_packet
from tests.pipeline.daemon import SYNTHETIC, Daemon, check_books, running
from tests.pipeline.test_demo import CAMERA as DEMO
from tests.pipeline.test_recording import check_undisturbed
from tests.remi import wire_packets

CAMERA = {"name": "front", "source": "synthetic:?fps=15"}
WAIT_S = 20.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Relay:
    """A relay that reads as REMI's does, in a process of its own; what it has printed so far."""

    def __init__(self, port: int, *more: int) -> None:
        self.packets: list[dict[str, list[float]]] = []
        command = [sys.executable, "-m", "tests.remi.wire_packets", str(port), *map(str, more)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "listening\n"
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.packets.extend(map(json.loads, self.process.stdout))

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()


@contextlib.contextmanager
def relay(port: int, *more: int) -> Iterator[Relay]:
    made = Relay(port, *more)
    try:
        yield made
    finally:
        made.close()


def knocking(port: int) -> socket.socket:
    """Connect as soon as somebody listens."""
    end = time.monotonic() + WAIT_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 5)
        except ConnectionRefusedError:
            assert time.monotonic() < end
            time.sleep(0.05)


class Client:
    """A thread that sends packets at a camera's pace, and connects anew when it is sent away."""

    def __init__(self, port: int) -> None:
        self.sent = 0
        self._port = port
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 5) as connection:
                while not self._stopping.wait(0.03):
                    connection.sendall(wire_packets.write(seed=self.sent))
                    self.sent += 1
            self._stopping.wait(0.05)

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()


@pytest.fixture
def client() -> Iterator[Callable[[int], Client]]:
    made: list[Client] = []

    def start(port: int) -> Client:
        made.append(Client(port))
        return made[-1]

    yield start
    for each in made:
        each.close()


def stages(cameras: list[dict[str, Any]], **more: Any) -> list[str]:
    return [
        f"{row.name}/{camera}".rstrip("/")
        for row, camera in pipeline_processes(config.parse_config({"cameras": cameras, "metrics": False, **more}))
    ]


def test_remi_is_off_by_default_and_takes_the_place_of_what_it_does_not_need() -> None:
    source = {"name": "poco", "source": "remi:127.0.0.1:9999"}
    assert stages([CAMERA]) == ["capture/front", "detect", "pose", "relay"]
    assert stages([source]) == ["remi_source/poco", "relay"]
    assert stages([CAMERA, source]) == ["capture/front", "remi_source/poco", "detect", "pose", "relay"]
    assert stages([source], remi_relay="127.0.0.1:9998") == ["remi_source/poco", "relay", "remi"]


def feeds(daemon: Daemon, how: str) -> Callable[[], bool]:
    return lambda: "remi" in daemon.stages and how in daemon.stages["remi"].facts.get("relay", "")


def same_pose(out: Bodies, back: Bodies) -> bool:
    """Whether the first person of both has the same pose, to the bit."""
    ours, theirs = out.people[0].smpl, back.people[0].smpl
    assert ours is not None
    assert theirs is not None
    return bool((ours.body_pose == theirs.body_pose).all())


def test_poses_of_the_demo_agree_after_they_went_through_remis_packets_and_on_to_a_relay(tmp_path: Path) -> None:
    listening, last = free_port(), free_port()
    (tmp_path / "there").mkdir()
    source = {"name": "poco", "source": f"remi:127.0.0.1:{listening}"}
    ours = running(tmp_path, cameras=[DEMO], remi_relay=f"127.0.0.1:{listening}")
    theirs = running(tmp_path / "there", cameras=[source], remi_relay=f"127.0.0.1:{last}", filter="none")
    with relay(last) as end, theirs as there, ours as here:
        here.listen(lambda: here.bodies and here.bodies[-1].people, 60)
        there.listen(lambda: sum(bool(each.people) for each in there.bodies) > 12)
        here.take(0.5)
        there.listen(lambda: len(end.packets) > 20)
        check_books(there.bodies)
        check_books(here.bodies)
        assert here.stop() == 0
        assert there.cameras["poco"].source == f"remi:127.0.0.1:{listening}"
        assert there.stop() == 0
    seen = [each for each in here.bodies if each.people]
    pairs = [(out, back) for back in there.bodies if back.people for out in seen if same_pose(out, back)]
    assert len(pairs) > 8
    for out, back in pairs:
        a, b = out.people[0].smpl, back.people[0].smpl
        assert a is not None
        assert b is not None
        away = Rotation.from_rotvec(a.global_orient) * Rotation.from_rotvec(b.global_orient).inv()
        assert away.magnitude() < 1e-5
        np.testing.assert_allclose(b.transl[:2], remi_packet(out).trans[0, :2] - [0, 0.8], atol=1e-6)
        assert b.transl[2] == 4
    (sizes,) = {tuple((name, len(numbers)) for name, numbers in packet.items()) for packet in end.packets}
    assert dict(sizes) == wire_packets.SIZES
    assert any(np.abs(packet["poses_body"]).max() > 0 for packet in end.packets)


def test_relay_that_is_suspended_changes_nothing_for_anyone_else(tmp_path: Path) -> None:
    port = free_port()
    with (
        relay(port, 2048) as suspended,
        running(tmp_path, cameras=[CAMERA], remi_relay=f"127.0.0.1:{port}", **SYNTHETIC) as daemon,
    ):
        daemon.listen(lambda: len(suspended.packets) > 5)
        os.kill(suspended.process.pid, signal.SIGSTOP)
        daemon.listen(feeds(daemon, "does not read"))
        dropped = daemon.stages["remi"].counts["dropped"]
        check_undisturbed(daemon.more_bodies(25))
        daemon.listen(lambda: daemon.stages["remi"].counts["dropped"] > dropped + 10)
        assert {health.restarts for health in daemon.stages.values()} == {0}
        read = len(suspended.packets)
        os.kill(suspended.process.pid, signal.SIGCONT)
        daemon.listen(lambda: len(suspended.packets) > read + 15)
        daemon.listen(feeds(daemon, "connected to"))
        assert suspended.process.poll() is None
        check_undisturbed(daemon.bodies)
        assert daemon.stop() == 0


def test_relay_that_is_down_at_first_and_killed_later_is_fed_whenever_it_is_there(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, cameras=[CAMERA], remi_relay=f"127.0.0.1:{port}", **SYNTHETIC) as daemon:
        daemon.listen(feeds(daemon, "connecting to"))
        daemon.more_bodies(10)
        for _ in range(2):
            with relay(port) as fed:
                daemon.listen(lambda fed=fed: len(fed.packets) > 5)
                daemon.listen(feeds(daemon, "connected to"))
            daemon.listen(feeds(daemon, "connecting to"))
        check_undisturbed(daemon.bodies)
        assert daemon.log().count("connection refused; reconnecting") == 1
        assert {health.restarts for health in daemon.stages.values()} == {0}
        assert daemon.stop() == 0


def test_malicious_packet_is_refused_and_the_process_lives_on(tmp_path: Path, client: Callable[[int], Client]) -> None:
    port, marker = free_port(), tmp_path / "ran"

    class Shell:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {marker}",)

    with running(tmp_path, cameras=[{"name": "poco", "source": f"remi:127.0.0.1:{port}"}], **SYNTHETIC) as daemon:
        with knocking(port) as attacker:
            attacker.sendall(wire_packets.framed(pickle.dumps(Shell())))
            attacker.settimeout(5)
            assert attacker.recv(1) == b""
        client(port)
        daemon.more_bodies(30)
        daemon.listen(lambda: daemon.stages["remi_source/poco"].counts.get("refused") == 1)
        assert daemon.stages["remi_source/poco"].restarts == 0
        assert daemon.log().count("it is refused") == 1
        assert str(marker) not in daemon.log()
        assert not marker.exists()
        check_books(daemon.bodies)
        assert daemon.stop() == 0


def test_pictures_and_packets_run_side_by_side_and_a_killed_source_costs_the_camera_nothing(
    tmp_path: Path, client: Callable[[int], Client]
) -> None:
    port = free_port()
    cameras = [CAMERA, {"name": "poco", "source": f"remi:127.0.0.1:{port}"}]
    with running(tmp_path, cameras=cameras, **SYNTHETIC) as daemon:
        sender = client(port)
        daemon.listen(lambda: {each.camera for each in daemon.bodies} == {"front", "poco"})
        daemon.more_bodies(40)
        first = [each for each in daemon.bodies if each.camera == "poco"]
        os.kill(daemon.pid("remi_source/poco"), signal.SIGKILL)
        daemon.listen(lambda: any(each.epoch != first[-1].epoch for each in daemon.bodies if each.camera == "poco"))
        daemon.more_bodies(40)
        daemon.listen(lambda: daemon.stages["remi_source/poco"].restarts == 1)
        again = [each for each in daemon.bodies if each.camera == "poco"]
        check_books(again)
        check_undisturbed([each for each in daemon.bodies if each.camera == "front"])
        ids = [{person.track_id for each in again if each.epoch == epoch for person in each.people} for epoch in epochs(again)]
        assert ids[0].isdisjoint(ids[1])
        assert list(again[-1].stamps) == ["remi_source", "relay_in", "relay"]
        sender.close()
        daemon.listen(lambda: daemon.cameras["poco"].state == "reconnecting")
        facts = daemon.cameras["poco"]
        assert facts.captured == facts.published + sum(facts.dropped.values())
        assert daemon.stop() == 0


def epochs(bodies: list[Bodies]) -> list[int]:
    return list(dict.fromkeys(each.epoch for each in bodies))
