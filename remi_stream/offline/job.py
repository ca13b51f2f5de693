"""Offline job: run the chain over footage in chunks and publish the results; a killed run resumes."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from remi_stream import __version__
from remi_stream.capture.footage import Footage
from remi_stream.errors import RemiError, UsageError
from remi_stream.export.registry import ExportFormat
from remi_stream.messages import Bodies
from remi_stream.offline.chain import OfflineChain
from remi_stream.offline.watchdog import StallWatchdog
from remi_stream.paths import printable_path, text_of_path
from remi_stream.permission_hints import write_error_hint
from remi_stream.prefetch import prefetch
from remi_stream.recordings.results import (
    ChunkedFrames,
    JobProgress,
    ResultsIndex,
    UnfinishedResults,
    open_unfinished,
    write_chunk,
    write_results_index,
)
from remi_stream.recordings.take import Take
from remi_stream.tracking.offline import OfflineTracker
from remi_stream.tracking.video_tracker import VideoTracker

CHUNK_FRAMES = 300
"""Frames per chunk; a killed run loses at most one chunk."""
PREFETCHED_FRAMES = 8
"""Frames that are decoded ahead in a thread."""
STATE_VERSION = 2
"""Version of the trackers' state between chunks; a run with another one starts again."""
DEFAULT_FPS = 30.0
"""Frame rate of a video with unknown rate and one frame."""

FrameCallback = Callable[[Bodies], None]
TakeSmoother = Callable[[Take], Take]


class JobSettings(NamedTuple):
    """Settings of a job."""

    fingerprint: str
    """All settings that change the results, as text; a change restarts the job."""
    detector: str
    """Its name, for the index."""
    max_people: int | None = None
    exports: Mapping[str, ExportFormat] = {}
    """By name."""
    smooth: TakeSmoother | None = None
    """Smoothing of the whole take, at the end."""
    chunk_frames: int = CHUNK_FRAMES
    """Frames per chunk."""
    watchdog: StallWatchdog | None = None
    """Reports and ends a run that stands still."""


class JobResult(NamedTuple):
    """Result of a job."""

    folder: Path
    """Of the results."""
    frames: int
    """Total number of frames."""
    resumed: int
    """Frames done by an earlier run."""
    people: int
    """Number of tracks; for independent images, of detected people."""
    unreadable: Sequence[str]
    """Files or packets that could not be read."""
    files: list[Path]
    """Of the exports."""


def run_job(footage: Footage, out: Path, chain: OfflineChain, settings: JobSettings, on_frame: FrameCallback) -> JobResult:
    """Process opened footage and publish `out`/name. on_frame: called for each frame. After a RemiError nothing is published."""
    if footage.name in (".", ".."):  # "...mp4" without its suffix
        raise UsageError(f"{footage.source}: results cannot be named {footage.name!r}. Rename the file")
    final = out / footage.name
    try:
        # everything is written beside the final folder and renamed at the end: results appear whole or not at all
        with open_unfinished(final) as work:
            progress = work.load_progress(job_fingerprint(footage, settings))
            resumed = progress.frames
            with _watching(settings.watchdog, footage, chain):
                progress = _run(footage, work, chain, settings, progress, on_frame)
            take = _finish(footage, work, chain, settings, progress)
            files = _write_exports(work, settings, take)
            work.publish()
    except OSError as error:
        why = write_error_hint(final, error, "Free space or fix that; the same command resumes")
        raise RemiError(f"Cannot write {printable_path(final)}: {why}") from None
    people = progress.people if footage.is_independent else _track_count(progress)
    return JobResult(final, progress.frames, resumed, people, footage.unreadable, [final / path for path in files])


def job_fingerprint(footage: Footage, settings: JobSettings) -> str:
    """Fingerprint of a job: two runs with the same one give identical files on one machine."""
    # size and time instead of a hash: a video may have many GB
    status = footage.source.stat()
    source = [text_of_path(footage.source.resolve()), status.st_size, status.st_mtime_ns]
    return msgspec.json.encode([__version__, STATE_VERSION, source, settings.fingerprint, settings.chunk_frames]).decode()


def _watching(watchdog: StallWatchdog | None, footage: Footage, chain: OfflineChain) -> AbstractContextManager[None]:
    """Watch the frames of this footage; not smoothing and exports, which have no steps to count."""
    before = chain.counts.copy()  # of the footage before

    def counts() -> dict[str, int]:
        return {"decoded": footage.decoded, **{name: chain.counts[name] - count for name, count in before.items()}}

    return watchdog.watching(counts) if watchdog else contextlib.nullcontext()


def _run(
    footage: Footage,
    work: UnfinishedResults,
    chain: OfflineChain,
    settings: JobSettings,
    progress: JobProgress,
    on_frame: FrameCallback,
) -> JobProgress:
    """Process the remaining chunks."""
    tracker = chain.make_tracker(settings.max_people, footage.is_independent)
    with contextlib.closing(prefetch(footage.frames(progress.frames), PREFETCHED_FRAMES)) as frames:
        while True:
            # restored before each chunk, so that a resumed run and an uninterrupted one give identical results
            if progress.tracker_state is not None:
                tracker.restore_state(progress.tracker_state)
            # the last chunk is short, or empty if the number of frames is a multiple of the chunk size
            chunk = list(
                _notify(chain.run(islice(frames, settings.chunk_frames), tracker, independent=footage.is_independent), on_frame)
            )
            if chunk:
                progress = _add_chunk(progress, chunk, tracker)
                work.add_chunk(progress, chunk)
            if len(chunk) < settings.chunk_frames:
                return progress


def _add_chunk(progress: JobProgress, chunk: list[Bodies], tracker: OfflineTracker | VideoTracker) -> JobProgress:
    people = progress.people + sum(len(bodies.people) for bodies in chunk)
    return JobProgress(progress.fingerprint, progress.chunks + 1, progress.frames + len(chunk), people, tracker.to_state())


def _notify(frames: Iterator[Bodies], on_frame: FrameCallback) -> Iterator[Bodies]:
    for bodies in frames:
        on_frame(bodies)
        yield bodies


def _finish(
    footage: Footage, work: UnfinishedResults, chain: OfflineChain, settings: JobSettings, progress: JobProgress
) -> tuple[Take, ResultsIndex]:
    """Write the final take, smoothed if configured, and make its index."""
    stored = ChunkedFrames(work.raw, progress.frames, settings.chunk_frames)
    fps = footage.fps or _mean_fps(stored)
    take = Take(footage.name, stored[0].size, fps, stored, tuple(footage.image_names), footage.source, footage.forced_fps)
    # the raw chunks stay until the results are published: a kill during smoothing or export costs no inference
    work.begin_final_step()
    if settings.smooth:
        take = settings.smooth(take)
    for number, chunk in enumerate(_chunks(take.frames, settings.chunk_frames)):
        write_chunk(work.folder, number, chunk)
    frames = ChunkedFrames(work.folder, progress.frames, settings.chunk_frames)
    index = ResultsIndex(
        name=take.name,
        size=take.size,
        fps=take.fps,
        count=progress.frames,
        chunk=settings.chunk_frames,
        engine=chain.engine.name,
        detector=settings.detector,
        broken=len(footage.unreadable),
        images=list(take.images),
        source=text_of_path(footage.source.resolve()),
        source_fps=footage.forced_fps,
    )
    return dataclasses.replace(take, frames=frames), index


def _chunks(frames: Sequence[Bodies], size: int) -> Iterator[list[Bodies]]:
    rest = iter(frames)
    while chunk := list(islice(rest, size)):
        yield chunk


def _write_exports(work: UnfinishedResults, settings: JobSettings, finished: tuple[Take, ResultsIndex]) -> list[Path]:
    """Write the exports, then the index; return the exports' paths relative to the folder."""
    take, index = finished
    files = [path for export in settings.exports.values() for path in _write_export(export, take, work.folder)]
    write_results_index(work.folder, index)  # last: a folder with an index is complete
    return [path.relative_to(work.folder) for path in files]


def _write_export(export: ExportFormat, take: Take, folder: Path) -> list[Path]:
    """Write an export and return its paths."""
    (folder / export.subfolder).mkdir(exist_ok=True)
    return export.write(take, folder / export.subfolder)


def _mean_fps(frames: Sequence[Bodies]) -> float:
    duration_s = frames[-1].captured_at - frames[0].captured_at
    return (len(frames) - 1) / duration_s if duration_s > 0 else DEFAULT_FPS


def _track_count(progress: JobProgress) -> int:
    """Number of assigned track ids."""
    # the tracker's state begins with the next id
    return int(progress.tracker_state[0]) - 1 if progress.tracker_state else 0
