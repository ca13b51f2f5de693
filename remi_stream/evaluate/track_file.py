"""Read one person's `.npz` of a recording as a take of the frames with this person."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from remi_stream.errors import UsageError
from remi_stream.formats.take import Take
from remi_stream.offline.recorded import Arrays, RecordedFrames, read_npz
from remi_stream.sinks.recording.index import EpochEntry, RecordingIndex

ROW_ARRAYS = ("epochs", "frame_ids", "captured_at", "scores", "boxes_xyxy", "keypoints_px", "keypoint_scores", "joints_m")
TRACK_FIELDS = ("track_id", "skeleton", "joints_skeleton", "body")
UNKNOWN_ENGINE = "unknown engine"


def read_track_file(path: Path) -> Take:
    """Read a file; its take has no image size, (0, 0). Raises UsageError, or RemiError if it cannot be read."""
    track = read_npz(path)
    missing = [name for name in (*TRACK_FIELDS, *ROW_ARRAYS) if name not in track]
    if missing:
        raise UsageError(f"{path} is no person's file of a recording: it has no {', '.join(missing)}. See docs/recording.md")
    try:
        frames = RecordedFrames(make_index(track), {name: track[name] for name in ROW_ARRAYS[:3]}, [track])
        return Take(path.stem, (0, 0), frames.mean_fps, list(frames))
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise UsageError(f"{path} is no person's file of a recording, or it is damaged ({error}).") from None


def make_index(track: Arrays) -> RecordingIndex:
    """Make a recording index for this person's frames."""
    return RecordingIndex(
        version="",
        camera="file",
        source="",
        fps=0.0,
        camera_from_world=None,
        started_at="",
        ended_at=None,
        wall_minus_monotonic_s=0.0,
        clean=True,
        reason="",
        frames=len(track["frame_ids"]),
        missing={},
        epochs=[make_epoch_entry(int(epoch)) for epoch in np.unique(track["epochs"])],
        tracks=[],
        preview=None,
        gaps=[],
    )


def make_epoch_entry(epoch: int) -> EpochEntry:
    """Make the index entry of an epoch (start of the camera) with unknown engine and size."""
    return EpochEntry(epoch=epoch, engine=UNKNOWN_ENGINE, size=(0, 0), intrinsics=(1, 1, 0, 0), frames=0, frame_ids=(0, 0))
