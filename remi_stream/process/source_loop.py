"""Worker loop of a source, which captures in a thread of its own."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from typing import Any

import msgspec

from remi_stream.capture.preprocess import render_view
from remi_stream.errors import EXIT_CRASHED
from remi_stream.messages import FrameMessage
from remi_stream.pipeline import StageRow
from remi_stream.process.outputs import StageOutputs
from remi_stream.stage import MAX_SLEEP_S, SourceStage, StageSpec, SteerableSource, WatchdogClock
from remi_stream.transport.link import LinkContext, SocketPoller, Subscriber

HANG_TIMEOUT_S = 6.0
"""Timeout of one call of `step`, s; the process then ends and is restarted."""

MAX_PASS_S = 0.5
"""A pass of the loop that takes longer, s, counts as this long: the process was paused."""

log = logging.getLogger("remi_stream")


class SourceLoop:
    """Runs a source in a thread and sends its newest frame to each consumer with credit."""

    def __init__(self, spec: StageSpec, row: StageRow, stage: SourceStage) -> None:
        self.counts = stage.counts
        self.facts: dict[str, str] = {}  # none: what users may know of a camera is in its CameraFacts
        self._spec, self._row, self._stage = spec, row, stage
        self._context = LinkContext()
        # full, it blocks the thread: a file must not be read far ahead of its consumers
        self._ready: queue.Queue[list[Any] | BaseException | None] = queue.Queue(maxsize=4)
        # self-pipe: the poller waits for sockets and file descriptors, but cannot wait for a queue
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        self._clock = WatchdogClock(MAX_PASS_S)
        self._stepping_since: float | None = None
        self._opened = threading.Event()
        self._open_error: Exception | None = None
        self._stop = threading.Event()
        self._waiter = SocketPoller()
        self._steered = stage if isinstance(stage, SteerableSource) else None
        self._bus: Subscriber | None = None

    def open(self) -> None:
        """Open the source in its thread, which reads from then on; connect the links."""
        threading.Thread(target=self._run, name="source", daemon=True).start()
        self._opened.wait()
        if self._open_error:
            raise self._open_error
        self._outputs = StageOutputs(self._context, self._spec, self._row, render_view)
        for socket in [*self._outputs.sockets, self._wake_read]:
            self._waiter.register(socket)
        if self._row.reads:
            topics = map(self._topic_of_camera, self._row.reads)
            self._bus = Subscriber(self._context, self._spec.daemon, topics, self._spec.config.camera_names)
            self._waiter.register(self._bus.socket)

    def run_once(self, now: float) -> bool:
        """Send captured messages, as far as credits allow."""
        self._clock.advance(now)
        self._check_hang(self._clock.now)
        self._outputs.pump(now)
        self._read_bus()
        more = True
        while more and not self._outputs.is_full and not self._ready.empty():
            more = self._send(self._ready.get())
        if more:
            self._waiter.wait(0.005 if self._outputs.is_full else MAX_SLEEP_S)
            self._clear_wake()
        return more

    def drain(self) -> None:
        """Stop reading, then deliver what is queued."""
        self._stop.set()
        self._outputs.flush()

    def close(self) -> None:
        """Close the links; the thread dies with the process."""
        self._stop.set()
        self._context.close()

    def _run(self) -> None:
        # on Linux of this thread only, and of those that it starts: the source's and its decoder's
        os.nice(self._row.reader_nice(self._spec.config))
        try:
            self._stage.open()
        except Exception as error:  # noqa: BLE001 - handed to the loop's thread, which raises it
            self._open_error = error
        finally:
            self._opened.set()
        if not self._open_error:
            self._read()

    def _read(self) -> None:
        messages: Any = ()
        while messages is not None and not self._stop.is_set():
            self._stepping_since = self._clock.now
            try:
                messages = self._stage.step()
            except Exception as error:  # noqa: BLE001 - handed to the loop's thread, which raises it
                messages = error
            self._stepping_since = None
            if messages == []:
                continue  # a frame that is not used must not wake the other thread
            self._ready.put(messages)
            os.write(self._wake_write, b".")
            if isinstance(messages, Exception):
                return
        self._stage.close()

    def _topic_of_camera(self, topic: str) -> str:
        return f"{topic}/{self._spec.camera}"

    def _read_bus(self) -> None:
        """Pass bus messages for this camera to the source. Subscriptions match prefixes: other cameras' names may start alike."""
        while self._bus and self._steered and (item := self._bus.receive(0)) is not None:
            if item[0] in map(self._topic_of_camera, self._row.reads):
                self._steered.handle_command(item[1])

    def _send(self, messages: Any) -> bool:
        if isinstance(messages, Exception):
            raise messages
        now = time.monotonic()
        for message in messages or ():
            if isinstance(message, FrameMessage):
                message = msgspec.structs.replace(message, stamps={**message.stamps, self._row.name: now})
                self.counts["frames"] += 1
            self._outputs.send(message)
        self.counts["dropped"] = self._outputs.dropped
        self.counts["invalid"] = self._outputs.invalid + (self._bus.invalid.count if self._bus else 0)
        return messages is not None

    def _check_hang(self, now: float) -> None:
        since = self._stepping_since
        if since is not None and now - since > HANG_TIMEOUT_S:
            log.error("one call of the source has taken %.0f s; this process ends", now - since)
            os._exit(EXIT_CRASHED)  # the thread hangs in a C call and cannot be interrupted

    def _clear_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
