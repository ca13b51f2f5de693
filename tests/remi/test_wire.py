"""REMI's packets: written as REMI does, read without running anything."""

from __future__ import annotations

import copyreg
import io
import os
import pickle
import random
import socket
import struct
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from remi_stream.errors import RemiError
from remi_stream.models import pickled_objects
from remi_stream.remi.wire import (
    MAX_PAYLOAD_BYTES,
    RemiPacket,
    decode_payload,
    empty_packet,
    encode_packet,
    make_packet,
    packet_from_arrays,
    read_packet,
    unknown_pose_packet,
)

SIZES = {"poses_body": 69, "poses_root": 3, "betas": 10, "trans": 3}


def packet(seed: int = 0) -> RemiPacket:
    numbers = np.random.default_rng(seed)
    return packet_from_arrays(*(numbers.normal(size=size) for size in SIZES.values()))


def framed(payload: bytes, magic: bytes = b"SMPL", length: int | None = None, checksum: int | None = None) -> io.BytesIO:
    size = len(payload) if length is None else length
    return io.BytesIO(struct.pack(">4sII", magic, size, zlib.crc32(payload) if checksum is None else checksum) + payload)


def same(one: RemiPacket | None, other: RemiPacket) -> None:
    assert one is not None
    for name in RemiPacket._fields:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == np.float32
        assert getattr(one, name).flags.writeable


def test_packet_is_what_a_python_program_would_have_sent() -> None:
    data = encode_packet(packet())
    assert data[:4] == b"SMPL"
    assert struct.unpack(">II", data[4:12]) == (len(data) - 12, zlib.crc32(data[12:]))
    arrays = pickle.loads(data[12:])
    assert list(arrays) == list(SIZES)
    for name, size in SIZES.items():
        assert (arrays[name].shape, arrays[name].dtype) == ((1, size), np.float32)
        np.testing.assert_array_equal(arrays[name], getattr(packet(), name))


def test_bytes_depend_on_the_numbers_only() -> None:
    wide = RemiPacket(*(np.asfortranarray(np.repeat(array.astype(np.float64), 2, 1))[:, ::2].ravel() for array in packet()))
    received = read_packet(io.BytesIO(encode_packet(packet())))
    frozen = RemiPacket(
        *(np.frombuffer(array.tobytes(), ">f4" if k else "<f4") for k, array in enumerate(packet_from_arrays(*packet())))
    )
    swapped = frozen._replace(**{name: getattr(packet(), name).astype(">f4") for name in RemiPacket._fields[1:]})
    assert received is not None
    for other in (wide, received, swapped):
        assert encode_packet(other) == encode_packet(packet())


def test_packets_are_read_one_after_the_other_until_the_end() -> None:
    stream = io.BytesIO(b"".join(encode_packet(packet(seed)) for seed in range(3)))
    for seed in range(3):
        same(read_packet(stream), packet(seed))
    assert read_packet(stream) is None


def test_packet_is_read_from_a_socket_in_pieces() -> None:
    sender, receiver = socket.socketpair()
    with sender, receiver, receiver.makefile("rb", buffering=0) as file:
        data = encode_packet(packet())
        thread = threading.Thread(target=lambda: [sender.sendall(data[k : k + 7]) for k in range(0, len(data), 7)])
        thread.start()
        same(read_packet(file), packet())  # type: ignore[arg-type]
        thread.join()


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("shape", ["flat", "row", "every other"])
def test_arrays_of_other_programs_are_read(protocol: int, dtype: str, shape: str) -> None:
    arrays: dict[str, Any] = {name: array.astype(dtype) for name, array in packet()._asdict().items()}
    if shape == "flat":
        arrays = {name: array.ravel() for name, array in arrays.items()}
    if shape == "every other":
        arrays = {name: np.repeat(array, 2, 1)[:, ::2] for name, array in arrays.items()}
    payload = pickle.dumps({**arrays, "more": [1, 2.5, None, True, ("a", b"b")]}, protocol)
    same(read_packet(framed(payload)), packet())


def test_arrays_of_numpy_1_are_read() -> None:
    payload = encode_packet(packet())[12:].replace(b"\x13numpy._core.numeric", b"\x12numpy.core.numeric")
    same(decode_payload(payload[:3] + struct.pack("<Q", len(payload) - 11) + payload[11:]), packet())  # the frame's length


def test_half_turn_is_applied_to_the_root_only_and_the_position_is_raised() -> None:
    root, body = Rotation.random(random_state=4), np.random.default_rng(0).normal(size=69)
    made = make_packet(root.as_rotvec(), body, np.arange(10), np.array([0.25, -0.5]))
    expected = np.diag([1, -1, -1]) @ root.as_matrix()
    np.testing.assert_allclose(Rotation.from_rotvec(made.poses_root[0]).as_matrix(), expected, atol=1e-6)
    np.testing.assert_allclose(made.poses_body[0], body, rtol=1e-6)
    np.testing.assert_allclose(made.betas[0], np.arange(10))
    np.testing.assert_allclose(made.trans, [[0.25, 0.3, 0]], rtol=1e-6)


def test_no_person_is_zeros_and_an_unknown_pose_stands_on_the_floor() -> None:
    assert not any(array.any() for array in empty_packet())
    assert [array.shape for array in empty_packet()] == [(1, size) for size in SIZES.values()]
    np.testing.assert_allclose(unknown_pose_packet().trans, [[0, 0.8, 0]])
    assert not any(array.any() for array in unknown_pose_packet()[:3])


GOOD = encode_packet(packet())[12:]
ARRAYS = packet()._asdict()


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (framed(GOOD, magic=b"HTTP"), "begins with b'HTTP', not b'SMPL'"),
        (io.BytesIO(b"GE"), "begins with b'GE', not b'SMPL'"),
        (io.BytesIO(encode_packet(packet())[:8]), "8 bytes of its header, expected 12"),
        (io.BytesIO(encode_packet(packet())[:-1]), "cut off: 595 bytes, expected 596"),
        (framed(GOOD, checksum=1), "damaged: its CRC-32 is"),
        (framed(GOOD, length=MAX_PAYLOAD_BYTES + 1), "says that it has 65537 bytes; at most 65536 are read"),
        (framed(GOOD, length=2**32 - 1), "says that it has 4294967295 bytes"),
        (framed(b""), "not a pickle of arrays"),
        (framed(b"no pickle"), "not a pickle of arrays"),
        (framed(GOOD[:-1]), "not a pickle of arrays"),
        (framed(GOOD[:200]), "not a pickle of arrays"),
        (framed(pickle.dumps([1, 2])), "holds a list, expected a dict of poses_body"),
        (framed(pickle.dumps({**ARRAYS, "betas": None})), "has no betas"),
        (framed(pickle.dumps({**ARRAYS, "betas": [0.0] * 10})), "has no array as betas"),
        (framed(pickle.dumps({**ARRAYS, "trans": np.zeros((2, 3))})), r"has trans of shape (2, 3), expected (1, 3)"),
        (framed(pickle.dumps({**ARRAYS, "trans": np.full(3, np.nan)})), "has trans with numbers that are not finite"),
        (framed(pickle.dumps({**ARRAYS, "trans": np.full(3, 1e300)})), "has trans with numbers that are not finite"),
        (framed(pickle.dumps({**ARRAYS, "trans": np.array([None] * 3)})), "numbers of type O8"),
        (framed(pickle.dumps({**ARRAYS, "trans": np.array(["a", "b", "c"])})), "numbers of type U1"),
    ],
)
def test_invalid_packet_is_refused_in_one_line(stream: io.BytesIO, words: str) -> None:
    with pytest.raises(RemiError) as caught:
        read_packet(stream)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_huge_length_is_refused_before_anything_more_is_read() -> None:
    stream = framed(GOOD, length=2**31)
    with pytest.raises(RemiError):
        read_packet(stream)
    assert stream.tell() == 12


RAN: list[object] = []


def spy(*arguments: object) -> None:
    RAN.append(arguments)


class Runs:
    """An object whose pickle calls something."""

    def __init__(self, call: Any, *arguments: object) -> None:
        self._reduced = call, arguments

    def __reduce__(self) -> Any:
        return self._reduced


class BuildsUp:
    """An object of a class that is looked up, made without a call, and filled."""

    def __setstate__(self, state: object) -> None:
        spy(state)


def builds_up() -> BuildsUp:
    made = BuildsUp()
    made.__dict__["x"] = 1
    return made


def attacks(marker: Path) -> dict[str, bytes]:
    touch = f"touch {marker}"
    return {
        "a shell command": pickle.dumps({**ARRAYS, "betas": Runs(os.system, touch)}),
        "a shell command, protocol 0": pickle.dumps(Runs(os.system, touch), 0),
        "a shell command, protocol 2": pickle.dumps(Runs(os.system, touch), 2),
        "eval": pickle.dumps(Runs(eval, f"open({str(marker)!r}, 'w')")),
        "a function of a test": pickle.dumps({**ARRAYS, "extra": Runs(spy, 1)}),
        "a class that fills itself": pickle.dumps({**ARRAYS, "extra": builds_up()}),
        "getattr": b"cbuiltins\ngetattr\n(cnumpy\nndarray\nS'tofile'\ntR.",
        "numpy's loader": b"\x80\x04cnumpy\nload\n\x8c\x01a\x85R.",
        "a dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__init__\x93.",
        "an attribute of a stand-in": b"\x80\x04cnumpy\ndtype\nN}\x8c\x05_make}s\x86b.",
        "a new instance of a stand-in": b"\x80\x04cnumpy\nndarray\n)\x81.",
        "an extension": b"\x80\x04\x82\x01)R.",
        "a persistent name": b"\x80\x04\x8c\x01aQ.",
        "a buffer from elsewhere": b"\x80\x05\x97.",
        "a huge memo": b"\x80\x04Nr\xff\xff\xff\x7f.",
        "a huge string": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".",
        "a huge array": b"\x80\x04cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85C\x01btR.",
        "endless nesting": b"\x80\x04" + b"]" * 20000 + b"a" * 19999 + b".",
    }


@pytest.fixture
def registered() -> Any:
    """A function that a pickle can call by a number, without looking up its name: it was looked up before."""
    copyreg.add_extension(__name__, "spy", 1)
    assert pickle.loads(b"\x80\x04\x82\x01.") is spy
    yield
    copyreg.remove_extension(__name__, "spy", 1)


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("attack", attacks(Path("x")))
def test_pickle_that_would_run_code_is_refused_and_runs_nothing(attack: str, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    payload = attacks(marker)[attack]
    makers = dict(pickled_objects.NUMBER_CONSTRUCTORS)
    with pytest.raises(RemiError) as caught:
        read_packet(framed(payload))
    assert "\n" not in str(caught.value)
    assert not marker.exists()
    assert RAN == []
    assert makers == pickled_objects.NUMBER_CONSTRUCTORS
    same(read_packet(io.BytesIO(encode_packet(packet()))), packet())


@pytest.mark.parametrize("attack", ["a shell command", "eval", "a function of a test", "a class that fills itself"])
def test_attacks_work_on_a_plain_unpickler(attack: str, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    pickle.loads(attacks(marker)[attack])
    assert marker.exists() or RAN
    RAN.clear()


def test_damaged_pickle_is_either_a_packet_or_refused() -> None:
    dice = random.Random(5)
    for _ in range(3000):
        payload = bytearray(GOOD)
        for _ in range(dice.choice((1, 1, 2, 5))):
            payload[dice.randrange(len(payload))] = dice.randrange(256)
        try:
            assert isinstance(decode_payload(bytes(payload)), RemiPacket)
        except RemiError:
            continue
