"""What happens in a recording besides rows: the lines of its journal."""

from __future__ import annotations

from typing import Literal

import msgspec

SCHEMA: Literal[1] = 1


class Begun(msgspec.Struct, frozen=True, kw_only=True, tag="begun"):
    """The first line. started_at: ISO 8601. wall_minus_monotonic_s: added to captured_at it gives Unix time."""

    schema: Literal[1] = SCHEMA
    version: str
    camera: str
    started_at: str
    wall_minus_monotonic_s: float


class CameraTold(msgspec.Struct, frozen=True, kw_only=True, tag="camera"):
    """What is known about the camera from now on. Fields as in CameraFacts."""

    source: str = ""
    fps: float = 0.0
    camera_from_world: tuple[float, ...] | None = None


class EpochBegun(msgspec.Struct, frozen=True, kw_only=True, tag="epoch"):
    """A start of the camera's capture process, and how its pictures were taken. Fields as in Bodies."""

    epoch: int
    engine: str
    size: tuple[int, int]
    intrinsics: tuple[float, float, float, float]


class TrackBegun(msgspec.Struct, frozen=True, kw_only=True, tag="track"):
    """A person's first row. name: of its files. joints, keypoints: how many a row has. joints_skeleton: as in Person."""

    name: str
    track_id: int
    skeleton: str
    joints_skeleton: str = ""
    joints: int
    keypoints: int


class Gap(msgspec.Struct, frozen=True, kw_only=True, tag="gap"):
    """Frames that are not in the recording, and why; frame_ids: the first and the last of them."""

    epoch: int
    frame_ids: tuple[int, int]
    reasons: dict[str, int]


class Flushed(msgspec.Struct, frozen=True, kw_only=True, tag="flushed"):
    """rows: how many rows of each row file count from now on; a file that is not named has the number of before."""

    rows: dict[str, int]


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag="ended"):
    """The last line. reason: why the recording was cut short; "" if it was not."""

    ended_at: str
    reason: str = ""


Event = Begun | CameraTold | EpochBegun | TrackBegun | Gap | Flushed | Ended
