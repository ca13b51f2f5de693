"""REMI's wire format: packets that its pose program sends to its relay over TCP (port 9999), one person per packet, no reply.

A packet is "SMPL", the payload's length and CRC-32 (both unsigned 32 bits, big-endian), then the payload: a pickle of four
arrays, which are read safely (models/safe_pickle.py).
"""

from __future__ import annotations

import io
import pickle
import struct
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from remi_stream.errors import RemiError, UsageError
from remi_stream.geometry import axis_angle_from_matrices, matrices_from_axis_angle
from remi_stream.models.pickled_objects import NUMBER_CONSTRUCTORS
from remi_stream.models.safe_pickle import damage_errors, read_pickle

MAGIC = b"SMPL"
HEADER = struct.Struct(">4sII")
PORT = 9999
"""Port of REMI's relay."""
PICKLE_PROTOCOL = 5
"""Pickle protocol; the highest one of every supported Python."""
MAX_PAYLOAD_BYTES = 65536
"""Largest payload that is read; REMI's has about 600 bytes."""
Y_UP_FROM_CAMERA = np.diag([1.0, -1.0, -1.0])
"""Rotation from the camera's axes (y down) to the viewer's (y up)."""
VIEWER_OFFSET = np.array([0.0, 0.8, 0.0])
"""Offset of the person in REMI's viewer, so that it stands on the floor."""
MAX_VALUE = 1000.0
"""Largest magnitude in a packet; no valid angle, beta or translation exceeds it."""


class PacketStream(Protocol):
    """A readable stream of packets: a file, or a socket's file object."""

    def read(self, count: int, /) -> bytes | None:
        """Read at most count bytes; none at the end."""
        ...


class RemiPacket(NamedTuple):
    """One person, float32, as REMI's viewer draws it, y up. The field names are on the wire."""

    poses_body: np.ndarray
    """(1, 69) axis-angle, rad."""
    poses_root: np.ndarray
    """(1, 3) axis-angle, rad, after the half turn about x."""
    betas: np.ndarray
    """(1, 10)."""
    trans: np.ndarray
    """(1, 3) position in the viewer, not metres: tx, ty + 0.8, 0."""


ARRAY_SIZES = RemiPacket(69, 3, 10, 3)  # type: ignore[arg-type]
"""Size of each array."""


def parse_address(text: str) -> tuple[str, int]:
    """Parse "HOST:PORT" into host and port; an IPv6 address may be in brackets. Raises UsageError."""
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise UsageError(f"{text!r} is not an address; allowed: HOST:PORT, e.g. 127.0.0.1:{PORT}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def make_packet(global_orient: np.ndarray, body_pose: np.ndarray, betas: np.ndarray, shift: np.ndarray) -> RemiPacket:
    """Make the packet of a person: global_orient (3,), body_pose (69,), rad, camera axes; betas (10,).

    shift: (2,) tx, ty of the crop's weak-perspective camera, x right, y down.
    """
    return packet_from_arrays(body_pose, rotate_to_y_up(global_orient), betas, viewer_translation(shift))


def rotate_to_y_up(global_orient: np.ndarray) -> np.ndarray:
    """Rotate root rotations (..., 3) rad, from camera axes to the viewer's: a half turn about x."""
    return axis_angle_from_matrices(Y_UP_FROM_CAMERA @ matrices_from_axis_angle(np.asarray(global_orient, np.float64)))


def viewer_translation(shift: np.ndarray) -> np.ndarray:
    """Return the viewer's translation (..., 3) of people with these tx, ty (..., 2)."""
    return np.concatenate([shift, np.zeros_like(shift[..., :1])], -1) + VIEWER_OFFSET


def packet_shift(packet: RemiPacket) -> np.ndarray:
    """Return the tx, ty (2,) of a packet."""
    return (packet.trans[0] - VIEWER_OFFSET)[:2]


def has_pose(packet: RemiPacket) -> bool:
    """Whether a packet has a pose: no person and an unknown pose are sent as zeros."""
    return bool(packet.poses_body.any() or packet.poses_root.any())


def empty_packet() -> RemiPacket:
    """Return the packet for no person."""
    return packet_from_arrays(*map(np.zeros, ARRAY_SIZES))


def unknown_pose_packet() -> RemiPacket:
    """Return the packet for a person without a known pose."""
    return empty_packet()._replace(trans=to_row(VIEWER_OFFSET))


def packet_from_arrays(*arrays: np.ndarray) -> RemiPacket:
    """Return a packet of these arrays, of any dtype and shape."""
    return RemiPacket(*map(to_row, arrays))


def to_row(numbers: np.ndarray) -> np.ndarray:
    """Copy to (1, N) float32, C order, so that the pickle depends on the values only."""
    return np.array(numbers, np.float32, order="C").reshape(1, -1)


def encode_packet(packet: RemiPacket) -> bytes:
    """Serialise a packet."""
    payload = pickle.dumps(packet_from_arrays(*packet)._asdict(), PICKLE_PROTOCOL)
    return HEADER.pack(MAGIC, len(payload), zlib.crc32(payload)) + payload


def read_packet(file: PacketStream) -> RemiPacket | None:
    """Read the next packet of a stream; None at its end. After a RemiError the stream is out of step: close it."""
    header = read_bytes(file, HEADER.size)
    if not header:
        return None
    if not header.startswith(MAGIC[: len(header)]):
        raise RemiError(f"This is no packet of REMI: it begins with {header[:4]!r}, not {MAGIC!r}.")
    if len(header) < HEADER.size:
        raise RemiError(f"A packet of REMI is cut off: {len(header)} bytes of its header, expected {HEADER.size}.")
    _, length, checksum = HEADER.unpack(header)
    if length > MAX_PAYLOAD_BYTES:
        raise RemiError(f"A packet of REMI says that it has {length} bytes; at most {MAX_PAYLOAD_BYTES} are read.")
    payload = read_bytes(file, length)
    if len(payload) < length:
        raise RemiError(f"A packet of REMI is cut off: {len(payload)} bytes, expected {length}.")
    if zlib.crc32(payload) != checksum:
        raise RemiError(f"A packet of REMI is damaged: its CRC-32 is {zlib.crc32(payload):08x}, expected {checksum:08x}.")
    return decode_payload(payload)


def read_bytes(file: PacketStream, count: int) -> bytes:
    """Read count bytes, fewer only at the end; a socket may return them in several pieces."""
    pieces = []
    while count and (piece := file.read(count)):
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def decode_payload(payload: bytes) -> RemiPacket:
    """Decode a payload; arrays of shape (N,) or (1, N) and any numeric dtype are accepted. Raises RemiError."""
    with damage_errors("A packet of REMI", "a pickle of arrays"):
        content = read_pickle(io.BytesIO(payload), len(payload), NUMBER_CONSTRUCTORS, arrays_only=True)
    if not isinstance(content, Mapping):
        raise RemiError(f"A packet of REMI holds a {type(content).__name__}, expected a dict of {', '.join(RemiPacket._fields)}.")
    return RemiPacket(*(check_array(content, name, size) for name, size in zip(RemiPacket._fields, ARRAY_SIZES)))


def check_array(content: Mapping[Any, Any], name: str, size: Any) -> np.ndarray:
    """Check one array of a packet and return it as (1, size) float32. Raises RemiError."""
    array = content.get(name)
    if not isinstance(array, np.ndarray):
        raise RemiError(f"A packet of REMI has {'no' if array is None else 'no array as'} {name}.")
    if array.shape not in ((size,), (1, size)):
        raise RemiError(f"A packet of REMI has {name} of shape {array.shape}, expected (1, {size}).")
    # float64 values may overflow to inf in float32; the next check reports them.
    with np.errstate(over="ignore"):
        numbers = to_row(array)
    if not np.isfinite(numbers).all():
        raise RemiError(f"A packet of REMI has {name} with numbers that are not finite.")
    if np.abs(numbers).max() > MAX_VALUE:
        raise RemiError(f"A packet of REMI has {name} with numbers beyond {MAX_VALUE:g}.")
    return numbers
