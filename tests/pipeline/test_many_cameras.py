"""Many cameras on few cores: none starves, the books balance, and decoding yields to the pose stage."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from remi_stream.paths import data_file
from tests.pipeline.daemon import SYNTHETIC, Daemon, check_books, gone, running

CAMERAS = [f"cam{number}" for number in range(6)]


def niceness(pid: int) -> Counter[int]:
    """Number of threads of a process by their niceness."""
    return Counter(os.getpriority(os.PRIO_PROCESS, int(thread.name)) for thread in Path(f"/proc/{pid}/task").iterdir())


def check_priorities(daemon: Daemon) -> None:
    reading = niceness(daemon.pid("capture/cam0"))
    own = os.nice(0)
    assert reading[min(19, own + 15)] >= 1, "the thread that decodes yields"
    assert reading[own] >= 1, "the thread that answers does not"
    assert set(niceness(daemon.pid("pose"))) == {own}
    if sys.version_info >= (3, 11):
        supervisor, pose = daemon.process.pid, daemon.pid("pose")
        assert os.getsid(daemon.pid("capture/cam0")) == os.getsid(supervisor)
        assert os.getpgid(daemon.pid("capture/cam0")) != os.getpgid(supervisor), "Ctrl-C must not reach it"
        assert os.getsid(pose) == pose


@pytest.mark.skipif(sys.platform != "linux", reason="niceness is per thread on Linux only")
def test_six_cameras_get_equal_shares_exact_books_and_frames_of_bounded_age(tmp_path: Path) -> None:
    camera = {"source": str(data_file("sample.mp4")), "loop": True, "max_fps": 10}
    cameras = [{"name": name, **camera} for name in CAMERAS]
    # an engine that can serve a third of what they capture
    with running(tmp_path, cameras=cameras, engine="synthetic", detector="synthetic", engine_options={"delay_s": 0.05}) as daemon:
        daemon.listen(lambda: {body.camera for body in daemon.bodies} == set(CAMERAS))
        check_priorities(daemon)
        bodies = daemon.more_bodies(90)
        shares = Counter(body.camera for body in bodies)
        assert min(shares[name] for name in CAMERAS) >= 10, f"of 15 on average: {shares}"
        dropped = sum((check_books([body for body in daemon.bodies if body.camera == name]) for name in CAMERAS), Counter())
        assert set(dropped) <= {"capture/superseded", "capture/overrun", "pose/unasked"}
        ages = np.array([body.stamps["pose_in"] - body.captured_at for body in bodies])
        assert np.quantile(ages, 0.9) < 0.4


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def wait_for_lives(daemon: Daemon, pids: dict[str, int]) -> None:
    """Wait until the stages with these process ids have other ones, and bodies of every camera have come since."""
    daemon.listen(lambda: all(daemon.stages[stage].pid not in (0, pid) for stage, pid in pids.items()))
    seen = len(daemon.bodies)
    daemon.listen(lambda: {body.camera for body in daemon.bodies[seen:]} == {"a", "b", "c"})


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends forked processes with their server on Linux only")
def test_camera_processes_share_a_fork_server_but_no_faults(tmp_path: Path) -> None:
    cameras = [{"name": name, "source": "synthetic:?fps=10"} for name in "abc"]
    with running(tmp_path, cameras=cameras, **SYNTHETIC) as daemon:
        daemon.listen(lambda: {body.camera for body in daemon.bodies} == {"a", "b", "c"})
        pids = {f"capture/{name}": daemon.pid(f"capture/{name}") for name in "abc"}
        (server,) = {parent(pid) for pid in pids.values()}
        assert parent(server) == daemon.process.pid
        os.kill(pids["capture/b"], signal.SIGSEGV)
        wait_for_lives(daemon, {"capture/b": pids["capture/b"]})
        assert parent(daemon.pid("capture/b")) == server
        assert [daemon.stages[f"capture/{name}"].restarts for name in "abc"] == [0, 1, 0]
        pids = {stage: daemon.pid(stage) for stage in pids}
        os.kill(server, signal.SIGKILL)
        wait_for_lives(daemon, pids)
        (second,) = {parent(daemon.pid(stage)) for stage in pids}
        assert second != server
        assert parent(second) == daemon.process.pid, "the server is started again"
        pids = {stage: daemon.pid(stage) for stage in pids}
        os.kill(second, signal.SIGKILL)
        wait_for_lives(daemon, pids)
        assert {parent(daemon.pid(stage)) for stage in pids} == {daemon.process.pid}, "without a server they are started anew"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends forked processes with their server on Linux only")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_fork_server_and_its_processes_end_with_the_supervisor(how: signal.Signals, tmp_path: Path) -> None:
    cameras = [{"name": name, "source": "synthetic:?fps=10"} for name in "abc"]
    with running(tmp_path, cameras=cameras, **SYNTHETIC) as daemon:
        daemon.listen(lambda: {body.camera for body in daemon.bodies} == {"a", "b", "c"})
        assert daemon.stop(how) == (0 if how == signal.SIGTERM else -signal.SIGKILL)
        assert gone(daemon.name)
