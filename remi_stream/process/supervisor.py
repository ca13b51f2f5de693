"""Supervisor: starts the stages, watches their heartbeats, restarts them with back-off, stops them in order.

One thread, one selector. A stage is `starting` until its first heartbeat, `ready` while they come, `restarting` between a
death and the next start. Capture starts when everything else is ready and is stopped first; sinks are stopped last.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from remi_stream.config import Config
from remi_stream.errors import EXIT_DONE, EXIT_GAVE_UP
from remi_stream.messages import Health
from remi_stream.paths import RunFolder
from remi_stream.pipeline import StageRow, link_consumers, pipeline_processes
from remi_stream.stage import StageSpec
from remi_stream.topics import LINK_TOPICS
from remi_stream.transport.link import LinkContext, Sender, link_address

POLL_S = 0.1
"""Interval of the supervisor's checks, s; heartbeats and log lines wake it earlier."""
HEALTH_INTERVAL_S = 0.5
"""Interval at which the stages' health is sent to the relay, s."""
BACK_OFF_S = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Pause before each restart, s; the last one repeats."""
MAX_DEATHS, DEATH_WINDOW_S = 5, 60.0
"""So many deaths of a stage within this time, s, end the pipeline."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Set to 1 in every worker, because the thread pools of several processes would compete for the cores."""

log = logging.getLogger("remi_stream")


class StageProcess:
    """Process of one stage, over all its restarts."""

    def __init__(self, row: StageRow, spec: StageSpec) -> None:
        self.row = row
        self.spec = spec
        self.health = Health(stage=spec.label, state="starting", pid=0)
        self.process: subprocess.Popen[bytes] | None = None
        self.was_ready = False
        self.was_killed = False
        self.is_terminating = False
        self.restarts = 0
        self.start_at: float | None = None
        self.died_at: deque[float] = deque(maxlen=MAX_DEATHS)
        self._beats = b""
        self._started_at = self._heard_at = 0.0
        self.heartbeat_fd = -1

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

    def start(self, now: float) -> None:
        """Start a process and send it its StageSpec."""
        self.heartbeat_fd, theirs = os.pipe()
        os.set_blocking(self.heartbeat_fd, False)
        name = self.spec.config.name
        # the label and the name are for ps(1); a worker reads only the last argument, and the rest from its StageSpec
        command = [sys.executable, "-m", "remi_stream", "stage", self.label, "--name", name, "--beat-fd", str(theirs)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(theirs,),
            env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1"), "PYTHONUNBUFFERED": "1"},
            **_separation(self.row),
        )
        os.close(theirs)
        assert self.process.stdin is not None
        assert self.process.stderr is not None
        os.set_blocking(self.process.stderr.fileno(), False)
        self.process.stdin.write(msgspec.json.encode(msgspec.structs.replace(self.spec, restarts=self.restarts)))
        self.process.stdin.close()
        self._beats, self.start_at, self.was_killed = b"", None, False
        self._started_at = self._heard_at = now
        self.health = Health(stage=self.label, state="starting", pid=self.process.pid, restarts=self.restarts)

    def read_heartbeats(self, now: float) -> bool:
        """Read pending heartbeats; False once the process has closed the pipe."""
        try:
            data = os.read(self.heartbeat_fd, 65536)
        except BlockingIOError:
            return True
        self._beats += data
        while len(self._beats) >= 4 and len(self._beats) >= (end := 4 + int.from_bytes(self._beats[:4], "little")):
            health = msgspec.msgpack.decode(self._beats[4:end], type=Health)
            self.health = msgspec.structs.replace(health, restarts=self.restarts)
            self._heard_at, self._beats = now, self._beats[end:]
        return bool(data)

    def kill_reason(self, now: float) -> str | None:
        """Why the process must be killed: start or heartbeat timeout; None if it is fine."""
        if not self.is_alive or self.was_killed or self.health.state in ("done", "failed", "stopping"):
            return None
        if self.health.state == "starting":
            late = now - self._started_at > self.row.start_s
            return f"not ready after {self.row.start_s:.0f} s" if late else None
        silent = now - self._heard_at
        return f"silent for {silent:.1f} s" if silent > self.row.silent_s else None

    def reap(self) -> int:
        """Reap the dead process and return its exit code."""
        assert self.process is not None
        code = self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
        os.close(self.heartbeat_fd)
        self.process = None
        return code


class Supervisor:
    """Runs all stages of a pipeline. on_log: called with each log line of the stages. on_tick: called at least every POLL_S."""

    def __init__(
        self,
        config: Config,
        folder: RunFolder,
        on_log: Callable[[str], None],
        on_tick: Callable[[list[Health]], None] | None = None,
    ) -> None:
        self.config = config
        self.children = [
            StageProcess(
                row,
                StageSpec(stage=row.name, camera=camera, run_folder=str(folder.path), supervisor_pid=os.getpid(), config=config),
            )
            for row, camera in pipeline_processes(config)
        ]
        self.exit_code = EXIT_DONE
        self.reason = ""
        self.is_stopping = False
        self._on_log, self._on_tick = on_log, on_tick
        self._selector = selectors.DefaultSelector()
        self._context = LinkContext()
        self._health = [
            Sender[Health](
                self._context, link_address(folder.path, "health", row.name), LINK_TOPICS["health"], reason="supervisor/overflow"
            )
            for row in link_consumers("health")
        ]
        self._health_at = 0.0
        self._kill_at = float("inf")
        self._stop_at = float("inf")

    @property
    def is_ready(self) -> bool:
        """Whether every stage was ready once or is done. A camera that reconnects counts as ready."""
        return all(child.was_ready or child.health.state == "done" for child in self.children)

    def run(self) -> int:
        """Run until a signal, the end of all sources, `duration_s` or a failure; return the exit code."""
        self._watch_signals()
        try:
            for child in self.children:
                if not child.row.is_per_camera:
                    self._start(child)
            while not self._finished():
                self._tick(time.monotonic())
        finally:
            self._kill_all()
            self._context.close()
            self._restore_signals()
        return self.exit_code

    def stop(self, exit_code: int = EXIT_DONE, reason: str = "") -> None:
        """Start the shutdown: capture first, sinks last."""
        if not self.is_stopping:
            self.is_stopping, self.exit_code, self.reason = True, exit_code, reason

    def _tick(self, now: float) -> None:
        for key, _ in self._selector.select(POLL_S):
            key.data()
        now = time.monotonic()
        for child in self.children:
            self._watch(child, now)
        if self.is_stopping:
            self._stop_next(now)
        else:
            self._start_cameras()
            if now >= self._stop_at or all(c.health.state == "done" for c in self.children if c.row.is_per_camera):
                self.stop()
        self._publish_health(now)
        if self._on_tick:
            self._on_tick([child.health for child in self.children])

    def _watch(self, child: StageProcess, now: float) -> None:
        reason = child.kill_reason(now)
        if reason and child.process:
            log.warning("%s is %s: killed", child.label, reason)
            child.process.kill()
            child.was_killed = True
        if child.process and child.process.poll() is not None:
            self._on_death(child, now)
        if child.start_at is not None and now >= child.start_at and not self.is_stopping:
            child.restarts += 1
            self._start(child)
        if child.is_ready and not child.was_ready:
            child.was_ready = True

    def _start(self, child: StageProcess) -> None:
        child.start(time.monotonic())
        assert child.process is not None
        assert child.process.stderr is not None
        self._selector.register(child.heartbeat_fd, selectors.EVENT_READ, lambda: self._read_beats(child))
        self._selector.register(child.process.stderr, selectors.EVENT_READ, lambda: self._read_log(child))

    def _start_cameras(self) -> None:
        others = [child for child in self.children if not child.row.is_per_camera]
        if all(child.was_ready for child in others):
            for child in self.children:
                if child.row.is_per_camera and not child.is_alive and child.start_at is None and child.health.pid == 0:
                    self._start(child)
                    if self.config.duration_s and self._stop_at == float("inf"):
                        self._stop_at = time.monotonic() + self.config.duration_s

    def _on_death(self, child: StageProcess, now: float) -> None:
        # a last heartbeat and log lines may still be in the pipes, among them the reason of a failure
        self._read_beats(child)
        self._read_log(child)
        for file in (child.heartbeat_fd, child.process.stderr if child.process else None):
            if file is not None and file in self._selector.get_map():
                self._selector.unregister(file)
        code = child.reap()
        state = child.health.state
        if state == "done" and not child.row.is_per_camera:
            self.stop()
        if self.is_stopping or state in ("done", "stopping"):
            return
        # a stage that fails before it was ever ready has a wrong configuration: a restart would not help
        if state == "failed" and (not child.was_ready or child.health.exit_code == EXIT_GAVE_UP):
            self.stop(child.health.exit_code, child.health.reason)
            return
        self._plan_restart(child, code, now)

    def _plan_restart(self, child: StageProcess, code: int, now: float) -> None:
        child.died_at.append(now)
        recent = [at for at in child.died_at if now - at < DEATH_WINDOW_S]
        cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        detail = f" ({child.health.reason})" if child.health.reason else ""
        if len(recent) >= MAX_DEATHS:
            self.stop(
                EXIT_GAVE_UP, f"{child.label} died {len(recent)} times in a minute, last by {cause}{detail}; see the log above"
            )
            return
        wait = BACK_OFF_S[min(len(recent) - 1, len(BACK_OFF_S) - 1)]
        child.start_at = now + wait
        child.health = msgspec.structs.replace(child.health, state="restarting")
        log.warning("%s died by %s%s: restarting", child.label, cause, detail)

    def _stop_next(self, now: float) -> None:
        """Terminate the first stage that still runs, with all its cameras; kill it after its stop timeout."""
        running = [child for child in self.children if child.is_alive]
        if not running:
            return
        group = [child for child in running if child.row.name == running[0].row.name]
        for child in group:
            assert child.process is not None
            if not child.is_terminating:
                child.is_terminating = True
                child.process.terminate()
                self._kill_at = now + child.row.stop_s
            elif now > self._kill_at:
                log.warning("%s did not stop in %.0f s: killed", child.label, child.row.stop_s)
                child.process.kill()

    def _publish_health(self, now: float) -> None:
        is_due = now >= self._health_at
        if is_due:
            self._health_at = now + HEALTH_INTERVAL_S
        for sender in self._health:
            for child in self.children if is_due else ():
                sender.put(child.health)
            sender.pump(now)

    def _finished(self) -> bool:
        return self.is_stopping and not any(child.is_alive for child in self.children)

    def _read_beats(self, child: StageProcess) -> None:
        if not child.read_heartbeats(time.monotonic()) and child.heartbeat_fd in self._selector.get_map():
            self._selector.unregister(child.heartbeat_fd)

    def _read_log(self, child: StageProcess) -> None:
        stream = child.process.stderr if child.process else None
        data = stream.read() if stream else None
        if stream and data == b"" and stream in self._selector.get_map():
            self._selector.unregister(stream)
        for line in (data or b"").decode(errors="replace").splitlines():
            self._on_log(line)

    def _watch_signals(self) -> None:
        ours, theirs = socket.socketpair()
        # a signal writes a byte to this socket, which wakes the selector: no code runs in the signal handler
        for end in (ours, theirs):
            end.setblocking(False)
        self._signals = (ours, theirs)
        self._previous_wakeup_fd = signal.set_wakeup_fd(theirs.fileno())
        self._previous_handlers = {s: signal.signal(s, lambda *_: None) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        self._selector.register(ours, selectors.EVENT_READ, self._on_signal)

    def _on_signal(self) -> None:
        for number in self._signals[0].recv(64):
            if self.is_stopping:
                log.warning("second %s: stopping without draining", signal.Signals(number).name)
                self._kill_all()
            self.stop()

    def _restore_signals(self) -> None:
        signal.set_wakeup_fd(self._previous_wakeup_fd)
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)
        for end in self._signals:
            end.close()
        self._selector.close()

    def _kill_all(self) -> None:
        for child in self.children:
            if child.process is not None and child.process.poll() is None:
                child.process.kill()
                child.process.wait()


def _separation(row: StageRow) -> dict[str, Any]:
    """Arguments of Popen that keep Ctrl-C in a terminal from a worker: a process group, or a session if its row says so."""
    if row.own_session or sys.version_info < (3, 11):  # Popen's `process_group` is new in Python 3.11
        return {"start_new_session": True}
    return {"process_group": 0}
