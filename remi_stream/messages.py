"""Messages between processes: fields, shapes, units, and their MessagePack encoding.

Messages are frozen, and validated when created or decoded. On the wire a message is a MessagePack map by field name; an array
is `[dtype, shape, bin]`, little-endian. An array over 64 kB travels as a ZeroMQ part of its own, and `bin` is then the number of
that part. docs/reference/protocol.md describes the protocol for clients.
"""

from __future__ import annotations

import re
from typing import Any, Generic, Literal, TypeVar

import msgspec
import numpy as np

SCHEMA_VERSION: Literal[1] = 1
"""Version of the message schema; a change of meaning increments it, an optional new field does not."""
MAX_INLINE_ARRAY_BYTES = 65536
"""Larger arrays travel as ZeroMQ parts of their own, without a copy into the MessagePack map."""
_ARRAY_DTYPE = re.compile(r"[<|][biufc]\d{1,2}")


class FrameMessage(msgspec.Struct, frozen=True, kw_only=True, eq=False):  # eq=False: == of two arrays has no single truth value
    """Base of all messages about one frame of a camera."""

    schema: Literal[1] = SCHEMA_VERSION
    camera: str
    """Camera's name."""
    epoch: int
    """Random number of this life of the capture process."""
    frame_id: int
    """0, 1, 2, ... within the epoch, without gaps at the camera."""
    captured_at: float
    """Time of capture, s, monotonic clock of the capturing host."""
    stamps: dict[str, float] = {}
    """Time of each hop, s, same clock."""
    skipped: dict[str, int] = {}
    """Frames of this epoch dropped since the previous message of this type, as {"stage/reason": count}."""


class FrameView(msgspec.Struct, frozen=True):
    """The part and size of a frame that a consumer requests."""

    rectangle: tuple[float, float, float, float] | None = None
    """x0 y0 x1 y1, px of the full image; None: all of it."""
    longest_side: int | None = None
    """Maximum of width and height, px; None: full resolution."""
    encoding: Literal["bgr8", "jpeg"] = "bgr8"


class Frame(FrameMessage, frozen=True, kw_only=True, eq=False):
    """An image of a camera."""

    image: np.ndarray
    """(H, W, 3) uint8 BGR, or (n,) uint8 JPEG bytes."""
    size: tuple[int, int]
    """Width, height of the full image, px."""
    rectangle: tuple[float, float, float, float]
    """Part of the full image that `image` shows: x0 y0 x1 y1, px."""
    encoding: Literal["bgr8", "jpeg"] = "bgr8"
    pts: float = 0.0
    """Presentation timestamp of the stream, s."""
    clock: str = ""
    """Boot id of the host whose clock `captured_at` uses."""
    intrinsics: tuple[float, float, float, float] | None = None
    """fx, fy, cx, cy, px; None: not calibrated."""

    def __post_init__(self) -> None:
        if self.encoding == "bgr8":
            check_array("image", self.image, "uint8", (None, None, 3))
        else:
            check_array("image", self.image, "uint8", (None,))


class Detections(FrameMessage, frozen=True, kw_only=True, eq=False):
    """Person detections of one frame."""

    boxes_xyxy: np.ndarray
    """(N, 4) float32, px, full image: tight bounding boxes of whole bodies, not squared."""
    scores: np.ndarray
    """(N,) float32 in [0, 1]."""
    searched_xyxy: np.ndarray
    """(M, 4) float32, px, full image: regions that the detector processed; people outside them cannot be among the boxes."""
    searched_roll_rad: float = 0.0
    """Rotation in the image, clockwise, of the bodies that were searched for; others may have been missed."""
    circles_px: np.ndarray | None = None
    """(N, 2, 2) float32, px, full image: centre of each body's circle, between the hips, and its point beyond the head; None: the
    detector sees no circles."""

    def __post_init__(self) -> None:
        check_array("boxes_xyxy", self.boxes_xyxy, "float32", (None, 4))
        check_array("scores", self.scores, "float32", (len(self.boxes_xyxy),))
        check_array("searched_xyxy", self.searched_xyxy, "float32", (None, 4))
        if self.circles_px is not None:
            check_array("circles_px", self.circles_px, "float32", (len(self.boxes_xyxy), 2, 2))


class Smpl(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """SMPL parameters of one person; camera axes x right, y down, z forward."""

    body: Literal["smpl", "open"]
    """Body whose rest pose the rotations refer to: SMPL, or the default body ("open")."""
    global_orient: np.ndarray
    """(3,) float32, axis-angle, rad: rotation from body axes to camera axes."""
    body_pose: np.ndarray
    """(69,) float32, axis-angle, rad: rotations of joints 1 to 23 relative to their parents."""
    betas: np.ndarray
    """(10,) float32, shape coefficients."""
    transl: np.ndarray
    """(3,) float32, m: pelvis = rest pelvis + transl."""
    joint_confidence: np.ndarray
    """(24,) float32 in [0, 1]."""

    def __post_init__(self) -> None:
        for name, length in (("global_orient", 3), ("body_pose", 69), ("betas", 10), ("transl", 3)):
            check_array(name, getattr(self, name), "float32", (length,))
        check_array("joint_confidence", self.joint_confidence, "float32", (24,))


class Person(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One person in one frame."""

    track_id: int
    """Id of the person's track; never reused within a run."""
    score: float
    """Confidence of the pose, [0, 1]."""
    box_xyxy: np.ndarray
    """(4,) float32, px, full image: bounding box of the key points."""
    skeleton: str
    """Skeleton of the key points: a name in skeletons.py."""
    keypoints_px: np.ndarray
    """(K, 2) float32, px, full image."""
    keypoint_scores: np.ndarray
    """(K,) float32 in [0, 1]."""
    joints_m: np.ndarray
    """(J, 3) float32, m, camera frame, absolute; J = 0 for a 2D engine."""
    joints_skeleton: str = ""
    """Skeleton of `joints_m` if it is not `skeleton`; else ""."""
    smpl: Smpl | None = None
    native: dict[str, np.ndarray] = {}
    """Native outputs of the engine, if requested."""

    def __post_init__(self) -> None:
        check_array("box_xyxy", self.box_xyxy, "float32", (4,))
        check_array("keypoints_px", self.keypoints_px, "float32", (None, 2))
        check_array("keypoint_scores", self.keypoint_scores, "float32", (len(self.keypoints_px),))
        check_array("joints_m", self.joints_m, "float32", (None, 3))

    @property
    def effective_joints_skeleton(self) -> str:
        """Skeleton of `joints_m`."""
        return self.joints_skeleton or self.skeleton


class Bodies(FrameMessage, frozen=True, kw_only=True, eq=False):
    """All people in one frame, without pixels; `people` is empty if there are none."""

    engine: str
    size: tuple[int, int]
    """Width, height of the full image, px."""
    intrinsics: tuple[float, float, float, float]
    """fx, fy, cx, cy, px, as used for all metric values of this message."""
    people: list[Person]
    filter: str = "none"
    """Filter that smoothed the people."""


class DetectionInterval(msgspec.Struct, frozen=True, kw_only=True):
    """Detection interval of a camera, requested by the pose stage."""

    schema: Literal[1] = SCHEMA_VERSION
    camera: str
    interval_s: float
    """Time between two runs of the detector, s."""


MIN_PLAYBACK_SPEED, MAX_PLAYBACK_SPEED = 0.01, 100.0
"""Allowed playback speeds; 1 is real time."""


class PlaybackCommand(msgspec.Struct, frozen=True, kw_only=True):
    """Playback command for a played recording: seek, speed, pause; None leaves a value unchanged."""

    schema: Literal[1] = SCHEMA_VERSION
    camera: str
    id: int
    """Increasing number, repeated in Playing.command_id once the command is executed."""
    seek_s: float | None = None
    """Position to continue from, s from the first frame."""
    speed: float | None = None
    """Playback speed; 1 is real time."""
    paused: bool | None = None


class PlaybackStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Playback state of a played recording."""

    position_s: float
    """Time of the newest frame, s from the first one; after a seek that of the next frame."""
    length_s: float
    """Time of the last frame, s from the first one."""
    speed: float
    """Playback speed; 1 is real time."""
    paused: bool
    command_id: int = 0
    """Id of the last playback command that was executed; 0 before the first."""


CameraState = Literal["starting", "live", "reconnecting", "ended"]
"""State of a camera. `reconnecting` is not a failure: the source connects again by itself."""


class CameraFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Status of a camera; sent on change and twice a second."""

    schema: Literal[1] = SCHEMA_VERSION
    camera: str
    epoch: int
    state: CameraState
    state_s: float = 0.0
    """Time in this state, s."""
    source: str
    """Source without credentials."""
    size: tuple[int, int]
    """Width, height, px; 0, 0 before the first frame."""
    fps: float
    """Nominal frame rate of the source; 0: unknown."""
    captured: int
    """Frames of this epoch so far."""
    camera_from_world: tuple[float, ...] | None = None
    """4x4 matrix, row-major, m; None: unknown."""
    published: int = 0
    """Frames of this epoch published by the relay: captured = published + dropped + in flight."""
    dropped: dict[str, int] = {}
    """Dropped frames of this epoch, as {"stage/reason": count}."""
    filter: str = "none"
    """Filter that smooths the camera's people."""
    filter_lag_s: float | None = None
    """Measured lag of the filter, s; None: not known yet."""
    playing: PlaybackStatus | None = None
    """Playback state, for a recording."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Heartbeat of a stage; the supervisor adds the restarts."""

    schema: Literal[1] = SCHEMA_VERSION
    stage: str
    state: Literal["starting", "ready", "restarting", "stopping", "done", "failed"]
    pid: int
    restarts: int = 0
    cpu_s: float = 0.0
    """CPU time of the process, s."""
    memory_bytes: int = 0
    """Resident memory."""
    counts: dict[str, int] = {}
    """Counters since the process started, e.g. {"steps": 120}."""
    facts: dict[str, str] = {}
    """Static information, e.g. {"runtime": ...}."""
    reason: str = ""
    """Why it ended, in one line, for the states "restarting" and "failed"."""
    exit_code: int = 0
    """Exit code that the process will end with, for state "failed"."""
    retry_after_s: float = 0.0
    """Shortest time until the stage is tried again, s, for state "failed"."""


Message = FrameMessage | CameraFacts | DetectionInterval | PlaybackCommand | Health
"""Everything that travels on a link or on the bus."""


def message_key(message: Message) -> str:
    """The camera that a message is about, or the stage of a heartbeat; on the bus it follows the topic: "bodies/front"."""
    return message.stage if isinstance(message, Health) else message.camera


def check_array(name: str, array: Any, dtype: str, shape: tuple[int | None, ...]) -> None:
    """Check dtype and shape of an array (None: any length). Raises ValueError with what was got and what is allowed."""
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        raise ValueError(f"{name} must be a {dtype} array, got {getattr(array, 'dtype', type(array).__name__)}")
    if array.ndim != len(shape) or any(want is not None and got != want for got, want in zip(array.shape, shape)):
        raise ValueError(f"{name} must have the shape {shape}, got {array.shape}")


M = TypeVar("M")


class MessageCodec(Generic[M]):
    """Codec between messages of one type and the parts of a ZeroMQ message."""

    def __init__(self, message_type: type[M]) -> None:
        self.message_type = message_type
        self._parts: list[Any] = []
        self._encoder = msgspec.msgpack.Encoder(enc_hook=self._pack)
        self._decoder = msgspec.msgpack.Decoder(message_type, dec_hook=self._unpack)

    def encode(self, message: M) -> list[Any]:
        """Encode to parts: the MessagePack map, then the large arrays (memoryviews, not copied)."""
        # the map is part 0, but complete only after `_pack` has appended the large arrays
        self._parts = [b""]
        self._parts[0] = self._encoder.encode(message)
        return self._parts

    def decode(self, parts: list[Any]) -> M:
        """Decode parts; arrays are read-only views of them. Raises msgspec.MsgspecError."""
        if not parts:
            raise msgspec.DecodeError("a message without content")
        self._parts = parts
        try:
            return self._decoder.decode(parts[0])
        except RecursionError:
            raise msgspec.DecodeError("a message that is nested too deeply") from None

    def _pack(self, value: Any) -> Any:
        if isinstance(value, np.generic):
            return value.item()
        if not isinstance(value, np.ndarray):
            raise NotImplementedError(f"cannot send a {type(value).__name__}")
        array = np.asarray(value, order="C")  # a slice or a transposed array is copied: the wire has neither gaps nor strides
        if array.dtype.byteorder == ">":
            array = array.astype(array.dtype.newbyteorder("<"))
        if array.nbytes <= MAX_INLINE_ARRAY_BYTES:
            return array.dtype.str, array.shape, array.tobytes()
        self._parts.append(array.reshape(-1).view(np.uint8).data)
        return array.dtype.str, array.shape, len(self._parts) - 1

    def _unpack(self, kind: type, value: Any) -> np.ndarray:
        try:
            dtype, shape, data = value
            if not _ARRAY_DTYPE.fullmatch(dtype):
                raise TypeError(f"dtype {dtype[:20]!r}; allowed: numbers and booleans")
            if isinstance(data, int):
                if data < 1:
                    raise IndexError("parts of arrays are numbered from 1")
                data = self._parts[data]
            return np.frombuffer(data, np.dtype(dtype)).reshape(shape)
        except (TypeError, ValueError, IndexError, OverflowError) as error:
            raise ValueError(f"expected an array as [dtype, shape, bin]: {error}") from None
