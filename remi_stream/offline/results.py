"""What is known of a film, in a folder: an index, and a file for every chunk of frames. Read back as a Take.

    take = open_take(Path("out/walk"))          # the folder that `remi-stream video walk.mp4 --out out` made
    for bodies in take.frames: ...              # as often as wanted; a chunk at a time is in memory

Beside what an engine says of somebody, `Person.native` has what the detector said: `detected_xyxy` (4,) float32 px, tight,
and `detected_score` (1,) float32. An engine that can adds its own outputs there when it is asked to (`--native`).

A chunk is MessagePack: a list of frames, each a list of the parts that `messages.Wire(Bodies)` makes. captured_at is the film's
time, s from its first frame; frame_id is the frame's number in the film, from 0, also where not every frame was taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, overload

import msgspec

from remi_stream.errors import RemiError, UsageError
from remi_stream.formats.take import Take
from remi_stream.messages import Bodies, Wire
from remi_stream.sinks.recording.files import written_whole

FOLDER, INDEX = "take", "index.json"
DETECTED_BOX, DETECTED_SCORE = "detected_xyxy", "detected_score"
"""Names in `Person.native`."""


class Index(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Take without its frames. count: frames; chunk: frames of a file, but for the last one. broken: pictures left out.

    source: absolute path. images: names, of a folder of pictures. engine, detector: names.
    """

    schema: Literal[1] = 1
    name: str
    size: tuple[int, int]
    fps: float
    count: int
    chunk: int
    engine: str
    detector: str
    broken: int = 0
    images: list[str] = []
    source: str | None = None


class StoredFrames(Sequence[Bodies]):
    """The frames of a folder; the chunk that was read last is kept in memory."""

    def __init__(self, folder: Path, count: int, chunk: int) -> None:
        self._folder, self._count, self._chunk = folder, count, chunk
        self._kept: tuple[int, list[Bodies]] = (-1, [])

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Bodies: ...

    @overload
    def __getitem__(self, index: slice) -> list[Bodies]: ...

    def __getitem__(self, index: int | slice) -> Bodies | list[Bodies]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(self._count))]
        place = index + self._count if index < 0 else index
        if not 0 <= place < self._count:
            raise IndexError(f"frame {index} of {self._count}")
        return self._read(place // self._chunk)[place % self._chunk]

    def __iter__(self) -> Iterator[Bodies]:
        for number in range(-(-self._count // self._chunk)):
            yield from self._read(number)

    def _read(self, number: int) -> list[Bodies]:
        if self._kept[0] != number:
            self._kept = (number, read_chunk(self._folder, number))
        return self._kept[1]


def open_take(folder: Path) -> Take:
    """The take of a folder that `video` or `images` has made. Raises UsageError if there is none."""
    index = read_index(folder)
    frames = StoredFrames(folder, index.count, index.chunk)
    source = Path(index.source) if index.source and Path(index.source).exists() else None
    return Take(index.name, index.size, index.fps, frames, index.images, source)


def read_index(folder: Path) -> Index:
    """The index of a folder. Raises UsageError if there is none."""
    path = folder / FOLDER / INDEX
    try:
        return msgspec.json.decode(path.read_bytes(), type=Index)
    except OSError as error:
        raise UsageError(f"{folder} holds no results ({path}: {error.strerror}). Make some: remi-stream video") from None
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path} is no index of results: {error}") from None


def write_index(folder: Path, index: Index) -> None:
    """Write a folder's index; from then on it is a take. Raises OSError."""
    with written_whole(folder / FOLDER / INDEX) as file:
        file.write(msgspec.json.format(msgspec.json.encode(index)) + b"\n")


def write_chunk(folder: Path, number: int, frames: Sequence[Bodies]) -> None:
    """Write the frames of a chunk. Raises OSError; then nothing is left of it."""
    wire = Wire(Bodies)
    with written_whole(chunk_path(folder, number)) as file:
        file.write(msgspec.msgpack.encode([wire.encode(bodies) for bodies in frames]))


def read_chunk(folder: Path, number: int) -> list[Bodies]:
    """The frames of a chunk. Raises RemiError if it is damaged."""
    path, wire = chunk_path(folder, number), Wire(Bodies)
    try:
        return [wire.decode(parts) for parts in msgspec.msgpack.decode(path.read_bytes(), type=list[list[bytes]])]
    except (OSError, msgspec.MsgspecError) as error:
        raise RemiError(f"{path} cannot be read ({error}). Work through the film again") from None


def chunk_path(folder: Path, number: int) -> Path:
    """Where a chunk lies."""
    return folder / FOLDER / f"{number:06d}.msgpack"
