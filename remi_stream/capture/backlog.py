"""Backlog of a network camera that is decoded too slowly: measured by the stream's timestamps, ended by skipping to a key frame.

A machine without time for all frames leaves them in the socket, where each is older than the one before: seconds, in the end.
A reader that has to wait for a packet has emptied the socket, whatever the timestamps say: many cameras' are wrong.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

LAG_LIMIT_S = 0.3
"""Lag above which a stream is late, s."""
PATIENCE_S = 0.5
"""Time that a stream may be late before frames are skipped, s: a network that paused delivers many at once, soon decoded."""
RESUME_LAG_S = 0.1
"""Lag below which all frames are decoded again, from the next key frame on, s."""
KEY_FRAME_INTERVAL_S = 0.25
"""Time without decoding, between the key frames that are decoded while the others are skipped, s."""
MAX_SKIP_S = 5.0
"""Longest skip, s: a stream that is as late after it has no backlog; its clock has jumped, or it has no key frames."""
MAX_CLOCK_ERROR = 0.002
"""How much slower than this machine's a camera's clock may run."""
MAX_JUMP_S = 10.0
"""A larger change of a stream's lag between two frames is a jump of its timestamps, s."""
MIN_WAIT_S = 0.002
"""A shorter wait for a packet is none, s."""
EMPTY_WAIT_S = 0.02
"""Wait for the packets of successive frames that shows that the socket was empty, s: one short wait may be for Python's lock."""


class ReceivedPacket(NamedTuple):
    """A packet, and when and how it came."""

    packet: Any
    arrived_at: float
    """Monotonic s."""
    waited_s: float
    """How long the reader waited for it, without its own work, s."""


def receive_packets(packets: Iterator[Any]) -> Iterator[ReceivedPacket]:
    """Take packets from a demuxer, and measure how long each was waited for."""
    while True:
        started_at, busy_s = time.monotonic(), time.thread_time()
        packet = next(packets, None)
        if packet is None:
            return
        now = time.monotonic()
        yield ReceivedPacket(packet, now, now - started_at - (time.thread_time() - busy_s))


class SocketWait:
    """Whether a socket was empty, by the waits for its packets."""

    def __init__(self) -> None:
        self._sum_s = 0.0

    def was_empty(self, waited_s: float) -> bool:
        """Whether the socket was empty before this frame. waited_s: longest wait for one of its packets, s."""
        self._sum_s = self._sum_s + waited_s if waited_s >= MIN_WAIT_S else self._sum_s / 2
        is_empty = self._sum_s >= EMPTY_WAIT_S
        if is_empty:
            self._sum_s = 0.0
        return is_empty


class StreamLag:
    """How late the frames of a stream come, compared with the earliest ones so far."""

    def __init__(self) -> None:
        self._least: float | None = None
        self._last = self._at = 0.0

    def measure(self, pts_s: float, now: float) -> float:
        """Lag of the frame with this timestamp, s, that is about to be decoded at `now`, monotonic s."""
        offset = now - pts_s
        if self._least is None or abs(offset - self._last) > MAX_JUMP_S:
            self._least = offset
        else:
            self._least = min(offset, self._least + MAX_CLOCK_ERROR * (now - self._at))
        self._last, self._at = offset, now
        return offset - self._least

    def reset(self) -> None:
        """Take the next frame as one that is not late."""
        self._least = None


class BacklogSkipper:
    """Which frames of a stream to decode: all, or while it is late only some of its key frames."""

    def __init__(self) -> None:
        self.skipped = 0
        """Frames skipped since `take_skipped`."""
        self._lag = StreamLag()
        self._wait = SocketWait()
        self._late_since: float | None = None
        self._skipping_since: float | None = None
        self._wanted = False
        self._decoded_at = float("-inf")

    def wants(self, is_key_frame: bool, pts_s: float, now: float, waited_s: float = 0.0) -> bool:
        """Whether to decode a frame; one that is skipped is counted. Every frame of the stream must be asked about, in order.

        now: monotonic s. waited_s: longest wait for one of its packets, s.
        """
        if self._wanted:
            self._decoded_at = now
        if self._wait.was_empty(waited_s):
            self._lag.reset()  # its clock, or the network, is slow: nothing waits to be decoded
        self._wanted = self._wants(is_key_frame, self._lag.measure(pts_s, now), now)
        self.skipped += not self._wanted
        return self._wanted

    def take_skipped(self) -> int:
        """Return the number of skipped frames, and count from 0 again."""
        skipped, self.skipped = self.skipped, 0
        return skipped

    def _wants(self, is_key_frame: bool, lag_s: float, now: float) -> bool:
        if self._skipping_since is None:
            if not self._is_late_for_long(lag_s, now):
                return True
            self._skipping_since = now
        if is_key_frame and lag_s <= RESUME_LAG_S:
            self._resume()
            return True
        if now - self._skipping_since > MAX_SKIP_S:
            self._lag.reset()
            self._resume()
            return True
        return is_key_frame and now - self._decoded_at >= KEY_FRAME_INTERVAL_S

    def _is_late_for_long(self, lag_s: float, now: float) -> bool:
        if lag_s <= LAG_LIMIT_S:
            self._late_since = None
        elif self._late_since is None:
            self._late_since = now
        return self._late_since is not None and now - self._late_since >= PATIENCE_S

    def _resume(self) -> None:
        self._skipping_since = self._late_since = None


class UntimedSkipper:
    """Which images of a stream without timestamps to decode: all, unless the reader has not waited for one for long.

    Each image is whole. One that was waited for is new; while none is, images are only taken from the socket.
    """

    def __init__(self) -> None:
        self._skipped = 0
        self._wait = SocketWait()
        self._empty_at: float | None = None
        self._decoded_at = float("-inf")

    def wants(self, now: float, waited_s: float) -> bool:
        """Whether to decode an image; one that is skipped is counted. now: monotonic s. waited_s: wait for it, s."""
        if self._empty_at is None or self._wait.was_empty(waited_s):
            self._empty_at = now
        is_wanted = now - self._empty_at < PATIENCE_S or now - self._decoded_at >= KEY_FRAME_INTERVAL_S
        if is_wanted:
            self._decoded_at = now
        self._skipped += not is_wanted
        return is_wanted

    def take_skipped(self) -> int:
        """Return the number of skipped images, and count from 0 again."""
        skipped, self._skipped = self._skipped, 0
        return skipped


def is_key_frame(data: bytes, codec: str) -> bool | None:
    """Whether H.264 or H.265 units with start codes are (part of) a key frame; None if there is no part of an image in them."""
    at = data.find(b"\0\0\1")
    while 0 <= at < len(data) - 3:
        header = data[at + 3]
        unit = header & 31 if codec == "h264" else header >> 1 & 63
        if codec == "h264" and 1 <= unit <= 5:
            return unit == 5  # IDR
        if codec == "hevc" and unit <= 31:
            return 16 <= unit <= 23  # intra random access point
        at = data.find(b"\0\0\1", at + 3)
    return None
