"""Offline job: run the chain over footage in chunks and publish the results; a killed run resumes."""

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
"""Frames per chunk; a killed run loses at most one chunk."""
DECODED_AHEAD = 8
"""Frames that are decoded ahead in a thread."""
DEFAULT_FPS = 30.0
"""Frame rate of a video with unknown rate and one frame."""

Tell = Callable[[Bodies], None]
Smooth = Callable[[Take], Take]


class Settings(NamedTuple):
    """Settings of a job."""

    words: str
    """All settings that change the results, as text; a change restarts the job."""
    detector: str
    """Its name, for the index."""
    max_people: int | None = None
    exports: Mapping[str, Export] = {}
    """By name."""
    smooth: Smooth | None = None
    """Smoothing of the whole take, at the end."""
    chunk: int = CHUNK
    """Frames per chunk."""


class Done(NamedTuple):
    """Result of a job."""

    folder: Path
    """Of the results."""
    frames: int
    """Total number of frames."""
    resumed: int
    """Frames done by an earlier run."""
    people: int
    """Number of tracks; for independent images, of detected people."""
    left_out: Sequence[str]
    """Files or packets that could not be read."""
    files: list[Path]
    """Of the exports."""


def work_through(footage: Footage, out: Path, chain: Chain, settings: Settings, tell: Tell) -> Done:
    """Process opened footage and publish `out`/name. tell: called for each frame. Raises RemiError; then nothing is published."""
    final = out / footage.name
    try:
        with unfinished(final) as work:
            progress = work.progress(order_of(footage, settings))
            resumed = progress.frames
            progress = _run(footage, work, chain, settings, progress, tell)
            take = _finish(footage, work, chain, settings, progress)
            files = _write_exports(work, settings, take)
            work.publish()
    except OSError as error:
        why = why_unwritable(final, error, "Free space or fix that; the same command resumes")
        raise RemiError(f"Cannot write {final}: {why}") from None
    people = progress.sightings if footage.apart else _track_count(progress)
    return Done(final, progress.frames, resumed, people, footage.left_out, [final / path for path in files])


def order_of(footage: Footage, settings: Settings) -> str:
    """Fingerprint of a job: two runs with the same one give identical files on one machine."""
    status = footage.source.stat()
    source = [str(footage.source.resolve()), status.st_size, status.st_mtime_ns]
    return msgspec.json.encode([__version__, source, settings.words, settings.chunk]).decode()


def _run(footage: Footage, work: Unfinished, chain: Chain, settings: Settings, progress: Progress, tell: Tell) -> Progress:
    """Process the remaining chunks."""
    following = Following(settings.max_people)
    with contextlib.closing(ahead(footage.frames(progress.frames), DECODED_AHEAD)) as frames:
        while True:
            # restored before each chunk, so that a resumed run and an uninterrupted one give identical results
            if progress.following is not None:
                following.restore(progress.following)
            chunk = list(_notify(chain.run(islice(frames, settings.chunk), following, apart=footage.apart), tell))
            if chunk:
                progress = _add_chunk(progress, chunk, following)
                work.add(progress, chunk)
            if len(chunk) < settings.chunk:
                return progress


def _add_chunk(progress: Progress, chunk: list[Bodies], following: Following) -> Progress:
    sightings = progress.sightings + sum(len(bodies.people) for bodies in chunk)
    return Progress(progress.order, progress.chunks + 1, progress.frames + len(chunk), sightings, following.state())


def _notify(frames: Iterator[Bodies], tell: Tell) -> Iterator[Bodies]:
    for bodies in frames:
        tell(bodies)
        yield bodies


def _finish(footage: Footage, work: Unfinished, chain: Chain, settings: Settings, progress: Progress) -> tuple[Take, Index]:
    """Write the final take, smoothed if configured, and make its index."""
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


def _write_exports(work: Unfinished, settings: Settings, finished: tuple[Take, Index]) -> list[Path]:
    """Write the exports, then the index; return the exports' paths relative to the folder."""
    take, index = finished
    files = [path for export in settings.exports.values() for path in _write_export(export, take, work.folder)]
    write_index(work.folder, index)  # last: a folder with an index is complete
    return [path.relative_to(work.folder) for path in files]


def _write_export(export: Export, take: Take, folder: Path) -> list[Path]:
    """Write an export and return its paths."""
    (folder / export.folder).mkdir(exist_ok=True)
    return export.write(take, folder / export.folder)


def _mean_fps(frames: Sequence[Bodies]) -> float:
    duration_s = frames[-1].captured_at - frames[0].captured_at
    return (len(frames) - 1) / duration_s if duration_s > 0 else DEFAULT_FPS


def _track_count(progress: Progress) -> int:
    """Number of assigned track ids."""
    return int(progress.following[0]) - 1 if progress.following else 0
