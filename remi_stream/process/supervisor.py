"""Supervisor: starts the stages, watches their heartbeats, restarts them with back-off, stops them in order.

One thread, one selector. A stage is `starting` until its first heartbeat, `ready` while they come, `restarting` between a
death and the next start, `failed` after five deaths or an error for the user, until it is ready again. What its failures mean
for the daemon is the `restart_policy` of its row. Capture starts when everything else is ready and is stopped first; sinks are
stopped last.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable

from remi_stream.config import Config
from remi_stream.errors import EXIT_DONE, EXIT_GAVE_UP, EXIT_NOT_STARTED, RemiError
from remi_stream.messages import Health
from remi_stream.paths import RunFolder
from remi_stream.pipeline import link_consumers, pipeline_processes
from remi_stream.process.fork_server import ForkServer
from remi_stream.process.stage_process import MAX_DEATHS, StageProcess, make_fork_server
from remi_stream.stage import StageSpec, WatchdogClock
from remi_stream.topics import LINK_TOPICS
from remi_stream.transport.link import LinkContext, Sender, link_address

POLL_S = 0.1
"""Interval of the supervisor's checks, s; heartbeats and log lines wake it earlier."""
MAX_TICK_S = 0.5
"""A tick that takes longer, s, counts as this long, well below the `silent_s` of any stage: see WatchdogClock."""
PAUSE_S = 1.0
"""A tick that takes longer, s, is logged: the supervisor was stopped, suspended or frozen."""
HEALTH_INTERVAL_S = 0.5
"""Interval at which the stages' health is sent to the relay, and the run folder is checked, s."""
FORK_SERVER_PAUSE_S = 30.0
"""Shortest time between two fork servers, s."""

log = logging.getLogger("remi_stream")


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
        self._folder = folder
        self._clock = WatchdogClock(MAX_TICK_S)
        self._fork_server: ForkServer | None = None
        self._fork_server_at = 0.0
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
        self._stop_at = float("inf")

    @property
    def is_ready(self) -> bool:
        """Whether every stage was ready once, is done, or is retried in the background. A camera that reconnects is ready."""
        return not self.is_stopping and all(child.has_settled for child in self.children)

    def run(self) -> int:
        """Run until a signal, the end of all sources, `duration_s` or a failure; return the exit code."""
        self._watch_signals()
        try:
            self._fork_server = make_fork_server(self.children, self.config.name)
        except OSError as error:
            log.warning("the process that forks the cameras cannot be started, so each starts by itself: %s", error.strerror)
        try:
            for child in self.children:
                if not child.row.is_per_camera:
                    self._start(child)
            while not self._finished():
                self._tick()
        finally:
            self._kill_all()
            if self._fork_server:
                self._fork_server.close()
            self._context.close()
            self._restore_signals()
        return self.exit_code

    def stop(self, exit_code: int = EXIT_DONE, reason: str = "") -> None:
        """Start the shutdown: capture first, sinks last."""
        if not self.is_stopping:
            self.is_stopping, self.exit_code, self.reason = True, exit_code, reason

    def _tick(self) -> None:
        for key, _ in self._selector.select(POLL_S):
            key.data()
        now = self._advance_clock()
        # all of them before any is judged: after a pause of this process their heartbeats wait to be read
        for child in self.children:
            self._read_beats(child)
        self._renew_fork_server(now)
        for child in self.children:
            self._watch(child, now)
        if self.is_stopping:
            self._stop_next(now)
        else:
            self._start_cameras()
            self._check_cameras()
        self._publish_health(time.monotonic())
        if self._on_tick:
            self._on_tick([child.health for child in self.children])

    def _advance_clock(self) -> float:
        paused_s = self._clock.advance(time.monotonic())
        if paused_s > PAUSE_S:
            log.warning("the supervisor itself was paused for %.1f s; no stage is blamed for it", paused_s)
        return self._clock.now

    def _watch(self, child: StageProcess, now: float) -> None:
        reason = child.kill_reason(now)
        if reason:
            log.warning("%s is %s: killed", child.label, reason)
            child.kill()
        if child.process and child.process.poll() is not None:
            self._on_death(child, now)
        if child.start_at is not None and now >= child.start_at and not self.is_stopping and not self._must_wait(child):
            child.restarts += child.was_started
            self._start(child)
        child.note_time(now)

    def _must_wait(self, child: StageProcess) -> bool:
        """Whether a stage waits for a fork server that starts, or a camera that could not start for the first try of the others.

        The daemon ends if all cameras fail at their first try.
        """
        if child.fork_server and child.fork_server.is_starting:
            return True
        cameras = [each for each in self.children if each.row.is_per_camera]
        return child.start_error is not None and not child.was_ready and not all(camera.has_settled for camera in cameras)

    def _renew_fork_server(self, now: float) -> None:
        """Start a fork server that has ended again, at most every FORK_SERVER_PAUSE_S; without one the stages start anew."""
        ended = self._fork_server
        if ended is None or self.is_stopping or not ended.has_ended or now < self._fork_server_at:
            return
        self._fork_server_at = now + FORK_SERVER_PAUSE_S
        try:
            self._fork_server = make_fork_server(self.children, self.config.name)
        except OSError as error:
            log.warning("the process that forks the cameras has ended, and cannot be started: %s", error.strerror)
            return
        log.warning("the process that forks the cameras has ended: started again")
        ended.close()

    def _start(self, child: StageProcess) -> None:
        try:
            child.start(self._clock.now)
        except OSError as error:  # EMFILE, ENOMEM, EAGAIN: no fault of the stage, but it does not run
            self._plan_restart(child, f"cannot be started ({error.strerror})", is_error=False)
            return
        assert child.process is not None
        assert child.process.stderr is not None
        assert child.heartbeats is not None
        self._selector.register(child.heartbeats, selectors.EVENT_READ, lambda: None)  # wakes; `_tick` reads
        self._selector.register(child.process.stderr, selectors.EVENT_READ, lambda: self._read_log(child))

    def _start_cameras(self) -> None:
        others = [child for child in self.children if not child.row.is_per_camera]
        if not all(child.has_settled for child in others) or (self._fork_server and self._fork_server.is_starting):
            return
        for child in self.children:
            if child.row.is_per_camera and not child.was_started and child.start_at is None:
                self._start(child)
                if self.config.duration_s and self._stop_at == float("inf"):
                    self._stop_at = time.monotonic() + self.config.duration_s

    def _check_cameras(self) -> None:
        """Stop at the end of all sources, or when those that have not ended could not start."""
        cameras = [child for child in self.children if child.row.is_per_camera]
        if time.monotonic() >= self._stop_at or all(camera.health.state == "done" for camera in cameras):
            self.stop()
            return
        errors = [camera.start_error for camera in cameras if camera.start_error and not camera.was_ready]
        if errors and len(errors) + sum(camera.health.state == "done" for camera in cameras) == len(cameras):
            codes, reasons = zip(*errors)
            self.stop(codes[0] if len(set(codes)) == 1 else EXIT_NOT_STARTED, "; ".join(dict.fromkeys(reasons)))

    def _on_death(self, child: StageProcess, now: float) -> None:
        # a last heartbeat and log lines may still be in the pipes, among them the reason of a failure
        self._read_beats(child)
        self._read_log(child, to_end=True)
        for file in (child.heartbeats, child.process.stderr if child.process else None):
            if file is not None and file in self._selector.get_map():
                self._selector.unregister(file)
        code = child.reap()
        state = child.health.state
        if state == "done" and not child.row.is_per_camera:
            self.stop()
        if self.is_stopping or state == "done":
            return
        if child.is_being_replaced:
            child.is_being_replaced, child.start_at = False, now
        elif state == "failed" and child.health.exit_code:
            self._on_error(child, first=not child.was_ready)
        elif state == "stopping":
            self._plan_restart(child, "was stopped by another process (SIGTERM)", is_error=False)
        else:
            cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            self._plan_restart(child, f"died by {cause}", is_error=False)

    def _on_error(self, child: StageProcess, *, first: bool) -> None:
        """Handle an error for the user. first: it ended the first life of the stage, most likely by a wrong configuration."""
        error = child.health.exit_code, child.health.reason
        if error[0] == EXIT_GAVE_UP or (first and child.row.restart_policy != "back_off"):
            self.stop(*error)
            return
        if first and child.row.is_per_camera:
            child.start_error = error
        self._plan_restart(child, f"failed: {error[1]}", is_error=True)

    def _plan_restart(self, child: StageProcess, cause: str, *, is_error: bool) -> None:
        recent = child.note_failure(self._clock.now)
        if recent >= MAX_DEATHS and child.row.restart_policy == "give_up":
            self.stop(EXIT_GAVE_UP, f"{child.label} died {recent} times in a minute, last: it {cause}; see the log above")
            return
        child.plan_restart(self._clock.now, cause, is_error=is_error)

    def _stop_next(self, now: float) -> None:
        """Ask the first stage that still runs to stop, with all its cameras."""
        running = [child for child in self.children if child.is_alive]
        for child in running:
            if child.row.name == running[0].row.name:
                child.ask_to_stop(now)

    def _check_run_folder(self) -> None:
        """Make the run folder again if another program has removed it, and restart all stages: their sockets were in it."""
        if self.is_stopping or self._folder.is_intact():
            return
        try:
            self._folder.restore()
        except RemiError as error:
            self.stop(EXIT_GAVE_UP, f"{self._folder.path} was removed while this daemon ran. {error}")
            return
        log.error("%s was removed by another program: made again, all stages restart", self._folder.path)
        for child in self.children:
            if child.is_alive and child.health.state != "done":
                child.is_being_replaced = True
                child.ask_to_stop(self._clock.now)

    def _publish_health(self, now: float) -> None:
        is_due = now >= self._health_at
        if is_due:
            self._health_at = now + HEALTH_INTERVAL_S
            self._check_run_folder()
        for sender in self._health:
            for child in self.children if is_due else ():
                sender.put(child.health)
            sender.pump(now)

    def _finished(self) -> bool:
        return self.is_stopping and not any(child.is_alive for child in self.children)

    def _read_beats(self, child: StageProcess) -> None:
        ended = not child.read_heartbeats(self._clock.now)
        if ended and child.heartbeats is not None and child.heartbeats in self._selector.get_map():
            self._selector.unregister(child.heartbeats)

    def _read_log(self, child: StageProcess, *, to_end: bool = False) -> None:
        while lines := child.read_log(to_end=to_end):
            for line in lines:
                self._on_log(line)
            if not to_end:
                return
        stderr = child.process.stderr if child.process else None
        if lines is None and stderr is not None and stderr in self._selector.get_map():
            self._selector.unregister(stderr)

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
