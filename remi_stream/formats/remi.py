"""REMI's packets: what its pose program sends to its relay over TCP (port 9999), one person a packet, no reply.

A packet is "SMPL", the payload's length, the payload's CRC-32 (unsigned, 32 bits, big-endian both), the payload: a pickle of four
arrays, of which nothing but arrays is read (array_pickle.py).
"""

from __future__ import annotations

import pickle
import struct
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from remi_stream.errors import RemiError, UsageError
from remi_stream.formats.array_pickle import as_array, unpickle
from remi_stream.geometry import rotation_matrices, rotation_vectors

MAGIC = b"SMPL"
HEADER = struct.Struct(">4sII")
PORT = 9999
PROTOCOL = 5
"""Of pickle; the highest one of every Python that we run in."""
LARGEST_BYTES = 65536
"""Of a payload that is read; REMI's has about 600."""
HALF_TURN = np.diag([1.0, -1.0, -1.0])
"""From the camera's axes (y down) to the viewer's (y up)."""
LIFT = np.array([0.0, 0.8, 0.0])
"""Added to where the viewer draws the person, so that it stands on the floor."""
LARGEST_NUMBER = 1000.0
"""In a packet; no angle, shape or place of a body is beyond it."""


class Stream(Protocol):
    """What packets are read from: a file, or one that stands for a socket."""

    def read(self, count: int, /) -> bytes | None:
        """So many bytes or fewer; none at the end."""
        ...


class Packet(NamedTuple):
    """One person, float32, as REMI's viewer draws it: axis-angle rad, y up.

    poses_body: (1, 69). poses_root: (1, 3), after the half turn about x. betas: (1, 10). trans: (1, 3), a place in the viewer, no
    metres: tx, ty + 0.8, 0.
    """

    poses_body: np.ndarray
    poses_root: np.ndarray
    betas: np.ndarray
    trans: np.ndarray


SIZES = Packet(69, 3, 10, 3)  # type: ignore[arg-type]
"""Numbers in each array."""


def address_of(text: str) -> tuple[str, int]:
    """Host and port of "HOST:PORT"; an IPv6 number may stand in brackets. Raises UsageError."""
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise UsageError(f"{text!r} is not an address; allowed: HOST:PORT, e.g. 127.0.0.1:{PORT}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def make_packet(global_orient: np.ndarray, body_pose: np.ndarray, betas: np.ndarray, shift: np.ndarray) -> Packet:
    """The packet of a person: global_orient (3,), body_pose (69,), rad, camera axes; betas (10,).

    shift: (2,), sideways and down: tx, ty of the crop's weak-perspective camera.
    """
    return packet_of(body_pose, turned(global_orient), betas, placed(shift))


def turned(global_orient: np.ndarray) -> np.ndarray:
    """Root rotations (..., 3) rad, after the half turn about x."""
    return rotation_vectors(HALF_TURN @ rotation_matrices(np.asarray(global_orient, np.float64)))


def placed(shift: np.ndarray) -> np.ndarray:
    """Where the viewer draws people with these tx, ty (..., 2): (..., 3)."""
    return np.concatenate([shift, np.zeros_like(shift[..., :1])], -1) + LIFT


def shift_of(packet: Packet) -> np.ndarray:
    """The tx, ty (2,) that a packet was placed with."""
    return (packet.trans[0] - LIFT)[:2]


def tells_pose(packet: Packet) -> bool:
    """Whether there is a person with a pose in it: nobody, and an unknown pose, are zeros."""
    return bool(packet.poses_body.any() or packet.poses_root.any())


def nobody() -> Packet:
    """What is sent while nobody is seen."""
    return packet_of(*map(np.zeros, SIZES))


def unknown_pose() -> Packet:
    """What is sent when somebody is seen whose pose could not be found."""
    return nobody()._replace(trans=row(LIFT))


def packet_of(*arrays: np.ndarray) -> Packet:
    """A packet of these numbers, of any type and shape."""
    return Packet(*map(row, arrays))


def row(numbers: np.ndarray) -> np.ndarray:
    """A row (1, N) float32, a copy: its pickle depends on nothing but the numbers."""
    return np.array(numbers, np.float32, order="C").reshape(1, -1)


def encode(packet: Packet) -> bytes:
    """The bytes of a packet."""
    payload = pickle.dumps(packet_of(*packet)._asdict(), PROTOCOL)
    return HEADER.pack(MAGIC, len(payload), zlib.crc32(payload)) + payload


def read_packet(file: Stream) -> Packet | None:
    """The next packet of a stream; None at its end. Raises RemiError: what follows on this stream cannot be trusted then."""
    header = read_up_to(file, HEADER.size)
    if not header:
        return None
    if not header.startswith(MAGIC[: len(header)]):
        raise RemiError(f"This is no packet of REMI: it begins with {header[:4]!r}, not {MAGIC!r}.")
    if len(header) < HEADER.size:
        raise RemiError(f"A packet of REMI is cut off: {len(header)} bytes of its header, expected {HEADER.size}.")
    _, length, checksum = HEADER.unpack(header)
    if length > LARGEST_BYTES:
        raise RemiError(f"A packet of REMI says that it has {length} bytes; at most {LARGEST_BYTES} are read.")
    payload = read_up_to(file, length)
    if len(payload) < length:
        raise RemiError(f"A packet of REMI is cut off: {len(payload)} bytes, expected {length}.")
    if zlib.crc32(payload) != checksum:
        raise RemiError(f"A packet of REMI is damaged: its CRC-32 is {zlib.crc32(payload):08x}, expected {checksum:08x}.")
    return read_payload(payload)


def read_up_to(file: Stream, count: int) -> bytes:
    """So many bytes, fewer only at the end; a socket's file may give them in pieces."""
    pieces = []
    while count and (piece := file.read(count)):
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def read_payload(payload: bytes) -> Packet:
    """The arrays of a pickle; shapes (N,) and (1, N) of any numbers are taken. Raises RemiError."""
    content = unpickle(payload, "A packet of REMI")
    if not isinstance(content, Mapping):
        raise RemiError(f"A packet of REMI holds a {type(content).__name__}, expected a dict of {', '.join(Packet._fields)}.")
    return Packet(*(checked(content, name, size) for name, size in zip(Packet._fields, SIZES)))


def checked(content: Mapping[Any, Any], name: str, size: Any) -> np.ndarray:
    """One array of a packet, (1, size) float32."""
    value = content.get(name)
    array = as_array(value)
    if array is None:
        raise RemiError(f"A packet of REMI has {'no' if value is None else 'no array as'} {name}.")
    if array.shape not in ((size,), (1, size)):
        raise RemiError(f"A packet of REMI has {name} of shape {array.shape}, expected (1, {size}).")
    with np.errstate(over="ignore"):
        numbers = row(array)
    if not np.isfinite(numbers).all():
        raise RemiError(f"A packet of REMI has {name} with numbers that are not finite.")
    if np.abs(numbers).max() > LARGEST_NUMBER:
        raise RemiError(f"A packet of REMI has {name} with numbers beyond {LARGEST_NUMBER:g}.")
    return numbers
