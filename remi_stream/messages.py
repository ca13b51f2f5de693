"""What travels between processes: every message, its fields, shapes and units.

Messages are frozen and checked when they are made, also when they are decoded. On the wire a message is MessagePack (a map
by field name); an array is `[dtype, shape, bin]`, little-endian. An array of more than 64 kB travels as a part of its own,
and `bin` is then the number of that part. docs/protocol.md says the same to people who write clients.
"""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

import msgspec
import numpy as np

SCHEMA: Literal[1] = 1
PART_BYTES = 65536


class Message(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What every message about a camera's frame carries.

    camera: the camera's name. epoch: random number of this start of its capture process. frame_id: 0, 1, 2, ... within the
    epoch, without gaps at the camera. captured_at: seconds on the capturing host's monotonic clock.
    skipped: frames of this epoch that were lost since the previous message of this kind, as {"stage/reason": count}.
    """

    schema: Literal[1] = SCHEMA
    camera: str
    epoch: int
    frame_id: int
    captured_at: float
    stamps: dict[str, float] = {}
    skipped: dict[str, int] = {}


class View(msgspec.Struct, frozen=True):
    """A part of a picture that a consumer asks for: rectangle x0 y0 x1 y1 in px (None: all) and the longest side it wants."""

    rectangle: tuple[float, float, float, float] | None = None
    longest_side: int | None = None
    encoding: Literal["bgr8", "jpeg"] = "bgr8"


class Frame(Message, frozen=True, kw_only=True, eq=False):
    """A picture: image (H, W, 3) uint8 BGR, or (n,) uint8 JPEG bytes.

    size: (width, height) px of the full picture. rectangle: the part of it that image shows, x0 y0 x1 y1 px.
    pts: the stream's own time, s. clock: boot id of the host whose clock captured_at is on.
    intrinsics: fx, fy, cx, cy px, if they are known.
    """

    image: np.ndarray
    size: tuple[int, int]
    rectangle: tuple[float, float, float, float]
    encoding: Literal["bgr8", "jpeg"] = "bgr8"
    pts: float = 0.0
    clock: str = ""
    intrinsics: tuple[float, float, float, float] | None = None

    def __post_init__(self) -> None:
        if self.encoding == "bgr8":
            check_array("image", self.image, "uint8", (None, None, 3))
        else:
            check_array("image", self.image, "uint8", (None,))


class Detections(Message, frozen=True, kw_only=True, eq=False):
    """People found in one frame.

    boxes_xyxy: (N, 4) float32, px, full picture: tight, whole body, not squared. scores: (N,) float32 in [0, 1].
    searched_xyxy: (M, 4) float32, px: the regions that were looked at; only there is "nothing" evidence of absence.
    """

    boxes_xyxy: np.ndarray
    scores: np.ndarray
    searched_xyxy: np.ndarray

    def __post_init__(self) -> None:
        check_array("boxes_xyxy", self.boxes_xyxy, "float32", (None, 4))
        check_array("scores", self.scores, "float32", (len(self.boxes_xyxy),))
        check_array("searched_xyxy", self.searched_xyxy, "float32", (None, 4))


class Smpl(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A pose of the SMPL body: axis-angle radians, metres, camera axes x right, y down, z forward.

    body: whose rest pose it is meant for. global_orient (3,), body_pose (69,), betas (10,), transl (3,) float32; transl is
    SMPL's: the pelvis stands at J0 + transl. joint_confidence: (24,) float32 in [0, 1], larger is better.
    """

    body: Literal["smpl", "open"]
    global_orient: np.ndarray
    body_pose: np.ndarray
    betas: np.ndarray
    transl: np.ndarray
    joint_confidence: np.ndarray

    def __post_init__(self) -> None:
        for name, length in (("global_orient", 3), ("body_pose", 69), ("betas", 10), ("transl", 3)):
            check_array(name, getattr(self, name), "float32", (length,))
        check_array("joint_confidence", self.joint_confidence, "float32", (24,))


class Person(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One person in one frame.

    track_id: never used for somebody else in a run. score: [0, 1]. box_xyxy: (4,) float32 px. skeleton: a name of
    skeletons.py. keypoints_px: (K, 2) float32 px, full picture. keypoint_scores: (K,) float32 in [0, 1].
    joints_m: (J, 3) float32 m, camera frame, absolute. joints_skeleton: whose joints they are if not those of skeleton, else "".
    native: an engine's own outputs, on request.
    """

    track_id: int
    score: float
    box_xyxy: np.ndarray
    skeleton: str
    keypoints_px: np.ndarray
    keypoint_scores: np.ndarray
    joints_m: np.ndarray
    joints_skeleton: str = ""
    smpl: Smpl | None = None
    native: dict[str, np.ndarray] = {}

    def __post_init__(self) -> None:
        check_array("box_xyxy", self.box_xyxy, "float32", (4,))
        check_array("keypoints_px", self.keypoints_px, "float32", (None, 2))
        check_array("keypoint_scores", self.keypoint_scores, "float32", (len(self.keypoints_px),))
        check_array("joints_m", self.joints_m, "float32", (None, 3))

    @property
    def skeleton_of_joints(self) -> str:
        """The skeleton that joints_m belongs to."""
        return self.joints_skeleton or self.skeleton


class Bodies(Message, frozen=True, kw_only=True, eq=False):
    """The product: everybody in one frame, no pixels. An empty list when nobody is there.

    size: (width, height) px. intrinsics: fx, fy, cx, cy px, as used for everything metric in here. filter: what smoothed the
    people, "none" if nothing did.
    """

    engine: str
    size: tuple[int, int]
    intrinsics: tuple[float, float, float, float]
    people: list[Person]
    filter: str = "none"


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """How often pose wants a camera searched for people: interval_s seconds between two looks."""

    schema: Literal[1] = SCHEMA
    camera: str
    interval_s: float


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a recording that is played is asked to do; None: as before. id: random, by which it says that it has obeyed.

    seek_s: go on from there, s from its first frame. speed: so many times as fast as it was.
    """

    schema: Literal[1] = SCHEMA
    camera: str
    id: int
    seek_s: float | None = None
    speed: float | None = None
    paused: bool | None = None


class Playing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a recording that is played stands. position_s: of its newest frame, s from the first one, or of
    the next after a jump; length_s: of the last.

    wish: the id of the last one that it has obeyed, 0 before the first.
    """

    position_s: float
    length_s: float
    speed: float
    paused: bool
    wish: int = 0


class CameraFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a camera; sent on change and twice a second.

    source: without credentials. captured: frames of this epoch so far. state: "reconnecting" is a healthy state.
    camera_from_world: 4x4, row by row, if it is known.
    published, dropped: the relay's books of this epoch (captured = published + dropped + in flight).
    filter: what smooths its people; filter_lag_s: how far they come out behind what went in, as measured (None: not known yet).
    playing: of a recording.
    """

    schema: Literal[1] = SCHEMA
    camera: str
    epoch: int
    state: Literal["starting", "live", "reconnecting", "ended"]
    source: str
    size: tuple[int, int]
    fps: float
    captured: int
    camera_from_world: tuple[float, ...] | None = None
    published: int = 0
    dropped: dict[str, int] = {}
    filter: str = "none"
    filter_lag_s: float | None = None
    playing: Playing | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How a stage is doing; its heartbeat, and what the supervisor adds to it (restarts).

    counts: running totals since the process started, e.g. {"steps": 120}. reason: one line when state is "failed".
    """

    schema: Literal[1] = SCHEMA
    stage: str
    state: Literal["starting", "ready", "restarting", "stopping", "done", "failed"]
    pid: int
    restarts: int = 0
    cpu_s: float = 0.0
    memory_bytes: int = 0
    counts: dict[str, int] = {}
    facts: dict[str, str] = {}
    reason: str = ""
    exit_code: int = 0


def check_array(name: str, array: Any, dtype: str, shape: tuple[int | None, ...]) -> None:
    """Raise a ValueError that names what was got and what is allowed, unless array has this dtype and shape (None: any)."""
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        raise ValueError(f"{name} must be a {dtype} array, got {getattr(array, 'dtype', type(array).__name__)}")
    if array.ndim != len(shape) or any(want is not None and got != want for got, want in zip(array.shape, shape)):
        raise ValueError(f"{name} must have the shape {shape}, got {array.shape}")


M = TypeVar("M")


class Wire(Generic[M]):
    """Turns messages of one type into the parts of a ZeroMQ message, and back."""

    def __init__(self, kind: type[M]) -> None:
        self.kind = kind
        self._parts: list[Any] = []
        self._encoder = msgspec.msgpack.Encoder(enc_hook=self._pack)
        self._decoder = msgspec.msgpack.Decoder(kind, dec_hook=self._unpack)

    def encode(self, message: M) -> list[Any]:
        """Give the parts: the MessagePack map, then the large arrays (as memoryviews on the same memory)."""
        self._parts = [b""]
        self._parts[0] = self._encoder.encode(message)
        return self._parts

    def decode(self, parts: list[Any]) -> M:
        """Give the message; arrays are read-only views of the parts. msgspec.ValidationError names what is wrong."""
        self._parts = parts
        return self._decoder.decode(parts[0])

    def _pack(self, value: Any) -> Any:
        if isinstance(value, np.generic):
            return value.item()
        if not isinstance(value, np.ndarray):
            raise NotImplementedError(f"cannot send a {type(value).__name__}")
        array = np.asarray(value, order="C")
        if array.dtype.byteorder == ">":
            array = array.astype(array.dtype.newbyteorder("<"))
        if array.nbytes <= PART_BYTES:
            return array.dtype.str, array.shape, array.tobytes()
        self._parts.append(array.reshape(-1).view(np.uint8).data)
        return array.dtype.str, array.shape, len(self._parts) - 1

    def _unpack(self, kind: type, value: Any) -> np.ndarray:
        try:
            dtype, shape, data = value
            if isinstance(data, int):
                if data < 1:
                    raise IndexError("parts of arrays are numbered from 1")
                data = self._parts[data]
            return np.frombuffer(data, np.dtype(dtype)).reshape(shape)
        except (TypeError, ValueError, IndexError) as error:
            raise ValueError(f"expected an array as [dtype, shape, bin]: {error}") from None
