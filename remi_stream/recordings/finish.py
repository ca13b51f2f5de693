"""Finish a recording: write its final files from its journal, after its end, or after its recorder was killed."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from pathlib import Path

import numpy as np

from remi_stream.atomic_files import atomic_file, write_npz
from remi_stream.errors import RemiError
from remi_stream.recordings.index import INDEX_FILE, PREVIEW_FILE, EpochEntry, RecordingIndex, TrackEntry, encode_index
from remi_stream.recordings.journal import EVENTS_FILE, JournalContents, lock_journal, read_journal
from remi_stream.recordings.rows import FRAME_DTYPE, PREVIEW_DTYPE, body_name, frame_arrays, person_dtype, track_arrays

JOURNAL_FOLDER = "unfinished"
"""Folder of the journal."""
KILLED_REASON = "the recorder was killed"
"""Reason in the index of a recovered recording: its journal has no RecordingEnded."""

DAMAGE_ERRORS = (OSError, RemiError, ValueError, LookupError, ArithmeticError, MemoryError)
"""What reading a damaged journal may raise."""

log = logging.getLogger("remi_stream")


def finish_recording(folder: Path) -> RecordingIndex:
    """Write the final files and remove the journal. Raises OSError; then the journal stays for a later attempt."""
    journal = folder / JOURNAL_FOLDER
    contents = read_journal(journal)
    frames = contents.read_rows("frames", FRAME_DTYPE)
    write_npz(folder / "frames.npz", frame_arrays(frames))
    tracks = [_finish_track(folder, contents, name) for name in contents.tracks]
    index = _index(contents, frames, [track for track in tracks if track], _finish_preview(folder, contents))
    # the index comes last: a folder without it still has its journal and can be finished again
    with atomic_file(folder / INDEX_FILE) as file:
        file.write(encode_index(index))
    shutil.rmtree(journal)
    return index


def recover_recording(folder: Path) -> RecordingIndex:
    """Finish a recording whose recorder died. Raises BlockingIOError while its recorder runs."""
    with lock_journal(folder / JOURNAL_FOLDER):
        return finish_recording(folder)


def recover_all(parent: Path) -> int:
    """Finish every recording in a folder whose recorder died; return the number of failures."""
    failed = 0
    for folder in filter(is_unfinished, list_recordings(parent)):
        try:
            index = recover_recording(folder)
            log.info("recovered %s: %d frames", folder, index.frames)
        except BlockingIOError:
            log.info("%s is being recorded", folder)
        except DAMAGE_ERRORS as error:
            failed += 1
            log.warning("%s cannot be recovered: %s. It is left as it is", folder, error or type(error).__name__)
    return failed


def list_recordings(parent: Path) -> list[Path]:
    """List the recordings in a folder, finished or not."""
    return sorted(path for path in parent.iterdir() if _is_recording(path))


def is_unfinished(folder: Path) -> bool:
    """Whether a recording is still being written, or its recorder died."""
    journal = folder / JOURNAL_FOLDER / EVENTS_FILE
    # an empty file: the recorder died, or the disk was full, before the first event
    return journal.exists() and journal.stat().st_size > 0


def _is_recording(path: Path) -> bool:
    try:
        return (path / INDEX_FILE).exists() or is_unfinished(path)
    except OSError as error:
        log.warning("%s is left out: %s", path, error.strerror)
        return False


def _finish_track(folder: Path, contents: JournalContents, name: str) -> TrackEntry | None:
    track = contents.tracks[name]
    rows = contents.read_rows(name, person_dtype(track.joints, track.keypoints))
    if not len(rows):
        return None
    write_npz(folder / f"{name}.npz", track_arrays(rows, track.track_id, track.skeleton, track.joints_skeleton))
    return TrackEntry(
        track_id=track.track_id,
        file=f"{name}.npz",
        skeleton=track.skeleton,
        body=body_name(rows),
        rows=len(rows),
        captured_at=(float(rows["captured_at"][0]), float(rows["captured_at"][-1])),
    )


def _finish_preview(folder: Path, contents: JournalContents) -> str | None:
    """Move the video out of the journal; an earlier attempt may have done it already."""
    video = contents.folder / PREVIEW_FILE
    if not video.exists() and not (folder / PREVIEW_FILE).exists():
        return None
    rows = contents.read_rows("preview", PREVIEW_DTYPE)
    arrays = {"epochs": "epoch", "frame_ids": "frame_id", "captured_at": "captured_at", "shown_at": "shown_at"}
    write_npz(folder / "preview.npz", {name: rows[field] for name, field in arrays.items()})
    if video.exists():
        video.replace(folder / PREVIEW_FILE)
    return PREVIEW_FILE


def _index(contents: JournalContents, frames: np.ndarray, tracks: list[TrackEntry], preview: str | None) -> RecordingIndex:
    missing: Counter[str] = Counter()
    for gap in contents.gaps:
        missing.update(gap.reasons)
    reason = contents.ended.reason if contents.ended else KILLED_REASON
    return RecordingIndex(
        version=contents.started.version,
        camera=contents.started.camera,
        source=contents.camera.source,
        fps=contents.camera.fps,
        camera_from_world=contents.camera.camera_from_world,
        started_at=contents.started.started_at,
        ended_at=contents.ended.ended_at if contents.ended else None,
        wall_minus_monotonic_s=contents.started.wall_minus_monotonic_s,
        clean=not reason,
        reason=reason,
        frames=len(frames),
        missing=dict(missing),
        epochs=_epochs(contents, frames),
        tracks=tracks,
        preview=preview,
        gaps=contents.gaps,
    )


def _epochs(contents: JournalContents, frames: np.ndarray) -> list[EpochEntry]:
    entries = []
    for begun in contents.epochs:
        frame_ids = frames["frame_id"][frames["epoch"] == begun.epoch]
        if not len(frame_ids):  # of a journal whose rows are damaged
            continue
        entries.append(
            EpochEntry(
                epoch=begun.epoch,
                engine=begun.engine,
                size=begun.size,
                intrinsics=begun.intrinsics,
                frames=len(frame_ids),
                frame_ids=(int(frame_ids.min()), int(frame_ids.max())),
            )
        )
    return entries
