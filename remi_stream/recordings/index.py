"""Index of a finished recording, index.json; documented in docs/use/recording.md."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from remi_stream.errors import RemiError
from remi_stream.paths import FileName
from remi_stream.recordings.journal import RECORDING_SCHEMA, RecordingGap
from remi_stream.text_files import read_json

INDEX_FILE = "index.json"
PREVIEW_FILE = "preview.mp4"
"""The preview video, in the journal's folder while it grows, then beside the index."""
RECORDER_STATES = ("waiting", "on", "off", "failed")
"""States of a recorder: no bodies received yet; recording; switched off; failed because of the disk."""


class EpochEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One life of the camera's capture process."""

    epoch: int
    engine: str
    size: tuple[int, int]
    intrinsics: tuple[float, float, float, float]
    """fx, fy, cx, cy, px."""
    frames: int
    """Number of recorded frames."""
    frame_ids: tuple[int, int]
    """First and last recorded frame."""


class TrackEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded track."""

    track_id: int
    file: FileName
    """Name of its .npz file."""
    skeleton: str
    body: str
    """See Smpl.body; "" if there is no SMPL pose."""
    rows: int
    """Number of frames with this person."""
    captured_at: tuple[float, float]
    """Of the first and the last row, monotonic s."""


class RecordingIndex(msgspec.Struct, frozen=True, kw_only=True):
    """Metadata of a recording; the arrays are in its .npz files."""

    schema: Literal[1] = RECORDING_SCHEMA
    version: str
    camera: str
    source: str
    fps: float
    camera_from_world: tuple[float, ...] | None
    started_at: str
    ended_at: str | None
    """None after a crash."""
    wall_minus_monotonic_s: float
    """captured_at plus this is Unix time."""
    clean: bool
    """Whether it was ended on purpose."""
    reason: str
    """Why it was cut short, as far as known; "" if clean."""
    frames: int
    """Number of recorded frames."""
    missing: dict[str, int]
    """Number of frames that are not recorded, by drop reason."""
    epochs: list[EpochEntry]
    tracks: list[TrackEntry]
    preview: FileName | None
    """Name of the preview video."""
    gaps: list[RecordingGap]


def read_recording_index(folder: Path) -> RecordingIndex:
    """Read the index of a recording. Raises RemiError if it is missing or invalid."""
    path = folder / INDEX_FILE
    try:
        return read_json(path, RecordingIndex)
    except OSError as error:
        raise RemiError(f"Cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise RemiError(f"{path} is not the index of a recording: {error}") from None


def encode_index(index: RecordingIndex) -> bytes:
    """Encode the index as JSON, one gap per line, since there may be many."""
    head = msgspec.json.format(msgspec.json.encode(msgspec.structs.replace(index, gaps=[])), indent=1)
    gaps = b",\n".join(b"  " + msgspec.json.encode(gap) for gap in index.gaps)
    return head.replace(b'"gaps": []', b'"gaps": [\n' + gaps + b"\n ]" if gaps else b'"gaps": []') + b"\n"
