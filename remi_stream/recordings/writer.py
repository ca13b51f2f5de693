"""The recorder's writer: a thread that writes messages from a bounded buffer to the disk.

The process's loop never blocks: what does not fit into the buffer is dropped and counted. A disk error stops the recording only.
"""

from __future__ import annotations

import logging
import queue
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import av

from remi_stream.messages import Bodies, CameraFacts, Frame
from remi_stream.recordings.recording import CameraRecording
from remi_stream.transport.mailbox import add_skipped, pop_skipped

OVERFLOW_REASON = "recorder/overflow"
"""Drop reason: the disk is too slow."""
FLUSH_INTERVAL_S = 0.5
"""Interval between flushes, s; a killed recorder loses as much."""

log = logging.getLogger("remi_stream")


class RecordingSwitch(NamedTuple):
    """Switches recording on or off for the messages that follow."""

    is_on: bool


RecorderItem = Bodies | CameraFacts | Frame | RecordingSwitch


class RecorderBuffer:
    """Queue between the process's loop, which never blocks, and the thread that writes. dropped: bodies so far."""

    def __init__(self, depth: int) -> None:
        self.dropped = 0
        self._queue: queue.Queue[RecorderItem | None] = queue.Queue(depth)
        self._skipped: Counter[tuple[str, int, str]] = Counter()

    def put(self, item: RecorderItem) -> bool:
        """Add an item; False if the queue is full. Dropped bodies are added to `skipped` of the next that fit."""
        if not isinstance(item, Bodies):
            return self._put(item)
        skipped = pop_skipped(self._skipped, item)
        if self._put(add_skipped(item, skipped)):
            return True
        self.dropped += 1
        for reason, count in (Counter(skipped) + Counter(item.skipped) + Counter({OVERFLOW_REASON: 1})).items():
            self._skipped[item.camera, item.epoch, reason] = count
        return False

    def unreported_drops(self) -> dict[tuple[str, int], dict[str, int]]:
        """Drops since the last bodies that fitted: {reason: count} by camera and epoch."""
        drops: dict[tuple[str, int], dict[str, int]] = {}
        for (camera, epoch, reason), count in self._skipped.items():
            drops.setdefault((camera, epoch), {})[reason] = count
        return drops

    def put_end(self) -> None:
        """Put the end marker; blocks until there is room."""
        self._queue.put(None)

    def get(self, timeout_s: float) -> RecorderItem | None:
        """Wait for the next item; None is the end marker. Raises queue.Empty after the timeout."""
        return self._queue.get(timeout=timeout_s)

    def _put(self, item: RecorderItem) -> bool:
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            return False
        return True


class RecordingWriter:
    """Writes one recording per camera.

    bodies: written so far. dropped: lost by and since a failure. errors: disk errors. written_bytes: to journals.
    """

    def __init__(self, parent: Path, buffer: RecorderBuffer) -> None:
        self.bodies = self.dropped = self.errors = self.written_bytes = 0
        self._parent, self._buffer = parent, buffer
        self._on, self._failed = True, False
        self._unflushed = 0
        self._recordings: dict[str, CameraRecording] = {}
        self._cameras: dict[str, CameraFacts] = {}

    @property
    def state(self) -> str:
        """One of RECORDER_STATES."""
        if self._failed:
            return "failed"
        return "on" if self._recordings else "waiting" if self._on else "off"

    def run(self) -> None:
        """Write until the buffer's end marker."""
        running = True
        # the last round flushes too: the end marker comes after all messages
        while running:
            running = self._process_until(time.monotonic() + FLUSH_INTERVAL_S)
            self._try(self._flush)
        self._record_trailing_gaps()
        self._end_all()

    def fail(self, why: str) -> None:
        """Stop recording after an error; the messages that follow are counted as dropped."""
        self._failed = True
        self.errors += 1
        log.error("recording stopped: %s. All other stages continue", why)

    def _process_until(self, end: float) -> bool:
        while (now := time.monotonic()) < end:
            try:
                item = self._buffer.get(end - now)
            except queue.Empty:
                return True
            if item is None:
                return False
            self._process(item)
        return True

    def _process(self, item: RecorderItem) -> None:
        if isinstance(item, CameraFacts):
            self._add_facts(item)
        elif isinstance(item, RecordingSwitch):
            self._switch(item.is_on)
        elif self._on and not self._failed:
            self._try(lambda: self._record(item))
        # previews are not counted: only bodies are accounted for
        elif self._on and isinstance(item, Bodies):
            self.dropped += 1

    def _add_facts(self, facts: CameraFacts) -> None:
        self._cameras[facts.camera] = facts
        if facts.camera in self._recordings:
            self._recordings[facts.camera].add_camera_facts(facts)

    def _switch(self, on: bool) -> None:
        """Start or end recording; switching on again retries after a failure."""
        self._on, self._failed = on, False
        if not on:
            self._try(self._flush)
            self._end_all()

    def _record(self, item: Bodies | Frame) -> None:
        if isinstance(item, Bodies):
            self._unflushed += 1
            self._recording(item.camera).add_bodies(item)
        # previews alone begin no recording
        elif item.camera in self._recordings:
            self._recordings[item.camera].add_preview(item)

    def _recording(self, camera: str) -> CameraRecording:
        if camera not in self._recordings:
            self._recordings[camera] = CameraRecording(self._parent, camera)
            log.info("recording to %s", self._recordings[camera].folder)
            if camera in self._cameras:
                self._recordings[camera].add_camera_facts(self._cameras[camera])
        return self._recordings[camera]

    def _record_trailing_gaps(self) -> None:
        """Record what was dropped since the last bodies that fitted."""
        for (camera, epoch), reasons in self._buffer.unreported_drops().items():
            if camera in self._recordings:
                self._recordings[camera].add_trailing_gap(epoch, reasons)

    def _flush(self) -> None:
        for recording in self._recordings.values():
            self.written_bytes += recording.flush()
        self.bodies, self._unflushed = self.bodies + self._unflushed, 0

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (OSError, av.FFmpegError) as error:
            why = error.strerror or str(error)
            # nothing of a failed flush is valid
            self.dropped, self._unflushed = self.dropped + self._unflushed, 0
            self.fail(why)
            self._end_all(why)

    def _end_all(self, reason: str = "") -> None:
        """Write the final files of all recordings. On failure the journal stays, to be recovered when there is room."""
        for recording in self._recordings.values():
            try:
                recording.end(reason)
                log.info("recorded %d bodies messages in %s", recording.bodies, recording.folder)
            except (OSError, av.FFmpegError) as error:
                self.errors += 1
                later = f"Later: remi-stream recordings {self._parent} --recover"
                log.error("%s is not finished: %s. %s", recording.folder, error.strerror, later)
        self._recordings.clear()
