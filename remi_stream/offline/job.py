"""A film from its first frame to its published results: chunk by chunk, so that a killed run goes on where it was."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from remi_stream import __version__
from remi_stream.errors import RemiError
from remi_stream.formats.exports import Export
from remi_stream.formats.take import Take
from remi_stream.messages import Bodies
from remi_stream.mounts import why_unwritable
from remi_stream.offline.ahead import ahead
from remi_stream.offline.chain import Chain
from remi_stream.offline.following import Following
from remi_stream.offline.footage import Footage
from remi_stream.offline.results import Index, StoredFrames, write_chunk, write_index
from remi_stream.offline.unfinished import Progress, Unfinished, unfinished

CHUNK = 300
DECODED_AHEAD = 8
DEFAULT_FPS = 30.0
"""Of a film that does not tell, and has one frame."""

Tell = Callable[[Bodies], None]
Smooth = Callable[[Take], Take]


class Settings(NamedTuple):
    """How it is done. words: all that the results' bytes depend on besides the film. smooth: the whole take, at the end."""

    words: str
    detector: str
    max_people: int | None = None
    exports: Mapping[str, Export] = {}
    smooth: Smooth | None = None
    chunk: int = CHUNK


class Done(NamedTuple):
    """folder: of the results. frames: in all; resumed: those that an earlier run had done. people: ids, or sightings of pictures
    that are apart. files: of the exports.
    """

    folder: Path
    frames: int
    resumed: int
    people: int
    left_out: Sequence[str]
    files: list[Path]


def work_through(footage: Footage, out: Path, chain: Chain, settings: Settings, tell: Tell) -> Done:
    """Work through an opened film and publish `out`/name. tell: is told each frame. Raises RemiError, and publishes nothing."""
    final = out / footage.name
    try:
        with unfinished(final) as work:
            progress = work.progress(order_of(footage, settings))
            resumed = progress.frames
            progress = _run(footage, work, chain, settings, progress, tell)
            take = _finish(footage, work, chain, settings, progress)
            files = _published(work, settings, take)
            work.publish()
    except OSError as error:
        why = why_unwritable(final, error, "Make room or mend that; the same command goes on")
        raise RemiError(f"Cannot write {final}: {why}") from None
    people = progress.sightings if footage.apart else _ids(progress)
    return Done(final, progress.frames, resumed, people, footage.left_out, [final / path for path in files])


def order_of(footage: Footage, settings: Settings) -> str:
    """What results are made of and with: two runs with the same words end with the same bytes on one machine."""
    status = footage.source.stat()
    film = [str(footage.source.resolve()), status.st_size, status.st_mtime_ns]
    return msgspec.json.encode([__version__, film, settings.words, settings.chunk]).decode()


def _run(footage: Footage, work: Unfinished, chain: Chain, settings: Settings, progress: Progress, tell: Tell) -> Progress:
    """Make the chunks that are not there yet."""
    following = Following(settings.max_people)
    with contextlib.closing(ahead(footage.frames(progress.frames), DECODED_AHEAD)) as frames:
        while True:
            if progress.following is not None:
                following.restore(progress.following)
            chunk = list(_told(chain.run(islice(frames, settings.chunk), following, apart=footage.apart), tell))
            if chunk:
                progress = _with(progress, chunk, following)
                work.add(progress, chunk)
            if len(chunk) < settings.chunk:
                return progress


def _with(progress: Progress, chunk: list[Bodies], following: Following) -> Progress:
    sightings = progress.sightings + sum(len(bodies.people) for bodies in chunk)
    return Progress(progress.order, progress.chunks + 1, progress.frames + len(chunk), sightings, following.state())


def _told(frames: Iterator[Bodies], tell: Tell) -> Iterator[Bodies]:
    for bodies in frames:
        tell(bodies)
        yield bodies


def _finish(footage: Footage, work: Unfinished, chain: Chain, settings: Settings, progress: Progress) -> tuple[Take, Index]:
    """The take of all chunks, smoothed if that is asked for, in its place."""
    stored = StoredFrames(work.raw, progress.frames, settings.chunk)
    fps = footage.fps or _mean_fps(stored)
    take = Take(footage.name, stored[0].size, fps, stored, tuple(footage.names), footage.source)
    work.begin_last_step()
    if settings.smooth:
        take = settings.smooth(take)
    for number, chunk in enumerate(_chunks(take.frames, settings.chunk)):
        write_chunk(work.folder, number, chunk)
    frames = StoredFrames(work.folder, progress.frames, settings.chunk)
    index = Index(
        name=take.name,
        size=take.size,
        fps=take.fps,
        count=progress.frames,
        chunk=settings.chunk,
        engine=chain.engine.name,
        detector=settings.detector,
        broken=len(footage.left_out),
        images=list(take.images),
        source=str(footage.source.resolve()),
    )
    return Take(take.name, take.size, take.fps, frames, take.images, take.source), index


def _chunks(frames: Sequence[Bodies], size: int) -> Iterator[list[Bodies]]:
    rest = iter(frames)
    while chunk := list(islice(rest, size)):
        yield chunk


def _published(work: Unfinished, settings: Settings, finished: tuple[Take, Index]) -> list[Path]:
    """Write the exports, then the index; their paths inside of the folder."""
    take, index = finished
    files = [path for export in settings.exports.values() for path in _exported(export, take, work.folder)]
    write_index(work.folder, index)
    return [path.relative_to(work.folder) for path in files]


def _exported(export: Export, take: Take, folder: Path) -> list[Path]:
    """Write an export among the others of a film, and give its paths."""
    (folder / export.folder).mkdir(exist_ok=True)
    return export.write(take, folder / export.folder)


def _mean_fps(frames: Sequence[Bodies]) -> float:
    duration_s = frames[-1].captured_at - frames[0].captured_at
    return (len(frames) - 1) / duration_s if duration_s > 0 else DEFAULT_FPS


def _ids(progress: Progress) -> int:
    """How many ids were given."""
    return int(progress.following[0]) - 1 if progress.following else 0
