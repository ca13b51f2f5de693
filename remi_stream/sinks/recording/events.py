"""Events of a recording's journal, one JSON line each."""

from __future__ import annotations

from typing import Literal

import msgspec

RECORDING_SCHEMA: Literal[1] = 1
"""Version of the recording format."""


class RecordingStarted(msgspec.Struct, frozen=True, kw_only=True, tag="begun"):
    """First line: the recording started."""

    schema: Literal[1] = RECORDING_SCHEMA
    version: str
    """Of remi-stream."""
    camera: str
    started_at: str
    """ISO 8601."""
    wall_minus_monotonic_s: float
    """captured_at plus this is Unix time."""


class CameraChanged(msgspec.Struct, frozen=True, kw_only=True, tag="camera"):
    """The camera's properties from now on. Fields as in CameraFacts."""

    source: str = ""
    fps: float = 0.0
    camera_from_world: tuple[float, ...] | None = None


class EpochStarted(msgspec.Struct, frozen=True, kw_only=True, tag="epoch"):
    """The camera's capture process started; properties of its frames. Fields as in Bodies."""

    epoch: int
    engine: str
    size: tuple[int, int]
    intrinsics: tuple[float, float, float, float]


class TrackStarted(msgspec.Struct, frozen=True, kw_only=True, tag="track"):
    """A track's first row. Skeletons as in Person."""

    name: str
    """Name of its files."""
    track_id: int
    skeleton: str
    joints_skeleton: str = ""
    joints: int
    """Number of joints in a row."""
    keypoints: int
    """Number of key points in a row."""


class FrameGap(msgspec.Struct, frozen=True, kw_only=True, tag="gap"):
    """Consecutive frames that are not in the recording."""

    epoch: int
    frame_ids: tuple[int, int]
    """First and last missing frame."""
    reasons: dict[str, int]
    """Number of frames by drop reason."""


class JournalFlushed(msgspec.Struct, frozen=True, kw_only=True, tag="flushed"):
    """Last line of each flush."""

    rows: dict[str, int]
    """Number of valid rows by row file; a file that is not named keeps its number."""


class RecordingEnded(msgspec.Struct, frozen=True, kw_only=True, tag="ended"):
    """Last line: the recording ended."""

    ended_at: str
    """ISO 8601."""
    reason: str = ""
    """Why it was cut short; "" if it was not."""


JournalEvent = RecordingStarted | CameraChanged | EpochStarted | TrackStarted | FrameGap | JournalFlushed | RecordingEnded
