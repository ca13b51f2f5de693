"""Fork server: a process without threads that imports what the processes of a stage need, and forks them.

A capture process that imports NumPy, OpenCV and FFmpeg itself has 30 MB of memory of its own for them; forked ones share it.
The supervisor keeps its threads and never forks; it sends this server the file descriptors of a worker, and gets its process id.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import importlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import IO, Any, Literal

import msgspec

from remi_stream.errors import EXIT_CRASHED
from remi_stream.process.worker import PR_SET_PDEATHSIG, run_worker

MIN_PROCESSES = 3
"""Least number of processes for which a fork server takes less memory than it saves."""
START_TIMEOUT_S = 30.0
"""Timeout of the imports, s; after it the processes are started without the server."""
ANSWER_TIMEOUT_S = 5.0
"""Timeout of a fork, and of the report of a killed process, s."""
MAX_REQUEST_BYTES = 65536
_DESCRIPTORS = 3  # standard input, log, heartbeats
_PR_SET_NAME = 15  # linux/prctl.h

log = logging.getLogger("remi_stream")


class ForkRequest(msgspec.Struct, frozen=True):
    """Request for a process. Its number is in the report, because the answer to a request that timed out may still come."""

    number: int
    arguments: list[str]


class ServerReport(msgspec.Struct, frozen=True):
    """What the server reports to the supervisor: it is ready, or has started a process or failed to, or one has ended."""

    kind: Literal["ready", "started", "failed", "ended"]
    pid: int = 0
    code: int = 0
    """Exit code, or minus the number of the signal, of a process that has ended; errno of a failed start."""
    request: int = 0
    """Number of the request that is answered."""


class ForkedProcess:
    """A process that the server forked, with the part of subprocess.Popen's interface that the supervisor uses."""

    def __init__(self, server: ForkServer, pid: int, stderr: IO[bytes]) -> None:
        self.pid = pid
        self.stderr = stderr
        self._server = server
        self._report_by = float("inf")

    def poll(self) -> int | None:
        """Exit code, or minus the number of the signal; None while it runs.

        A server that does not report the end of a killed process stands still, and is killed with all its processes.
        """
        self._server.read_reports()
        code = self._server.exit_codes.get(self.pid)
        if code is None and time.monotonic() > self._report_by:
            self._server.kill()
        return code

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended. After some seconds the server, which reports it, is killed."""
        self._report_by = min(self._report_by, time.monotonic() + (ANSWER_TIMEOUT_S if timeout is None else timeout))
        while (code := self.poll()) is None:
            time.sleep(0.005)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to stop."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)
        self._report_by = min(self._report_by, time.monotonic() + ANSWER_TIMEOUT_S)


class ForkServer:
    """The supervisor's side of a fork server. It is ready some time after `__init__`, and never again once it has ended.

    Raises OSError when the system has no descriptors, memory or processes left.
    """

    def __init__(self, modules: Iterable[str], name: str, environment: dict[str, str], separation: dict[str, Any]) -> None:
        self.exit_codes: dict[int, int] = {}
        self._running: set[int] = set()
        self._requests = 0
        self._awaited = 0
        """Number of the request whose answer is awaited; 0: none is."""
        self._is_ready = False
        self._has_ended = False
        self._start_by = time.monotonic() + START_TIMEOUT_S
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        command = [sys.executable, "-m", "remi_stream", "stage", "--fork-server", *modules, "--name", name, "--fd"]
        with theirs, contextlib.ExitStack() as on_error:
            on_error.callback(self._socket.close)
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=environment,
                **separation,
            )
            on_error.pop_all()
        self.pid = self._process.pid

    @property
    def is_ready(self) -> bool:
        """Whether it can fork now."""
        self.read_reports()
        return self._is_ready

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, with all its processes."""
        self.read_reports()
        return self._has_ended

    @property
    def is_starting(self) -> bool:
        """Whether it is worth waiting until it is ready."""
        return not self.is_ready and not self._has_ended and time.monotonic() < self._start_by

    def start(self, arguments: list[str], stdin_fd: int, inherited_fd: int) -> ForkedProcess:
        """Fork a worker with these arguments and this standard input; the number of inherited_fd there is its last argument.

        Raises OSError if the server has ended, does not answer, or has no processes, memory or descriptors left.
        """
        self._requests += 1
        read_fd, write_fd = os.pipe()
        stderr = open(read_fd, "rb", buffering=0)  # noqa: SIM115 - closed by the supervisor
        try:
            request = msgspec.json.encode(ForkRequest(self._requests, arguments))
            socket.send_fds(self._socket, [request], [stdin_fd, write_fd, inherited_fd])
            return ForkedProcess(self, self._wait_for_start(), stderr)
        except OSError:
            stderr.close()
            raise
        finally:
            os.close(write_fd)

    def read_reports(self) -> None:
        """Read what the server has reported. If it has ended, so have its processes: the kernel kills them."""
        with contextlib.suppress(BlockingIOError):
            while self._read_report() is not None:
                pass

    def kill(self) -> None:
        """Kill the server, and so its processes."""
        self._process.kill()

    def close(self) -> None:
        """End the server, and its processes."""
        self._is_ready = False
        self._socket.close()
        self.kill()
        self._process.wait()

    def _wait_for_start(self) -> int:
        self._socket.settimeout(ANSWER_TIMEOUT_S)
        self._awaited = self._requests
        try:
            while (report := self._read_report()) is not None:
                if report.request != self._awaited:
                    continue
                if report.kind == "failed":
                    raise OSError(report.code, os.strerror(report.code))
                return report.pid
        finally:
            self._awaited = 0
            self._socket.setblocking(False)
        raise ConnectionError("the fork server has ended")

    def _read_report(self) -> ServerReport | None:
        data = b"" if self._socket.fileno() < 0 else self._receive()
        if not data:
            self._is_ready, self._has_ended = False, True
            self.exit_codes.update(dict.fromkeys(self._running, -signal.SIGKILL))
            self._running.clear()
            return None
        report = msgspec.json.decode(data, type=ServerReport)
        if report.kind == "ready":
            self._is_ready = True
        elif report.kind == "started" and report.request == self._awaited:
            self._running.add(report.pid)
            self.exit_codes.pop(report.pid, None)
        elif report.kind == "started":  # its start has timed out, and another one may be running in its place
            with contextlib.suppress(ProcessLookupError):
                os.kill(report.pid, signal.SIGKILL)
        elif report.kind == "ended":
            self._running.discard(report.pid)
            self.exit_codes[report.pid] = report.code
        return report

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(MAX_REQUEST_BYTES)
        except ConnectionError:
            return b""


def serve_forks(arguments: list[str]) -> int:
    """Import modules, then fork a worker for each request until the supervisor closes the socket.

    arguments: modules, "--name", the daemon's name (for ps), "--fd", the file descriptor of the socket.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    connection = socket.socket(fileno=int(arguments[-1]))
    # the supervisor stops the workers one by one; a terminal or systemd may signal all processes at once
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for module in arguments[: arguments.index("--name")]:
        importlib.import_module(module)
    if len(os.listdir("/proc/self/task")) > 1:
        raise RuntimeError("a module that the fork server imports has started a thread; a fork would copy its locks")
    gc.collect()
    gc.freeze()  # the collector of a fork must not write to the pages that all of them share
    signal.signal(signal.SIGCHLD, lambda *_: _report_ended(connection))
    connection.send(msgspec.json.encode(ServerReport("ready", os.getpid())))
    while True:
        data, descriptors, _, _ = socket.recv_fds(connection, MAX_REQUEST_BYTES, _DESCRIPTORS)
        if not data:
            return 0
        request = msgspec.json.decode(data, type=ForkRequest)
        # blocked, or the end of a process could be reported before its start
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        try:
            # the kernel drops the descriptors for which this process has no room
            server = os.getpid()
            pid = os.fork() if len(descriptors) == _DESCRIPTORS else -errno.EMFILE
        except OSError as error:  # EAGAIN, ENOMEM: no process for this stage, but those of the others must live
            pid = -(error.errno or errno.EAGAIN)
        if pid == 0:
            return _become_worker(connection, server, request.arguments, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        started = ServerReport("started", pid, request=request.number)
        connection.send(msgspec.json.encode(started if pid > 0 else ServerReport("failed", code=-pid, request=request.number)))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def _become_worker(connection: socket.socket, server: int, arguments: list[str], descriptors: list[int]) -> int:
    """Run a worker in this forked process: as one that was started by the supervisor, in a process group of its own."""
    connection.close()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:  # it died before the signal was set
        return EXIT_CRASHED
    os.setpgid(0, 0)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    for descriptor, standard in zip(descriptors[:2], (0, 2)):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    ctypes.CDLL(None).prctl(_PR_SET_NAME, arguments[0].encode()[:15])
    return run_worker([*arguments, str(descriptors[2])])


def _report_ended(connection: socket.socket) -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            code = os.waitstatus_to_exitcode(ended[1])
            with contextlib.suppress(ConnectionError):
                connection.send(msgspec.json.encode(ServerReport("ended", ended[0], code)))
