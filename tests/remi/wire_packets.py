"""REMI's socket as its relay reads it, written from the description of the format alone: nothing of remi_stream is in here.

Run as a program it is such a relay: `python -m tests.remi.wire_packets PORT [RECEIVE_BUFFER]` prints a JSON line for each packet.
"""

from __future__ import annotations

import json
import pickle
import socket
import struct
import sys
import zlib
from typing import Any

import numpy as np

SIZES = {"poses_body": 69, "poses_root": 3, "betas": 10, "trans": 3}


def exactly(connection: socket.socket, count: int) -> bytes:
    """So many bytes; fewer only where the stream ends."""
    data = b""
    while len(data) < count and (piece := connection.recv(count - len(data))):
        data += piece
    return data


def read(connection: socket.socket) -> dict[str, np.ndarray] | None:
    """The next packet; None where the stream ends between two packets."""
    header = exactly(connection, 12)
    if not header:
        return None
    assert len(header) == 12, "the stream ends in a header"
    magic, length, checksum = struct.unpack(">4sII", header)
    assert magic == b"SMPL"
    payload = exactly(connection, length)
    assert len(payload) == length, "the stream ends in a payload"
    assert zlib.crc32(payload) & 0xFFFFFFFF == checksum
    packet = pickle.loads(payload)
    assert {name: (array.shape, array.dtype) for name, array in packet.items()} == {
        name: ((1, size), np.float32) for name, size in SIZES.items()
    }
    return packet


def framed(payload: bytes, *, magic: bytes = b"SMPL", length: int | None = None, checksum: int | None = None) -> bytes:
    """The bytes of a packet with this payload, in which something may be wrong."""
    length = len(payload) if length is None else length
    return struct.pack(">4sII", magic, length, zlib.crc32(payload) if checksum is None else checksum) + payload


def write(root: Any = (3.0, 0.0, 0.0), trans: Any = (0.0, 0.8, 0.0), seed: int = 0) -> bytes:
    """The bytes of a packet of a person, as REMI's pose program writes them."""
    dice = np.random.default_rng(seed)
    arrays = {"poses_body": dice.normal(0, 0.2, 69), "poses_root": root, "betas": dice.normal(0, 0.5, 10), "trans": trans}
    packet = {name: np.asarray(array, np.float32).reshape(1, -1) for name, array in arrays.items()}
    return framed(pickle.dumps(packet, pickle.HIGHEST_PROTOCOL))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(port: int, receive_buffer: int = 0) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        listener.bind(("127.0.0.1", port))
        listener.listen(1)
        say("listening")
        while True:
            connection, _ = listener.accept()
            with connection:
                while (packet := read(connection)) is not None:
                    say(json.dumps({name: array[0].tolist() for name, array in packet.items()}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
