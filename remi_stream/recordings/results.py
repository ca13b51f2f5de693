"""Results of an offline run: a folder with an index and a file per chunk of frames. Read back as a Take.

    take = open_take(Path("out/walk"))          # the folder that `remi-stream video walk.mp4 --out out` made
    for bodies in take.frames: ...              # repeatable; one chunk at a time is in memory

Besides the engine's output, `Person.native` has the detector's: `detected_xyxy` (4,) float32 px, tight, and `detected_score`
(1,) float32. With `--native`, an engine that supports it adds its own outputs there.

A chunk is MessagePack: a list of frames, each a list of the parts that `messages.MessageCodec(Bodies)` makes. captured_at is
s from the video's first frame; frame_id is the frame's number in the video, from 0, also if frames were skipped.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec

from remi_stream.atomic_files import atomic_file
from remi_stream.errors import RemiError, UsageError
from remi_stream.messages import Bodies, MessageCodec
from remi_stream.paths import path_from_text
from remi_stream.recordings.take import StoredFrames, Take
from remi_stream.text_files import read_json

TAKE_FOLDER, RESULTS_INDEX_FILE = "take", "index.json"
"""Folder of the chunks, and its index."""
RAW_FOLDER, PROGRESS_FILE, LOCK_FILE = "raw", "state.msgpack", "lock"
"""In unfinished results: folder of the chain's chunks, file of the progress, lock file."""
DETECTED_BOX_KEY, DETECTED_SCORE_KEY = "detected_xyxy", "detected_score"
"""Keys in `Person.native`."""


class ResultsIndex(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Metadata of the results."""

    schema: Literal[1] = 1
    name: str
    size: tuple[int, int]
    """(width, height) px."""
    fps: float
    count: int
    """Number of frames."""
    chunk: int
    """Frames per file; the last one may have fewer."""
    engine: str
    """Its name."""
    detector: str
    """Its name."""
    broken: int = 0
    """Number of images or packets that could not be read."""
    images: list[str] = []
    """File names, if the source is an image folder."""
    source: str | None = None
    """Absolute path of the video or folder; a file URI if its name is not valid text."""
    source_fps: float | None = None
    """Frame rate that was used instead of the video's times."""


class ChunkedFrames(StoredFrames):
    """The frames in a folder; the last chunk read is cached."""

    def __init__(self, folder: Path, count: int, chunk: int) -> None:
        self._folder, self._count, self._chunk = folder, count, chunk
        # one chunk only: a video of hours must fit into the memory
        self._cached: tuple[int, list[Bodies]] = (-1, [])

    def __len__(self) -> int:
        return self._count

    def read_frame(self, index: int) -> Bodies:
        """Read a frame's chunk."""
        return self._read(index // self._chunk)[index % self._chunk]

    def __iter__(self) -> Iterator[Bodies]:
        for number in range(-(-self._count // self._chunk)):
            yield from self._read(number)

    def _read(self, number: int) -> list[Bodies]:
        if self._cached[0] != number:
            self._cached = (number, read_chunk(self._folder, number))
        return self._cached[1]


def open_results(folder: Path) -> Take:
    """Open the results of `video` or `images`. Raises UsageError if there are none."""
    index = read_results_index(folder)
    frames = ChunkedFrames(folder, index.count, index.chunk)
    source = path_from_text(index.source) if index.source else None
    source = source if source and source.exists() else None
    return Take(index.name, index.size, index.fps, frames, index.images, source, index.source_fps)


def read_results_index(folder: Path) -> ResultsIndex:
    """Read the index of results. Raises UsageError if there is none."""
    path = folder / TAKE_FOLDER / RESULTS_INDEX_FILE
    try:
        return read_json(path, ResultsIndex)
    except OSError as error:
        raise UsageError(f"{folder} has no results ({path}: {error.strerror}). Make some: remi-stream video") from None
    except ValueError as error:
        raise UsageError(f"{path} is not an index of results: {error}") from None


def write_results_index(folder: Path, index: ResultsIndex) -> None:
    """Write the index, which completes the results. Raises OSError."""
    with atomic_file(folder / TAKE_FOLDER / RESULTS_INDEX_FILE) as file:
        file.write(msgspec.json.format(msgspec.json.encode(index)) + b"\n")


def write_chunk(folder: Path, number: int, frames: Sequence[Bodies]) -> None:
    """Write the frames of a chunk atomically. Raises OSError; then no file is left."""
    codec = MessageCodec(Bodies)
    with atomic_file(chunk_path(folder, number)) as file:
        file.write(msgspec.msgpack.encode([codec.encode(bodies) for bodies in frames]))


def read_chunk(folder: Path, number: int) -> list[Bodies]:
    """Read the frames of a chunk. Raises RemiError if it is damaged."""
    path, codec = chunk_path(folder, number), MessageCodec(Bodies)
    try:
        return [codec.decode(parts) for parts in msgspec.msgpack.decode(path.read_bytes(), type=list[list[bytes]])]
    except (OSError, msgspec.MsgspecError) as error:
        raise RemiError(f"{path} cannot be read ({error}). Process the video again") from None


def chunk_path(folder: Path, number: int) -> Path:
    """Path of a chunk."""
    return folder / TAKE_FOLDER / f"{number:06d}.msgpack"


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
    """Results in work: a hidden, locked folder beside the final one, resumable, renamed to `final` when it is complete.

    raw: folder of the chain's chunks, before smoothing.
    """

    def __init__(self, final: Path) -> None:
        self.final = final
        # hidden, and beside the final folder: a rename works only within one file system
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
        # in this order: after a kill between the two the chunk is processed again, never missing
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
    # flock ends with the process: a killed run leaves no stale lock
    with open(work.folder / LOCK_FILE, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RemiError(f"Another process is working on {final}. Wait for it, or give another --out") from None
        yield work
