"""Assembles RTP fragments of H.264 and H.265 into whole NAL units for the decoder, as early as possible.

FFmpeg's RTSP reader returns one packet per fragment of a NAL unit; the first fragment begins with a start code. Its own parser
waits for the next frame before it returns one, which costs a frame time. A fragment that is shorter than a full one is the last
of its unit, so the unit can go to the decoder at once.
"""

from __future__ import annotations

from typing import NamedTuple

START_CODE = b"\0\0\0\1"
"""Annex B start code."""
FIRST_FRAGMENT_EXTRA_BYTES = len(START_CODE) + 1
"""A full first fragment is longer than the others by the start code and the header byte of the unit."""
MIN_FRAGMENT_BYTES = 1000
"""No sender fragments a unit into pieces smaller than this, bytes; Ethernet's MTU leaves about 1400."""


class NalUnits(NamedTuple):
    """Whole NAL units of one frame."""

    data: bytes
    """Units with start codes."""
    pts: int | None
    """Of their frame, in units of the stream's time base."""


class UnevenFragments(Exception):  # noqa: N818
    """The sender's fragments vary in size: a unit was taken for complete too early."""


class NalAssembler:
    """Joins fragments into NAL units. early: emit each unit once complete; else each frame when the next one begins."""

    def __init__(self, *, early: bool) -> None:
        self._early = early
        self._data = bytearray()
        self._pts: int | None = None
        self._full_size = MIN_FRAGMENT_BYTES
        self._first_size = 0
        self._emitted = True

    def push(self, data: bytes, pts: int | None) -> list[NalUnits]:
        """Add a packet; return the units that are complete. Raises Uneven if one was emitted too early."""
        pieces = self._start_unit(pts) if data.startswith(START_CODE) else self._continue_unit(data)
        self._data += data
        if data.startswith(START_CODE):
            self._first_size = len(data)
        return [*pieces, *(self._emit() if self._early and self._is_last_fragment(data) else [])]

    def _start_unit(self, pts: int | None) -> list[NalUnits]:
        """Start a unit: the one before is complete, and so is its frame if the pts differs."""
        pieces = self._emit() if self._early or pts != self._pts else []
        self._emitted, self._pts = False, pts
        return pieces

    def _continue_unit(self, data: bytes) -> list[NalUnits]:
        """Continue a unit, and learn from its second fragment how long a full one is."""
        if self._emitted and self._early:
            raise UnevenFragments
        self._full_size = max(self._full_size, self._first_size - FIRST_FRAGMENT_EXTRA_BYTES, len(data))
        return []

    def _is_last_fragment(self, data: bytes) -> bool:
        full = self._full_size + FIRST_FRAGMENT_EXTRA_BYTES if data.startswith(START_CODE) else self._full_size
        return len(data) < full

    def _emit(self) -> list[NalUnits]:
        if not self._data:
            return []
        piece = NalUnits(bytes(self._data), self._pts)
        self._data, self._emitted = bytearray(), True
        return [piece]
