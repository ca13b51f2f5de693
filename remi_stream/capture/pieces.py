"""Joins what the network brings of an H.264 or H.265 picture into what a decoder can take, as early as possible.

FFmpeg's RTSP reader gives one packet for each fragment of a NAL unit; the first fragment begins with a start code. Its own parser
waits for the next picture before it gives one, which costs a frame time. A fragment that is shorter than a full one is the last
of its unit, so the unit can go to the decoder at once.
"""

from __future__ import annotations

from typing import NamedTuple

START = b"\0\0\0\1"
FIRST_EXTRA = len(START) + 1
"""How much longer a full first fragment is than the others: the start code, and the header byte of the unit."""

LEAST = 1000
"""Nobody cuts a unit into smaller fragments than this many bytes."""


class Piece(NamedTuple):
    """data: whole NAL units with start codes. pts: of their picture."""

    data: bytes
    pts: int | None


class Uneven(Exception):  # noqa: N818
    """The sender's fragments have changing sizes: a unit was thought to be whole and was not."""


class Joiner:
    """early: give each NAL unit as soon as it must be whole. Otherwise all of a picture, when the next one begins."""

    def __init__(self, *, early: bool) -> None:
        self._early = early
        self._data = bytearray()
        self._pts: int | None = None
        self._full = LEAST
        self._first = 0
        self._given = True

    def push(self, data: bytes, pts: int | None) -> list[Piece]:
        """Add a packet; give what is whole by now. Raises Uneven when something was given too early."""
        pieces = self._begin(pts) if data.startswith(START) else self._go_on(data)
        self._data += data
        if data.startswith(START):
            self._first = len(data)
        return [*pieces, *(self._take() if self._early and self._short(data) else [])]

    def _begin(self, pts: int | None) -> list[Piece]:
        """A new unit: whatever is there is whole, and so is the picture if the time is another."""
        pieces = self._take() if self._early or pts != self._pts else []
        self._given, self._pts = False, pts
        return pieces

    def _go_on(self, data: bytes) -> list[Piece]:
        """Learn from a second fragment how long the first ones are."""
        if self._given and self._early:
            raise Uneven
        self._full = max(self._full, self._first - FIRST_EXTRA, len(data))
        return []

    def _short(self, data: bytes) -> bool:
        full = self._full + FIRST_EXTRA if data.startswith(START) else self._full
        return len(data) < full

    def _take(self) -> list[Piece]:
        if not self._data:
            return []
        piece = Piece(bytes(self._data), self._pts)
        self._data, self._given = bytearray(), True
        return [piece]
