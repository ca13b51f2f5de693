"""Process of one stage over all its restarts: start, heartbeats, time limits, back-off."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from collections import Counter, deque
from typing import Any

import msgspec

from remi_stream.messages import Health
from remi_stream.pipeline import StageRow
from remi_stream.process.fork_server import MIN_PROCESSES, ForkedProcess, ForkServer
from remi_stream.stage import StageSpec

BACK_OFF_S = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Pause before each restart, s; the last one repeats. A stage that has been ready for DEATH_WINDOW_S starts over."""
ERROR_BACK_OFF_S = 2.0
"""Shortest pause after an error for the user, s: the cause does not pass at once."""
MAX_DEATHS, DEATH_WINDOW_S = 5, 60.0
"""So many deaths within this time, s, end the pipeline if the stage's policy says so; any other stage counts as failed."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Set to 1 in every worker, because the thread pools of several processes would compete for the cores."""
MAX_HEARTBEAT_BYTES = 1 << 18
"""Larger than any message that the kernel takes from a worker in one piece."""
MAX_LOG_BYTES = 1 << 16
"""Log bytes read at a time, so that a stage that floods its log cannot occupy the supervisor."""

log = logging.getLogger("remi_stream")


class StageProcess:
    """Process of one stage, over all its restarts. Times are those of the supervisor's clock, which stands still in a pause."""

    def __init__(self, row: StageRow, spec: StageSpec) -> None:
        self.row = row
        self.spec = spec
        self.health = Health(stage=spec.label, state="starting", pid=0)
        self.process: subprocess.Popen[bytes] | ForkedProcess | None = None
        self.fork_server: ForkServer | None = None
        """Forks the process, if it is ready; else, and without one, it is started anew."""
        self.heartbeats: socket.socket | None = None
        self.was_started = False
        self.was_ready = False
        self.was_killed = False
        self.is_being_replaced = False
        """Stopped by the supervisor to be started again, which is no failure."""
        self.restarts = 0
        self.start_at: float | None = None
        """Time of the next start; None: none is planned."""
        self.failures = 0
        """Deaths and failed starts since the stage was last ready for DEATH_WINDOW_S."""
        self.start_error: tuple[int, str] | None = None
        """Exit code and reason of an error for the user that ended its first life; None: there was none."""
        self._died_at: deque[float] = deque(maxlen=MAX_DEATHS)
        self._reported = ("", False)
        self._log_rest = b""
        self._started_at = self._heard_at = self._ready_since = 0.0
        self._stop_by = float("inf")

    @property
    def label(self) -> str:
        """Name in logs and health."""
        return self.spec.label

    @property
    def is_alive(self) -> bool:
        """Whether a process is running."""
        return self.process is not None

    @property
    def is_ready(self) -> bool:
        """Whether the stage is running and sends heartbeats."""
        return self.is_alive and self.health.state == "ready"

    @property
    def is_asked_to_stop(self) -> bool:
        """Whether the supervisor has asked it to stop."""
        return self._stop_by != float("inf")

    @property
    def has_settled(self) -> bool:
        """Whether its first start has had a result: it was ready, has ended, or is retried in the background."""
        return self.was_ready or self.failures > 0 or self.health.state == "done"

    def start(self, now: float) -> None:
        """Start a process with its StageSpec. Raises OSError when the system has no descriptors, memory or processes left."""
        # SOCK_SEQPACKET keeps the bounds of messages, as a pipe does not
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            ours.setblocking(False)
            self.process = self._spawn(theirs)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        assert self.process.stderr is not None
        os.set_blocking(self.process.stderr.fileno(), False)
        self.heartbeats = ours
        self.was_started, self.was_killed, self.start_at, self._log_rest = True, False, None, b""
        self._started_at = self._heard_at = now
        self._stop_by = self._ready_since = float("inf")
        # a stage that has failed counts as failed until it is ready again
        state, reason = ("failed", self.health.reason) if self.health.state == "failed" else ("starting", "")
        self.health = Health(stage=self.label, state=state, pid=self.process.pid, restarts=self.restarts, reason=reason)  # type: ignore[arg-type]

    def _spawn(self, heartbeats: socket.socket) -> subprocess.Popen[bytes] | ForkedProcess:
        # the label and the name are for ps(1); a worker reads only the last argument, and the rest from its StageSpec
        arguments = [self.label, "--name", self.spec.config.name, "--beat-fd"]
        server = self.fork_server if self.fork_server is not None and self.fork_server.is_ready else None
        stage_spec = msgspec.structs.replace(self.spec, restarts=self.restarts)
        if server:
            stage_spec = msgspec.structs.replace(stage_spec, supervisor_pid=server.pid)  # which dies with the supervisor
        # in memory, and complete before the process starts: a worker that hangs or dies early cannot block the supervisor
        with open(os.memfd_create("stage-spec"), "w+b", buffering=0) as spec:
            spec.write(msgspec.json.encode(stage_spec))
            spec.seek(0)
            if server:
                return server.start(arguments, spec.fileno(), heartbeats.fileno())
            return subprocess.Popen(
                [sys.executable, "-m", "remi_stream", "stage", *arguments, str(heartbeats.fileno())],
                stdin=spec,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(heartbeats.fileno(),),
                env=worker_environment(),
                **separation(own_session=self.row.own_session),
            )

    def read_heartbeats(self, now: float) -> bool:
        """Read pending heartbeats; False once the process has closed its end."""
        while self.heartbeats is not None:
            try:
                data = self.heartbeats.recv(MAX_HEARTBEAT_BYTES)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                return False
            try:
                self._take(msgspec.msgpack.decode(data, type=Health), now)
            except msgspec.MsgspecError as error:  # of a process whose memory is damaged; it counts as silent
                log.warning("%s sent a heartbeat that cannot be read: %s", self.label, error)
        return False

    def _take(self, health: Health, now: float) -> None:
        if health.state == "ready" and self.health.state != "ready":
            self._ready_since, self._reported = now, ("", False)
        self.was_ready |= health.state == "ready"
        self.health = msgspec.structs.replace(health, stage=self.label, restarts=self.restarts)
        self._heard_at = now

    def read_log(self, *, to_end: bool = False) -> list[str] | None:
        """Read complete lines of its log; None once the process has closed it. to_end: the last line may be incomplete."""
        assert self.process is not None
        assert self.process.stderr is not None
        try:
            data = os.read(self.process.stderr.fileno(), MAX_LOG_BYTES)
        except BlockingIOError:
            data = None
        if data == b"" and not self._log_rest:
            return None
        *lines, rest = (self._log_rest + (data or b"")).split(b"\n")
        if rest and (to_end or data == b"" or len(rest) > MAX_LOG_BYTES):
            lines, rest = [*lines, rest], b""
        self._log_rest = rest
        return [line.decode(errors="replace") for line in lines]

    def kill_reason(self, now: float) -> str | None:
        """Why the process must be killed: it starts, works or ends for too long; None if it is fine."""
        if not self.is_alive or self.was_killed:
            return None
        if self.is_asked_to_stop:
            return f"still running {self.row.stop_s:.0f} s after it was asked to stop" if now > self._stop_by else None
        if self.health.state in ("stopping", "done", "failed") and self._heard_at > self._started_at:
            return f"still running {self.row.stop_s:.0f} s after its end" if now - self._heard_at > self.row.stop_s else None
        if self._heard_at == self._started_at:
            late = now - self._started_at > self.row.start_s
            return f"not ready after {self.row.start_s:.0f} s" if late else None
        silent = now - self._heard_at
        return f"silent for {silent:.1f} s" if silent > self.row.silent_s else None

    def kill(self) -> None:
        """Kill the process."""
        if self.process is not None:
            self.process.kill()
            self.was_killed = True

    def ask_to_stop(self, now: float) -> None:
        """Ask the process to drain and end."""
        if self.process is not None and not self.is_asked_to_stop:
            self.process.terminate()
            self._stop_by = now + self.row.stop_s

    def note_time(self, now: float) -> None:
        """Forget earlier failures of a stage that has been ready for long."""
        if self.is_ready and now - self._ready_since > DEATH_WINDOW_S:
            self.failures = 0

    def note_failure(self, now: float) -> int:
        """Count a death or a start that failed; return how many there were within DEATH_WINDOW_S."""
        self.failures += 1
        self._died_at.append(now)
        return sum(now - at < DEATH_WINDOW_S for at in self._died_at)

    def plan_restart(self, now: float, cause: str, *, is_error: bool) -> None:
        """Plan the next start after a back-off, and log the cause once. is_error: an error for the user, which is not a death."""
        wait = BACK_OFF_S[min(self.failures, len(BACK_OFF_S)) - 1]
        wait = max(wait, ERROR_BACK_OFF_S if is_error else 0.0, self.health.retry_after_s)
        failed = is_error or self.failures >= MAX_DEATHS
        self.start_at = now + wait
        self.health = msgspec.structs.replace(self.health, state="failed" if failed else "restarting", reason=cause)
        if (cause, failed) != self._reported or not failed:
            then = "restarting" if wait < ERROR_BACK_OFF_S else f"next try in {wait:.0f} s"
            log.warning("%s %s: %s", self.label, cause, then + (", then every 30 s at most" if failed else ""))
        self._reported = cause, failed

    def reap(self) -> int:
        """Reap the dead process and return its exit code."""
        assert self.process is not None
        code = self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
        if self.heartbeats is not None:
            self.heartbeats.close()
        self.process = self.heartbeats = None
        self._stop_by = float("inf")
        return code


def make_fork_server(processes: list[StageProcess], name: str) -> ForkServer | None:
    """Start a fork server for the stages of which there are several processes, if any; name: the daemon's."""
    counts = Counter(process.row for process in processes)
    forked = [row for row, count in counts.items() if row.preload and count >= MIN_PROCESSES]
    if not forked:
        return None
    server = ForkServer([module for row in forked for module in row.preload], name, worker_environment(), separation())
    for process in processes:
        process.fork_server = server if process.row in forked else None
    return server


def worker_environment() -> dict[str, str]:
    """Environment variables of a worker."""
    return {**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1"), "PYTHONUNBUFFERED": "1"}


def separation(*, own_session: bool = False) -> dict[str, Any]:
    """Arguments of Popen that keep Ctrl-C in a terminal from a worker: a process group, or a session of its own."""
    if own_session or sys.version_info < (3, 11):  # Popen's `process_group` is new in Python 3.11
        return {"start_new_session": True}
    return {"process_group": 0}
