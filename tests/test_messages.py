"""Messages: they survive encoding, other programs can read them, invalid data is named."""

from __future__ import annotations

from typing import Any

import msgpack
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from remi_stream.messages import (
    MAX_INLINE_ARRAY_BYTES,
    Bodies,
    CameraFacts,
    DetectionInterval,
    Detections,
    Frame,
    Health,
    MessageCodec,
    Person,
    Smpl,
)
from tests.sample import bodies, facts, health, person

NUMBERS = st.floats(allow_nan=True, width=32)
UNIT = st.floats(0, 1, width=32)
COUNTS = st.dictionaries(st.text(max_size=12), st.integers(0, 2**40), max_size=3)


def floats(*shape: int) -> st.SearchStrategy[np.ndarray]:
    return arrays.arrays(np.float32, shape, elements=NUMBERS)


def heads() -> dict[str, st.SearchStrategy[Any]]:
    return {
        "camera": st.text(max_size=40),
        "epoch": st.integers(0, 2**48),
        "frame_id": st.integers(0, 2**40),
        "captured_at": st.floats(allow_nan=False),
        "stamps": st.dictionaries(st.sampled_from(["capture", "pose_in", "pose", "relay"]), st.floats(allow_nan=False)),
        "skipped": COUNTS,
    }


smpls = st.builds(
    Smpl,
    body=st.sampled_from(["smpl", "open"]),
    global_orient=floats(3),
    body_pose=floats(69),
    betas=floats(10),
    transl=floats(3),
    joint_confidence=floats(24),
)


@st.composite
def persons(draw: st.DrawFn) -> Person:
    points, joints = draw(st.integers(0, 5)), draw(st.integers(0, 5))
    anything = arrays.arrays(st.sampled_from(["<f4", "<f8", "<i8", "|u1", "|b1"]), arrays.array_shapes(min_dims=0, max_side=4))
    return draw(
        st.builds(
            Person,
            track_id=st.integers(0, 2**40),
            score=UNIT,
            box_xyxy=floats(4),
            skeleton=st.text(max_size=10),
            keypoints_px=floats(points, 2),
            keypoint_scores=floats(points),
            joints_m=floats(joints, 3),
            smpl=st.none() | smpls,
            native=st.dictionaries(st.text(max_size=8), anything, max_size=2),
        )
    )


sizes = st.tuples(st.integers(1, 9000), st.integers(1, 9000))
everybody = st.builds(
    Bodies,
    **heads(),
    engine=st.text(max_size=10),
    size=sizes,
    intrinsics=st.tuples(*[st.floats(1, 1e5)] * 4),
    people=st.lists(persons(), max_size=3),
)
images = arrays.arrays(np.uint8, st.tuples(st.integers(0, 300), st.integers(1, 100), st.just(3)), elements=st.just(7))
frames = st.builds(Frame, **heads(), image=images, size=sizes, rectangle=st.tuples(*[st.floats(0, 1e4)] * 4))


@st.composite
def found(draw: st.DrawFn) -> Detections:
    people, regions = draw(st.integers(0, 4)), draw(st.integers(0, 4))
    parts = {"boxes_xyxy": floats(people, 4), "scores": floats(people), "searched_xyxy": floats(regions, 4)}
    return draw(st.builds(Detections, **heads(), **parts))


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, arrays bit by bit."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, msgspec.Struct):
        return type(one) is type(other) and same(msgspec.structs.asdict(one), msgspec.structs.asdict(other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@settings(deadline=None, max_examples=60)
@given(st.one_of(everybody, frames, found()))
def test_message_survives_encoding_and_decoding(message: Any) -> None:
    wire: MessageCodec[Any] = MessageCodec(type(message))
    parts = [bytes(part) for part in wire.encode(message)]
    assert same(message, wire.decode(parts))


@pytest.mark.parametrize("message", [facts(), health(), DetectionInterval(camera="front", interval_s=0.5)])
def test_messages_without_arrays_are_one_part(message: CameraFacts | Health | DetectionInterval) -> None:
    wire: MessageCodec[Any] = MessageCodec(type(message))
    parts = wire.encode(message)
    assert len(parts) == 1
    assert wire.decode(parts) == message


def test_other_program_reads_bodies_with_msgpack() -> None:
    parts = MessageCodec(Bodies).encode(bodies(7, captured_at=12.5))
    found = msgpack.unpackb(bytes(parts[0]))
    dtype, shape, data = found["people"][0]["joints_m"]
    assert (found["schema"], found["camera"], found["frame_id"], found["captured_at"]) == (1, "front", 7, 12.5)
    assert np.array_equal(np.frombuffer(data, dtype).reshape(shape), person().joints_m)
    assert found["people"][0]["smpl"]["transl"][:2] == ["<f4", [3]]


def test_large_array_travels_as_a_part_of_its_own() -> None:
    image = np.random.default_rng(1).integers(0, 255, (200, 300, 3), np.uint8)
    assert image.nbytes > MAX_INLINE_ARRAY_BYTES
    frame = Frame(camera="front", epoch=1, frame_id=0, captured_at=0.0, image=image, size=(300, 200), rectangle=(0, 0, 300, 200))
    parts = MessageCodec(Frame).encode(frame)
    assert msgpack.unpackb(parts[0])["image"] == ["|u1", [200, 300, 3], 1]
    assert bytes(parts[1]) == image.tobytes()


def test_big_endian_array_is_encoded_little_endian() -> None:
    wire: MessageCodec[Bodies] = MessageCodec(Bodies)
    native = {"value": np.array([1, 2], ">i4")}
    parts = wire.encode(bodies(people=[person(native=native)]))
    assert msgpack.unpackb(parts[0])["people"][0]["native"]["value"] == ["<i4", [2], b"\1\0\0\0\2\0\0\0"]


def test_slice_of_an_array_is_encoded_contiguously() -> None:
    wire: MessageCodec[Bodies] = MessageCodec(Bodies)
    native = {"value": np.arange(12, dtype=np.float32).reshape(3, 4)[::2, ::-1]}
    back = wire.decode([bytes(part) for part in wire.encode(bodies(people=[person(native=native)]))])
    assert np.array_equal(back.people[0].native["value"], native["value"])


BAD = {
    "missing field": ({"frame_id": None}, "missing required field `frame_id`"),
    "wrong type": ({"frame_id": "seven"}, "Expected `int`, got `str` - at `$.frame_id`"),
    "other schema": ({"schema": 2}, "Invalid enum value 2 - at `$.schema`"),
    "no array": ({"people.0.box_xyxy": [1, 2]}, "expected an array as [dtype, shape, bin]"),
    "short data": ({"people.0.box_xyxy": ["<f4", [4], b"123"]}, "expected an array as [dtype, shape, bin]"),
    "no such type": ({"people.0.box_xyxy": ["<q9", [4], b""]}, "expected an array as [dtype, shape, bin]"),
    "objects": ({"people.0.box_xyxy": ["|O", [2], bytes(16)]}, "expected an array as [dtype, shape, bin]"),
    "no such part": ({"people.0.box_xyxy": ["<f4", [4], 3]}, "expected an array as [dtype, shape, bin]"),
    "wrong dtype": ({"people.0.box_xyxy": ["<f8", [4], bytes(32)]}, "box_xyxy must be a float32 array, got float64"),
    "wrong shape": ({"people.0.box_xyxy": ["<f4", [3], bytes(12)]}, "box_xyxy must have the shape (4,), got (3,)"),
    "unequal lengths": ({"people.0.keypoint_scores": ["<f4", [2], bytes(8)]}, "keypoint_scores must have the shape (24,)"),
    "smpl": ({"people.0.smpl.betas": ["<f4", [11], bytes(44)]}, "betas must have the shape (10,), got (11,)"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data_is_named(case: str) -> None:
    changes, said = BAD[case]
    values = msgpack.unpackb(bytes(MessageCodec(Bodies).encode(bodies())[0]))
    for path, value in changes.items():
        *way, last = path.split(".")
        place = values
        for step in way:
            place = place[int(step) if step.isdigit() else step]
        if value is None:
            del place[last]
        else:
            place[last] = value
    with pytest.raises(msgspec.ValidationError) as caught:
        MessageCodec(Bodies).decode([msgpack.packb(values)])
    assert said in str(caught.value)
    if "." in next(iter(changes)):
        assert "$.people[" in str(caught.value)


def test_field_of_a_later_version_is_ignored() -> None:
    values = msgpack.unpackb(bytes(MessageCodec(Bodies).encode(bodies(7))[0]))
    assert MessageCodec(Bodies).decode([msgpack.packb({**values, "weather": "fine"})]).frame_id == 7


@pytest.mark.parametrize("number", [0, -1])
def test_number_of_a_part_that_holds_no_array_is_refused(number: int) -> None:
    values = msgpack.unpackb(bytes(MessageCodec(Bodies).encode(bodies())[0]))
    packed = values["people"][0]
    packed["native"] = {"value": ["|u1", [-1], number]}
    with pytest.raises(msgspec.ValidationError):
        MessageCodec(Bodies).decode([msgpack.packb(values)])


def test_message_is_checked_at_creation() -> None:
    with pytest.raises(ValueError, match=r"joints_m must have the shape \(None, 3\), got \(3, 2\)"):
        person(joints_m=np.zeros((3, 2), np.float32))


def test_messages_share_no_defaults() -> None:
    one, other = bodies(stamps={}), bodies(stamps={})
    assert one.skipped is not other.skipped
