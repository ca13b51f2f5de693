"""Unfinished results: a hidden, locked folder beside the final one, resumable, renamed when it is complete."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from remi_stream.errors import RemiError, UsageError
from remi_stream.messages import Bodies
from remi_stream.offline.results import TAKE_FOLDER, write_chunk
from remi_stream.sinks.recording.files import atomic_file

RAW_FOLDER, PROGRESS_FILE, LOCK_FILE = "raw", "state.msgpack", "lock"
"""Folder of the chain's chunks, file of the progress, lock file."""


class JobProgress(msgspec.Struct, frozen=True):
    """Progress of a job."""

    fingerprint: str
    """Fingerprint of source and settings; with another one the job starts over."""
    chunks: int = 0
    """Number of chunks done."""
    frames: int = 0
    """Number of frames done."""
    people: int = 0
    """Number of people in them."""
    tracker_state: list[Any] | None = None
    """State of the tracker after the last chunk, as plain values."""


class UnfinishedResults:
    """Unfinished results. folder: is renamed to `final`. raw: folder of the chain's chunks, before smoothing."""

    def __init__(self, final: Path) -> None:
        self.final = final
        self.folder = final.with_name(f".{final.name}.part")
        self.raw = self.folder / RAW_FOLDER

    def load_progress(self, fingerprint: str) -> JobProgress:
        """Read the progress; deletes everything of a job with another fingerprint."""
        try:
            progress = msgspec.msgpack.decode((self.folder / PROGRESS_FILE).read_bytes(), type=JobProgress)
        except (OSError, msgspec.MsgspecError):
            progress = JobProgress("")
        if progress.fingerprint == fingerprint:
            return progress
        self._clear(LOCK_FILE)
        with atomic_file(self.folder / PROGRESS_FILE) as file:
            file.write(msgspec.msgpack.encode(JobProgress(fingerprint)))
        return JobProgress(fingerprint)

    def add_chunk(self, progress: JobProgress, chunk: Sequence[Bodies]) -> None:
        """Write a chunk, then the progress that includes it. Raises OSError."""
        (self.raw / TAKE_FOLDER).mkdir(parents=True, exist_ok=True)
        write_chunk(self.raw, progress.chunks - 1, chunk)
        with atomic_file(self.folder / PROGRESS_FILE) as file:
            file.write(msgspec.msgpack.encode(progress))

    def begin_final_step(self) -> None:
        """Delete what an earlier attempt at the final step has left; the chunks stay. Raises OSError."""
        self._clear(RAW_FOLDER, PROGRESS_FILE, LOCK_FILE)
        (self.folder / TAKE_FOLDER).mkdir()

    def publish(self) -> None:
        """Rename the folder to its final name, replacing an older one. Raises OSError."""
        shutil.rmtree(self.raw, ignore_errors=True)
        for name in (PROGRESS_FILE, LOCK_FILE):
            (self.folder / name).unlink(missing_ok=True)
        # a folder cannot replace a non-empty one by rename: move the old one aside first
        old = self.final.with_name(f".{self.final.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if self.final.exists():
            self.final.rename(old)
        self.folder.rename(self.final)
        shutil.rmtree(old, ignore_errors=True)

    def _clear(self, *keep: str) -> None:
        for path in self.folder.iterdir():
            if path.name not in keep:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def open_unfinished(final: Path) -> Iterator[UnfinishedResults]:
    """Open or create unfinished results, locked against other processes. Raises RemiError, OSError."""
    work = UnfinishedResults(final)
    if final.parent.exists() and not final.parent.is_dir():
        raise UsageError(f"--out {final.parent} is not a folder. Give another one")
    work.folder.mkdir(parents=True, exist_ok=True)
    with open(work.folder / LOCK_FILE, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RemiError(f"Another process is working on {final}. Wait for it, or give another --out") from None
        yield work
