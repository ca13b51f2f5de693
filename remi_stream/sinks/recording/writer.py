"""What the recorder's thread does: takes from the buffer, writes to the disk, and gives up when the disk does."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable
from pathlib import Path

import av

from remi_stream.messages import Bodies, CameraFacts, Frame
from remi_stream.sinks.recording.buffer import Buffer, Item, Switch
from remi_stream.sinks.recording.recording import Recording

FLUSH_S = 0.5

log = logging.getLogger("remi_stream")


class Writer:
    """One recording per camera.

    bodies: on the disk so far. dropped: lost when it gave up, and since. errors: of the disk. written_bytes: to journals.
    """

    def __init__(self, parent: Path, buffer: Buffer) -> None:
        self.bodies = self.dropped = self.errors = self.written_bytes = 0
        self._parent, self._buffer = parent, buffer
        self._on, self._failed = True, False
        self._unflushed = 0
        self._recordings: dict[str, Recording] = {}
        self._cameras: dict[str, CameraFacts] = {}

    @property
    def state(self) -> str:
        """One of RECORDER_STATES."""
        if self._failed:
            return "failed"
        return "on" if self._recordings else "waiting" if self._on else "off"

    def run(self) -> None:
        """Work until the end of the buffer."""
        more = True
        while more:
            more = self._take_until(time.monotonic() + FLUSH_S)
            self._try(self._flush)
        self._note_tails()
        self._end_all()

    def fail(self, why: str) -> None:
        """Give up recording, and nothing else; what comes from now on is counted as dropped."""
        self._failed = True
        self.errors += 1
        log.error("recording stopped: %s. Everything else goes on", why)

    def _take_until(self, end: float) -> bool:
        while (now := time.monotonic()) < end:
            try:
                item = self._buffer.take(end - now)
            except queue.Empty:
                return True
            if item is None:
                return False
            self._take(item)
        return True

    def _take(self, item: Item) -> None:
        if isinstance(item, CameraFacts):
            self._take_facts(item)
        elif isinstance(item, Switch):
            self._switch(item.on)
        elif self._on and not self._failed:
            self._try(lambda: self._record(item))
        elif self._on and isinstance(item, Bodies):
            self.dropped += 1

    def _take_facts(self, facts: CameraFacts) -> None:
        self._cameras[facts.camera] = facts
        if facts.camera in self._recordings:
            self._recordings[facts.camera].take_facts(facts)

    def _switch(self, on: bool) -> None:
        """Begin or end recording; what has failed is tried again when it is switched on again."""
        self._on, self._failed = on, False
        if not on:
            self._try(self._flush)
            self._end_all()

    def _record(self, item: Bodies | Frame) -> None:
        if isinstance(item, Bodies):
            self._unflushed += 1
            self._recording(item.camera).take_bodies(item)
        elif item.camera in self._recordings:
            self._recordings[item.camera].take_preview(item)

    def _recording(self, camera: str) -> Recording:
        if camera not in self._recordings:
            self._recordings[camera] = Recording(self._parent, camera)
            log.info("recording to %s", self._recordings[camera].folder)
            if camera in self._cameras:
                self._recordings[camera].take_facts(self._cameras[camera])
        return self._recordings[camera]

    def _note_tails(self) -> None:
        """Tell what found no room since the last bodies that did."""
        for (camera, epoch), reasons in self._buffer.untold().items():
            if camera in self._recordings:
                self._recordings[camera].note_tail(epoch, reasons)

    def _flush(self) -> None:
        for recording in self._recordings.values():
            self.written_bytes += recording.flush()
        self.bodies, self._unflushed = self.bodies + self._unflushed, 0

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (OSError, av.FFmpegError) as error:
            why = error.strerror or str(error)
            self.dropped, self._unflushed = self.dropped + self._unflushed, 0
            self.fail(why)
            self._end_all(why)

    def _end_all(self, reason: str = "") -> None:
        """Make the final files of all recordings. What fails stays a journal, to be finished when there is room."""
        for recording in self._recordings.values():
            try:
                recording.end(reason)
                log.info("recorded %d bodies messages in %s", recording.bodies, recording.folder)
            except (OSError, av.FFmpegError) as error:
                self.errors += 1
                later = f"Later: remi-stream recordings {self._parent} --recover"
                log.error("%s is not finished: %s. %s", recording.folder, error.strerror, later)
        self._recordings.clear()
