"""The fork server: its workers are processes like any other, and end with it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from remi_stream.process.fork_server import ForkedProcess, ForkServer
from remi_stream.process.stage_process import separation, worker_environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def server() -> Iterator[ForkServer]:
    modules = ["remi_stream.process.source_loop", "remi_stream.capture.stage", "remi_stream.capture.rtsp"]
    server = ForkServer(modules, "forktest", worker_environment(), separation())
    wait_for(lambda: server.is_ready)
    yield server
    server.close()


def fork(server: ForkServer, spec: bytes | None = None) -> ForkedProcess:
    """Fork a worker with a StageSpec; without one it waits for it until it is killed."""
    read_fd, write_fd = os.pipe()
    process = server.start(["capture/front", "--beat-fd"], read_fd, write_fd)
    os.close(read_fd)
    if spec is not None:
        os.write(write_fd, spec)
    # it has a copy of the writing end, its heartbeats', so that its standard input never ends
    os.close(write_fd)
    return process


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_worker_is_a_process_with_a_name_and_a_group_of_its_own_and_shares_memory(server: ForkServer) -> None:
    process = fork(server)
    wait_for(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "capture/front\n")
    assert os.getpgid(process.pid) == process.pid
    assert os.getsid(process.pid) == os.getsid(server.pid)
    rollup = dict(line.split(":") for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:])
    shared, private = (int(rollup[name].split()[0]) for name in ("Shared_Dirty", "Private_Dirty"))
    assert shared > 20_000, "kB: what the server has imported"
    assert private < 8_000
    process.kill()
    assert process.wait() == -signal.SIGKILL


def test_worker_that_dies_is_reported_with_its_code_and_the_others_go_on(server: ForkServer) -> None:
    first, second, third = (fork(server) for _ in range(3))
    wait_for(lambda: Path(f"/proc/{second.pid}/comm").read_text() == "capture/front\n")
    os.kill(second.pid, signal.SIGSEGV)
    assert second.wait() == -signal.SIGSEGV
    assert first.poll() is None
    assert third.poll() is None
    first.terminate()
    assert first.wait() == -signal.SIGTERM
    assert third.poll() is None


def test_workers_die_with_the_server_and_the_supervisor_knows(server: ForkServer) -> None:
    workers = [fork(server) for _ in range(2)]
    os.kill(server.pid, signal.SIGKILL)
    assert [worker.wait() for worker in workers] == [-signal.SIGKILL] * 2
    assert not server.is_ready
    with pytest.raises(OSError):  # noqa: PT011 - its text is the system's
        fork(server)
    wait_for(lambda: not any(is_running(worker.pid) for worker in workers))
