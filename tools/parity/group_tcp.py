"""REMI's packet encoding, byte by byte, and decoding."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.rows import Entries, Row, compare, same
from remi_stream.remi.wire import HEADER, RemiPacket, encode_packet, read_packet

GROUP = "tcp"


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """Check encoding from the arrays, and decoding of the golden bytes."""
    arrays = {name: entries[f"tcp.in.{name}"] for name in RemiPacket._fields}
    data = np.frombuffer(encode_packet(RemiPacket(**arrays)), np.uint8)
    yield compare("tcp.header_bytes", data[: HEADER.size], entries["tcp.header_bytes"], 0)
    yield compare("tcp.packet_bytes", data, entries["tcp.packet_bytes"], 0)
    packet = read_packet(io.BytesIO(entries["tcp.packet_bytes"].tobytes()))
    yield same("tcp.packet_bytes [read]", packet is not None, True)
    for name in RemiPacket._fields if packet else ():
        yield compare(f"tcp.in.{name} [read]", getattr(packet, name), arrays[name], 0)
