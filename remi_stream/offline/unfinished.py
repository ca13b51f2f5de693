"""The folder that results grow in, beside where they will be: hidden, locked, to be gone on with, published when it is whole."""

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
from remi_stream.offline.results import FOLDER, write_chunk
from remi_stream.sinks.recording.files import written_whole

RAW, STATE, LOCK = "raw", "state.msgpack", "lock"


class Progress(msgspec.Struct, frozen=True):
    """What is done. order: what the results are made of and with, in words; with another order they are begun anew.

    following: who was followed at the end of the last chunk, as plain values. frames: done in all; sightings: people in them.
    """

    order: str
    chunks: int = 0
    frames: int = 0
    sightings: int = 0
    following: list[Any] | None = None


class Unfinished:
    """The results of one film while they grow. folder: becomes `final`. raw: where the chunks lie that the chain has made."""

    def __init__(self, final: Path) -> None:
        self.final = final
        self.folder = final.with_name(f".{final.name}.part")
        self.raw = self.folder / RAW

    def progress(self, order: str) -> Progress:
        """What is done by now; everything that belongs to another order is thrown away."""
        try:
            found = msgspec.msgpack.decode((self.folder / STATE).read_bytes(), type=Progress)
        except (OSError, msgspec.MsgspecError):
            found = Progress("")
        if found.order == order:
            return found
        self._clear(LOCK)
        with written_whole(self.folder / STATE) as file:
            file.write(msgspec.msgpack.encode(Progress(order)))
        return Progress(order)

    def add(self, progress: Progress, chunk: Sequence[Bodies]) -> None:
        """Add a chunk; progress: with it. Raises OSError."""
        (self.raw / FOLDER).mkdir(parents=True, exist_ok=True)
        write_chunk(self.raw, progress.chunks - 1, chunk)
        with written_whole(self.folder / STATE) as file:
            file.write(msgspec.msgpack.encode(progress))

    def begin_last_step(self) -> None:
        """Throw away what an earlier attempt at the last step has left; the chunks stay. Raises OSError."""
        self._clear(RAW, STATE, LOCK)
        (self.folder / FOLDER).mkdir()

    def publish(self) -> None:
        """Give the folder its final name, in place of what may be there. Raises OSError."""
        shutil.rmtree(self.raw, ignore_errors=True)
        for name in (STATE, LOCK):
            (self.folder / name).unlink(missing_ok=True)
        old = self.final.with_name(f".{self.final.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if self.final.exists():
            self.final.rename(old)
        self.folder.rename(self.final)
        shutil.rmtree(old, ignore_errors=True)

    def _clear(self, *but: str) -> None:
        for path in self.folder.iterdir():
            if path.name not in but:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def unfinished(final: Path) -> Iterator[Unfinished]:
    """The unfinished results of a film, made or found; nobody else works on them meanwhile. Raises RemiError, OSError."""
    work = Unfinished(final)
    if final.parent.exists() and not final.parent.is_dir():
        raise UsageError(f"--out {final.parent} is no folder. Give another one")
    work.folder.mkdir(parents=True, exist_ok=True)
    with open(work.folder / LOCK, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RemiError(f"Another process works on {final} now. Wait for it, or give another --out") from None
        yield work
