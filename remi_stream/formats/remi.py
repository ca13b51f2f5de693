"""REMI's wire format: packets that its pose program sends to its relay over TCP (port 9999), one person per packet, no reply.

A packet is "SMPL", the payload's length and CRC-32 (both unsigned 32 bits, big-endian), then the payload: a pickle of four
arrays, which the safe unpickler reads (array_pickle.py).
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
"""Pickle protocol; the highest one of every supported Python."""
LARGEST_BYTES = 65536
"""Largest payload that is read; REMI's has about 600 bytes."""
HALF_TURN = np.diag([1.0, -1.0, -1.0])
"""Rotation from the camera's axes (y down) to the viewer's (y up)."""
LIFT = np.array([0.0, 0.8, 0.0])
"""Offset of the person in REMI's viewer, so that it stands on the floor."""
LARGEST_NUMBER = 1000.0
"""Largest magnitude in a packet; no valid angle, beta or translation exceeds it."""


class Stream(Protocol):
    """A readable stream of packets: a file, or a socket's file object."""

    def read(self, count: int, /) -> bytes | None:
        """Read at most count bytes; none at the end."""
        ...


class Packet(NamedTuple):
    """One person, float32, as REMI's viewer draws it, y up. The field names are on the wire."""

    poses_body: np.ndarray
    """(1, 69) axis-angle, rad."""
    poses_root: np.ndarray
    """(1, 3) axis-angle, rad, after the half turn about x."""
    betas: np.ndarray
    """(1, 10)."""
    trans: np.ndarray
    """(1, 3) position in the viewer, not metres: tx, ty + 0.8, 0."""


SIZES = Packet(69, 3, 10, 3)  # type: ignore[arg-type]
"""Size of each array."""


def address_of(text: str) -> tuple[str, int]:
    """Parse "HOST:PORT" into host and port; an IPv6 address may be in brackets. Raises UsageError."""
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise UsageError(f"{text!r} is not an address; allowed: HOST:PORT, e.g. 127.0.0.1:{PORT}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def make_packet(global_orient: np.ndarray, body_pose: np.ndarray, betas: np.ndarray, shift: np.ndarray) -> Packet:
    """Make the packet of a person: global_orient (3,), body_pose (69,), rad, camera axes; betas (10,).

    shift: (2,) tx, ty of the crop's weak-perspective camera, x right, y down.
    """
    return packet_of(body_pose, turned(global_orient), betas, placed(shift))


def turned(global_orient: np.ndarray) -> np.ndarray:
    """Rotate root rotations (..., 3) rad, from camera axes to the viewer's: a half turn about x."""
    return rotation_vectors(HALF_TURN @ rotation_matrices(np.asarray(global_orient, np.float64)))


def placed(shift: np.ndarray) -> np.ndarray:
    """Return the viewer's translation (..., 3) of people with these tx, ty (..., 2)."""
    return np.concatenate([shift, np.zeros_like(shift[..., :1])], -1) + LIFT


def shift_of(packet: Packet) -> np.ndarray:
    """Return the tx, ty (2,) of a packet."""
    return (packet.trans[0] - LIFT)[:2]


def tells_pose(packet: Packet) -> bool:
    """Return whether a packet has a pose: no person, and an unknown pose, are sent as zeros."""
    return bool(packet.poses_body.any() or packet.poses_root.any())


def nobody() -> Packet:
    """Return the packet that is sent while no person is seen."""
    return packet_of(*map(np.zeros, SIZES))


def unknown_pose() -> Packet:
    """Return the packet that is sent when a person is seen but the pose is not known."""
    return nobody()._replace(trans=row(LIFT))


def packet_of(*arrays: np.ndarray) -> Packet:
    """Return a packet of these arrays, of any dtype and shape."""
    return Packet(*map(row, arrays))


def row(numbers: np.ndarray) -> np.ndarray:
    """Copy to (1, N) float32, C order, so that the pickle depends on the values only."""
    return np.array(numbers, np.float32, order="C").reshape(1, -1)


def encode(packet: Packet) -> bytes:
    """Serialise a packet."""
    payload = pickle.dumps(packet_of(*packet)._asdict(), PROTOCOL)
    return HEADER.pack(MAGIC, len(payload), zlib.crc32(payload)) + payload


def read_packet(file: Stream) -> Packet | None:
    """Read the next packet of a stream; None at its end. After a RemiError the stream is out of step: close it."""
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
    """Read count bytes, fewer only at the end; a socket may return them in several pieces."""
    pieces = []
    while count and (piece := file.read(count)):
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def read_payload(payload: bytes) -> Packet:
    """Decode a payload; arrays of shape (N,) or (1, N) and any numeric dtype are accepted. Raises RemiError."""
    content = unpickle(payload, "A packet of REMI")
    if not isinstance(content, Mapping):
        raise RemiError(f"A packet of REMI holds a {type(content).__name__}, expected a dict of {', '.join(Packet._fields)}.")
    return Packet(*(checked(content, name, size) for name, size in zip(Packet._fields, SIZES)))


def checked(content: Mapping[Any, Any], name: str, size: Any) -> np.ndarray:
    """Check one array of a packet and return it as (1, size) float32. Raises RemiError."""
    value = content.get(name)
    array = as_array(value)
    if array is None:
        raise RemiError(f"A packet of REMI has {'no' if value is None else 'no array as'} {name}.")
    if array.shape not in ((size,), (1, size)):
        raise RemiError(f"A packet of REMI has {name} of shape {array.shape}, expected (1, {size}).")
    # float64 values may overflow to inf in float32; the next check reports them.
    with np.errstate(over="ignore"):
        numbers = row(array)
    if not np.isfinite(numbers).all():
        raise RemiError(f"A packet of REMI has {name} with numbers that are not finite.")
    if np.abs(numbers).max() > LARGEST_NUMBER:
        raise RemiError(f"A packet of REMI has {name} with numbers beyond {LARGEST_NUMBER:g}.")
    return numbers
