"""The index of a finished recording: index.json. docs/recording.md says the same to people."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from remi_stream.errors import RemiError
from remi_stream.sinks.recording.events import SCHEMA, Gap

INDEX = "index.json"


class EpochEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A start of the camera's capture process. frames: how many are recorded; frame_ids: the first and the last of them."""

    epoch: int
    engine: str
    size: tuple[int, int]
    intrinsics: tuple[float, float, float, float]
    frames: int
    frame_ids: tuple[int, int]


class TrackEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A person. rows: frames with this person; captured_at: of the first and the last of them, s. body: see Smpl, "" if none."""

    track_id: int
    file: str
    skeleton: str
    body: str
    rows: int
    captured_at: tuple[float, float]


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """Everything but the numbers. clean: whether it was ended on purpose; reason: why not, as far as anybody could tell.

    frames: of how many the bodies are recorded; missing: how many are not, by the reason; gaps: which ones.
    """

    schema: Literal[1] = SCHEMA
    version: str
    camera: str
    source: str
    fps: float
    camera_from_world: tuple[float, ...] | None
    started_at: str
    ended_at: str | None
    wall_minus_monotonic_s: float
    clean: bool
    reason: str
    frames: int
    missing: dict[str, int]
    epochs: list[EpochEntry]
    tracks: list[TrackEntry]
    preview: str | None
    gaps: list[Gap]


def read_index(folder: Path) -> Index:
    """Read the index of a recording. Raises RemiError when it is not one."""
    path = folder / INDEX
    try:
        return msgspec.json.decode(path.read_bytes(), type=Index)
    except OSError as error:
        raise RemiError(f"Cannot read {path}: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise RemiError(f"{path} is not the index of a recording: {error}") from None


def index_bytes(index: Index) -> bytes:
    """Give the file: one gap a line, since there may be many."""
    head = msgspec.json.format(msgspec.json.encode(msgspec.structs.replace(index, gaps=[])), indent=1)
    gaps = b",\n".join(b"  " + msgspec.json.encode(gap) for gap in index.gaps)
    return head.replace(b'"gaps": []', b'"gaps": [\n' + gaps + b"\n ]" if gaps else b'"gaps": []') + b"\n"
