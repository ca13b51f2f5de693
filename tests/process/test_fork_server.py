"""The fork server: its workers are processes like any other, and end with it."""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from remi_stream.process import fork_server
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


def test_server_that_stands_still_is_killed_when_a_killed_worker_is_not_reported(
    server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_server, "ANSWER_TIMEOUT_S", 0.3)
    workers = [fork(server) for _ in range(2)]
    os.kill(server.pid, signal.SIGSTOP)
    workers[0].kill()
    wait_for(lambda: workers[0].poll() == workers[1].poll() == -signal.SIGKILL)
    assert server.has_ended
    wait_for(lambda: not any(is_running(worker.pid) for worker in workers))


def test_server_without_descriptors_fails_that_start_only(server: ForkServer) -> None:
    first = fork(server)
    limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    opened = os.listdir(f"/proc/{server.pid}/fd")
    first_free = next(number for number in range(len(opened) + 1) if str(number) not in opened)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (first_free + 1, limits[1]))
    with pytest.raises(OSError) as error:  # noqa: PT011 - its number is checked
        fork(server)
    assert error.value.errno == errno.EMFILE
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
    second = fork(server)
    assert [first.poll(), second.poll()] == [None, None]


def test_system_without_processes_fails_that_start_only(tmp_path: Path) -> None:
    # a limit of processes does not apply to root, so that the server's os.fork fails as that of a user would
    code = """
import os
fork, calls = os.fork, []
def fork_now_and_then():
    calls.append(1)
    if len(calls) == 2:
        raise BlockingIOError(11, os.strerror(11))
    return fork()
os.fork = fork_now_and_then
"""
    (tmp_path / "fails_to_fork.py").write_text(code)
    environment = worker_environment()
    environment["PYTHONPATH"] = f"{tmp_path}:{environment.get('PYTHONPATH', '')}"
    server = ForkServer(["fails_to_fork", "remi_stream.process.source_loop"], "forktest", environment, separation())
    wait_for(lambda: server.is_ready)
    try:
        first = fork(server)
        with pytest.raises(OSError, match="temporarily unavailable"):
            fork(server)
        second = fork(server)
        assert [first.poll(), second.poll()] == [None, None]
    finally:
        server.close()


def test_process_that_starts_after_the_timeout_is_killed_and_not_taken_for_the_next(
    server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.kill(server.pid, signal.SIGSTOP)
    with monkeypatch.context() as short:
        short.setattr(fork_server, "ANSWER_TIMEOUT_S", 0.2)
        with pytest.raises(TimeoutError):
            fork(server)
    os.kill(server.pid, signal.SIGCONT)
    wait_for(lambda: len(children(server.pid)) == 1)
    (late,) = children(server.pid)
    process = fork(server)
    assert process.pid != late
    wait_for(lambda: children(server.pid) == [process.pid])
    assert process.poll() is None


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
