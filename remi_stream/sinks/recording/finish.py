"""Write the final files of a recording from its journal, after its end or after a crash."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np

from remi_stream.sinks.recording.files import save_arrays, written_whole
from remi_stream.sinks.recording.index import INDEX, EpochEntry, Index, TrackEntry, index_bytes
from remi_stream.sinks.recording.journal import EVENTS, lock
from remi_stream.sinks.recording.rows import FRAME, PREVIEW, person_layout
from remi_stream.sinks.recording.story import Story, read_story
from remi_stream.sinks.recording.track import body_of, track_arrays
from remi_stream.sinks.recording.video import VIDEO

UNFINISHED = "unfinished"
"""Folder of the journal."""
KILLED = "the recorder was killed"
"""Reason in the index of a recovered recording."""


def finish(folder: Path) -> Index:
    """Write the final files and remove the journal. Raises OSError; then the journal stays for a later attempt."""
    journal = folder / UNFINISHED
    contents = read_story(journal)
    frames = contents.rows_of("frames", FRAME)
    _finish_frames(folder, frames)
    tracks = [_finish_track(folder, contents, name) for name in contents.tracks]
    index = _index(contents, frames, [track for track in tracks if track], _finish_preview(folder, contents))
    # the index comes last: a folder without it still has its journal and can be finished again
    with written_whole(folder / INDEX) as file:
        file.write(index_bytes(index))
    shutil.rmtree(journal)
    return index


def recover(folder: Path) -> Index:
    """Finish a recording whose recorder died. Raises BlockingIOError while its recorder runs."""
    with lock(folder / UNFINISHED):
        return finish(folder)


def recordings(parent: Path) -> list[Path]:
    """List the recordings in a folder, finished or not."""
    return sorted(path for path in parent.iterdir() if (path / INDEX).exists() or is_unfinished(path))


def is_unfinished(folder: Path) -> bool:
    """Whether a recording is still being written, or its recorder died."""
    journal = folder / UNFINISHED / EVENTS
    return journal.exists() and journal.stat().st_size > 0


def _finish_frames(folder: Path, frames: np.ndarray) -> None:
    arrays = {"epochs": "epoch", "frame_ids": "frame_id", "captured_at": "captured_at", "people": "people"}
    save_arrays(folder / "frames.npz", {name: frames[field] for name, field in arrays.items()})


def _finish_track(folder: Path, contents: Story, name: str) -> TrackEntry | None:
    track = contents.tracks[name]
    rows = contents.rows_of(name, person_layout(track.joints, track.keypoints))
    if not len(rows):
        return None
    save_arrays(folder / f"{name}.npz", track_arrays(rows, track.track_id, track.skeleton, track.joints_skeleton))
    return TrackEntry(
        track_id=track.track_id,
        file=f"{name}.npz",
        skeleton=track.skeleton,
        body=body_of(rows),
        rows=len(rows),
        captured_at=(float(rows["captured_at"][0]), float(rows["captured_at"][-1])),
    )


def _finish_preview(folder: Path, contents: Story) -> str | None:
    """Move the video out of the journal; an earlier attempt may have done it already."""
    video = contents.folder / VIDEO
    if not video.exists() and not (folder / VIDEO).exists():
        return None
    rows = contents.rows_of("preview", PREVIEW)
    arrays = {"epochs": "epoch", "frame_ids": "frame_id", "captured_at": "captured_at", "shown_at": "shown_at"}
    save_arrays(folder / "preview.npz", {name: rows[field] for name, field in arrays.items()})
    if video.exists():
        video.replace(folder / VIDEO)
    return VIDEO


def _index(contents: Story, frames: np.ndarray, tracks: list[TrackEntry], preview: str | None) -> Index:
    missing: Counter[str] = Counter()
    for gap in contents.gaps:
        missing.update(gap.reasons)
    reason = contents.ended.reason if contents.ended else KILLED
    return Index(
        version=contents.begun.version,
        camera=contents.begun.camera,
        source=contents.camera.source,
        fps=contents.camera.fps,
        camera_from_world=contents.camera.camera_from_world,
        started_at=contents.begun.started_at,
        ended_at=contents.ended.ended_at if contents.ended else None,
        wall_minus_monotonic_s=contents.begun.wall_minus_monotonic_s,
        clean=not reason,
        reason=reason,
        frames=len(frames),
        missing=dict(missing),
        epochs=_epochs(contents, frames),
        tracks=tracks,
        preview=preview,
        gaps=contents.gaps,
    )


def _epochs(contents: Story, frames: np.ndarray) -> list[EpochEntry]:
    entries = []
    for begun in contents.epochs:
        frame_ids = frames["frame_id"][frames["epoch"] == begun.epoch]
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
