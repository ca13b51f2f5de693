"""Results of an offline run: a folder with an index and a file per chunk of frames. Read back as a Take.

    take = open_take(Path("out/walk"))          # the folder that `remi-stream video walk.mp4 --out out` made
    for bodies in take.frames: ...              # repeatable; one chunk at a time is in memory

Besides the engine's output, `Person.native` has the detector's: `detected_xyxy` (4,) float32 px, tight, and `detected_score`
(1,) float32. With `--native`, an engine that supports it adds its own outputs there.

A chunk is MessagePack: a list of frames, each a list of the parts that `messages.Wire(Bodies)` makes. captured_at is
s from the video's first frame; frame_id is the frame's number in the video, from 0, also if frames were skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, overload

import msgspec

from remi_stream.errors import RemiError, UsageError
from remi_stream.formats.take import Take
from remi_stream.messages import Bodies, MessageCodec
from remi_stream.sinks.recording.files import atomic_file

TAKE_FOLDER, RESULTS_INDEX_FILE = "take", "index.json"
"""Folder of the chunks, and its index."""
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
    """Absolute path of the video or folder."""


class ChunkedFrames(Sequence[Bodies]):
    """Sequence of the frames in a folder; the last chunk read is cached."""

    def __init__(self, folder: Path, count: int, chunk: int) -> None:
        self._folder, self._count, self._chunk = folder, count, chunk
        self._cached: tuple[int, list[Bodies]] = (-1, [])

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Bodies: ...

    @overload
    def __getitem__(self, index: slice) -> list[Bodies]: ...

    def __getitem__(self, index: int | slice) -> Bodies | list[Bodies]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(self._count))]
        number = index + self._count if index < 0 else index
        if not 0 <= number < self._count:
            raise IndexError(f"frame {index} of {self._count}")
        return self._read(number // self._chunk)[number % self._chunk]

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
    source = Path(index.source) if index.source and Path(index.source).exists() else None
    return Take(index.name, index.size, index.fps, frames, index.images, source)


def read_results_index(folder: Path) -> ResultsIndex:
    """Read the index of results. Raises UsageError if there is none."""
    path = folder / TAKE_FOLDER / RESULTS_INDEX_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=ResultsIndex)
    except OSError as error:
        raise UsageError(f"{folder} has no results ({path}: {error.strerror}). Make some: remi-stream video") from None
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path} is not an index of results: {error}") from None


def write_results_index(folder: Path, index: ResultsIndex) -> None:
    """Write the index, which completes the results. Raises OSError."""
    with atomic_file(folder / TAKE_FOLDER / RESULTS_INDEX_FILE) as file:
        file.write(msgspec.json.format(msgspec.json.encode(index)) + b"\n")


def write_chunk(folder: Path, number: int, frames: Sequence[Bodies]) -> None:
    """Write the frames of a chunk atomically. Raises OSError; then no file is left."""
    wire = MessageCodec(Bodies)
    with atomic_file(chunk_path(folder, number)) as file:
        file.write(msgspec.msgpack.encode([wire.encode(bodies) for bodies in frames]))


def read_chunk(folder: Path, number: int) -> list[Bodies]:
    """Read the frames of a chunk. Raises RemiError if it is damaged."""
    path, wire = chunk_path(folder, number), MessageCodec(Bodies)
    try:
        return [wire.decode(parts) for parts in msgspec.msgpack.decode(path.read_bytes(), type=list[list[bytes]])]
    except (OSError, msgspec.MsgspecError) as error:
        raise RemiError(f"{path} cannot be read ({error}). Process the video again") from None


def chunk_path(folder: Path, number: int) -> Path:
    """Path of a chunk."""
    return folder / TAKE_FOLDER / f"{number:06d}.msgpack"
