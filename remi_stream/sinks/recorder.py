"""Recorder sink: writes everything that is published to files. A slow or full disk never blocks another stage."""

from __future__ import annotations

import logging
import tempfile
import threading
from pathlib import Path

from remi_stream.config import Config
from remi_stream.errors import RemiError, UsageError
from remi_stream.messages import Health
from remi_stream.permission_hints import write_error_hint
from remi_stream.recordings.finish import recover_all
from remi_stream.recordings.writer import RecorderBuffer, RecorderItem, RecordingSwitch, RecordingWriter
from remi_stream.stage import Sink, StageSpec

BUFFER_DEPTH = 1024
"""Messages in the buffer: half a minute of one camera."""

log = logging.getLogger("remi_stream")


class RecorderSink(Sink):
    """Passes messages through a buffer to a writer thread. restarts: number of restarts of the stage."""

    def __init__(self, config: Config, restarts: int = 0, depth: int = BUFFER_DEPTH) -> None:
        super().__init__()
        assert config.record is not None
        self._parent = Path(config.record).resolve()
        self._restarts = restarts
        self._buffer = RecorderBuffer(depth)
        self._overflowing, self._on, self._working = False, True, False
        self._writer = RecordingWriter(self._parent, self._buffer)
        self._thread = threading.Thread(target=self._writer.run, name="writer", daemon=True)
        self.tick(0.0)

    def open(self) -> None:
        """Check the folder and start writing. A folder that cannot be written is fatal only at the daemon's start."""
        self._thread.start()
        self._working = True
        try:
            check_recording_folder(self._parent)
        except RemiError as error:
            if not self._restarts:
                raise
            self._writer.fail(str(error))
            return
        threading.Thread(target=recover_all, args=(self._parent,), name="recovery", daemon=True).start()

    def step(self, message: RecorderItem | Health) -> None:
        """Put a message into the buffer; the relay's health says whether recording is on."""
        if isinstance(message, Health):
            if "record" in message.facts:
                self._switch(message.facts["record"] == "on")
            return
        fits = self._buffer.put(message)
        if not fits and not self._overflowing:
            log.warning("the disk is too slow, bodies are dropped; the recording's index lists them")
        self._overflowing = not fits

    def tick(self, now: float) -> None:
        """Update facts and counts for the next heartbeat."""
        if self._working and not self._thread.is_alive():
            raise RuntimeError("the recorder's thread ended with an error; see the traceback above")
        writer = self._writer
        self.facts["recording"] = writer.state
        self.counts["bodies"], self.counts["written_bytes"] = writer.bodies, writer.written_bytes
        self.counts["dropped"], self.counts["errors"] = self._buffer.dropped + writer.dropped, writer.errors

    def close(self) -> None:
        """Write what is left and the final files."""
        self._working = False
        self._buffer.put_end()
        self._thread.join()

    def _switch(self, on: bool) -> None:
        """Pass a change on to the thread; if the buffer is full, the next heartbeat retries."""
        if on != self._on and self._buffer.put(RecordingSwitch(on)):
            self._on = on


def check_recording_folder(folder: Path) -> None:
    """Create the folder and write a test file. Raises UsageError or RemiError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"remi-stream")
            file.flush()
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"Cannot record to {folder}: it is not a folder. Give a folder (--record DIR)") from None
    except OSError as error:
        why = write_error_hint(folder, error, "Give a writable folder")
        raise RemiError(f"Cannot record to {folder}: {why}") from None


def make_recorder_stage(spec: StageSpec) -> RecorderSink:
    """Make the recorder stage."""
    return RecorderSink(spec.config, spec.restarts)
