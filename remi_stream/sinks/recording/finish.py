"""Makes the final files of a recording out of its journal, after its end or after a crash."""

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
KILLED = "the recorder was killed"


def finish(folder: Path) -> Index:
    """Write the final files and remove the journal. Raises OSError; then the journal stays, to be finished later."""
    journal = folder / UNFINISHED
    story = read_story(journal)
    frames = story.rows_of("frames", FRAME)
    _finish_frames(folder, frames)
    tracks = [_finish_track(folder, story, name) for name in story.tracks]
    index = _index(story, frames, [track for track in tracks if track], _finish_preview(folder, story))
    with written_whole(folder / INDEX) as file:
        file.write(index_bytes(index))
    shutil.rmtree(journal)
    return index


def recover(folder: Path) -> Index:
    """Finish a recording whose recorder died. Raises BlockingIOError while its recorder is alive."""
    with lock(folder / UNFINISHED):
        return finish(folder)


def recordings(parent: Path) -> list[Path]:
    """The recordings in a folder, finished or not."""
    return sorted(path for path in parent.iterdir() if (path / INDEX).exists() or is_unfinished(path))


def is_unfinished(folder: Path) -> bool:
    """Whether a recording is still being written, or its recorder died."""
    journal = folder / UNFINISHED / EVENTS
    return journal.exists() and journal.stat().st_size > 0


def _finish_frames(folder: Path, frames: np.ndarray) -> None:
    arrays = {"epochs": "epoch", "frame_ids": "frame_id", "captured_at": "captured_at", "people": "people"}
    save_arrays(folder / "frames.npz", {name: frames[field] for name, field in arrays.items()})


def _finish_track(folder: Path, story: Story, name: str) -> TrackEntry | None:
    track = story.tracks[name]
    rows = story.rows_of(name, person_layout(track.joints, track.keypoints))
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


def _finish_preview(folder: Path, story: Story) -> str | None:
    """Move the video out of the journal; it is there already if an earlier attempt came so far."""
    video = story.folder / VIDEO
    if not video.exists() and not (folder / VIDEO).exists():
        return None
    pictures = story.rows_of("preview", PREVIEW)
    arrays = {"epochs": "epoch", "frame_ids": "frame_id", "captured_at": "captured_at", "shown_at": "shown_at"}
    save_arrays(folder / "preview.npz", {name: pictures[field] for name, field in arrays.items()})
    if video.exists():
        video.replace(folder / VIDEO)
    return VIDEO


def _index(story: Story, frames: np.ndarray, tracks: list[TrackEntry], preview: str | None) -> Index:
    missing: Counter[str] = Counter()
    for gap in story.gaps:
        missing.update(gap.reasons)
    reason = story.ended.reason if story.ended else KILLED
    return Index(
        version=story.begun.version,
        camera=story.begun.camera,
        source=story.camera.source,
        fps=story.camera.fps,
        camera_from_world=story.camera.camera_from_world,
        started_at=story.begun.started_at,
        ended_at=story.ended.ended_at if story.ended else None,
        wall_minus_monotonic_s=story.begun.wall_minus_monotonic_s,
        clean=not reason,
        reason=reason,
        frames=len(frames),
        missing=dict(missing),
        epochs=_epochs(story, frames),
        tracks=tracks,
        preview=preview,
        gaps=story.gaps,
    )


def _epochs(story: Story, frames: np.ndarray) -> list[EpochEntry]:
    entries = []
    for begun in story.epochs:
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
