"""RTSP network camera over TCP or UDP: H.264, H.265 or MJPEG, read with PyAV."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

import av

from remi_stream.capture.backlog import BacklogSkipper, is_key_frame, receive_packets
from remi_stream.capture.camera_url import CameraUrl, resolve_camera_url
from remi_stream.capture.frame_image import bgr_from_frame, configure_decoder
from remi_stream.capture.live import CameraUnavailable, LiveSource
from remi_stream.capture.network_camera import STALL_TIMEOUT_S, open_stream
from remi_stream.capture.source import CapturedImage
from remi_stream.config import CameraConfig

KEY_FRAME_TIMEOUT_S = 15.0
"""Timeout without a decodable frame, s."""
FFMPEG_OPTIONS = {"flags": "low_delay", "probesize": "32", "analyzeduration": "0", "fflags": "noparse"}
"""A probe of 32 bytes consumes no packet; `fflags=nobuffer` instead would lose the first key frame."""
FRAGMENTED_CODECS = ("h264", "hevc")
"""Codecs whose packets are fragments of NAL units."""
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
    """Presentation timestamp of their frame, in units of the stream's time base."""


class UnevenFragments(Exception):  # noqa: N818
    """The sender's fragments vary in size: a unit was emitted before it was complete."""


class NalAssembler:
    """Joins RTP fragments into NAL units. early: emit each unit once complete; else each frame when the next one begins.

    FFmpeg's RTSP reader returns one packet per fragment of a NAL unit; the first fragment begins with a start code. Its own
    parser waits for the next frame before it returns one, which costs a frame time. A fragment that is shorter than a full one
    is the last of its unit, so the unit can go to the decoder at once.
    """

    def __init__(self, *, early: bool) -> None:
        self._early = early
        self._data = bytearray()
        self._pts: int | None = None
        self._full_size = MIN_FRAGMENT_BYTES
        self._first_size = 0
        self._emitted = True

    @property
    def is_empty(self) -> bool:
        """Whether the last packet completed a unit, instead of waiting for the next one."""
        return not self._data

    def push(self, data: bytes, pts: int | None) -> list[NalUnits]:
        """Add a packet; return the units that are complete. Raises UnevenFragments if one was emitted too early."""
        units = self._start_unit(pts) if data.startswith(START_CODE) else self._continue_unit(data)
        self._data += data
        if data.startswith(START_CODE):
            self._first_size = len(data)
        return [*units, *(self._emit() if self._early and self._is_last_fragment(data) else [])]

    def _start_unit(self, pts: int | None) -> list[NalUnits]:
        """Start a unit: the one before is complete, and so is its frame if the pts differs."""
        units = self._emit() if self._early or pts != self._pts else []
        self._emitted, self._pts = False, pts
        return units

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
        units = NalUnits(bytes(self._data), self._pts)
        self._data, self._emitted = bytearray(), True
        return [units]


class RtspCamera:
    """RTSP camera. captured_at: arrival of the frame's last packet."""

    def __init__(self, url: CameraUrl, transport: str) -> None:
        self.description = url.redacted
        self.fps = 0.0
        self._address = url
        self._transport = transport
        self._early = transport == "tcp"

    def read_frames(self) -> Generator[CapturedImage | None, None, None]:
        """Connect and yield frames from the first key frame on."""
        try:
            with open_stream(self._address, {**FFMPEG_OPTIONS, "rtsp_transport": self._transport}) as container:
                yield from self._decode(container)
        except UnevenFragments:
            self._early = False
            raise CameraUnavailable("its fragments vary in size; frames are decoded one frame later from now on") from None

    def _decode(self, container: Any) -> Generator[CapturedImage | None, None, None]:
        stream = container.streams.video[0]
        decoder = stream.codec_context
        configure_decoder(decoder)
        early = self._early and decoder.name == "h264"
        if early:  # lets the decoder take single NAL units instead of whole frames
            decoder.flags2 |= int(av.codec.context.Flags2.chunks)
        self.fps = float(stream.average_rate or 0)
        decoded_at = time.monotonic()
        backlog = StreamBacklog(decoder.name, stream.time_base)
        for units, arrived_at, waited_s in _nal_units(container, stream, NalAssembler(early=early)):
            if not backlog.wants(units, time.monotonic(), waited_s):
                yield None
                continue
            for frame in _decode_units(decoder, units, stream.time_base):
                decoded_at = arrived_at
                pts = float(frame.time or 0.0)
                yield CapturedImage(
                    partial(bgr_from_frame, frame, stream.sample_aspect_ratio), arrived_at, pts, overrun=backlog.take_skipped()
                )
            if arrived_at - decoded_at > KEY_FRAME_TIMEOUT_S:
                raise CameraUnavailable(
                    f"no frame could be decoded for {KEY_FRAME_TIMEOUT_S:.0f} s; its key frames may be too far apart, "
                    "or its images too large"
                )
            yield None


class StreamBacklog:
    """Which units of a stream to decode, so that its frames are never late for long: all units of a frame, or none of them."""

    def __init__(self, codec: str, time_base: Fraction) -> None:
        self._codec = codec
        self._time_base = time_base
        self._skipper = BacklogSkipper()
        self._pts: int | None = None
        self._waited_s = 0.0
        self._wants = True

    def wants(self, units: NalUnits, now: float, waited_s: float) -> bool:
        """Whether to decode units, at `now`, monotonic s. waited_s: longest wait for one of their packets, s.

        Units that are no part of an image are always decoded.
        """
        self._waited_s = max(self._waited_s, waited_s)
        is_key = is_key_frame(units.data, self._codec) if self._codec in FRAGMENTED_CODECS else self._codec == "mjpeg" or None
        if is_key is None or units.pts is None:
            return True
        if units.pts != self._pts:
            self._pts = units.pts
            self._wants = self._skipper.wants(is_key, float(units.pts * self._time_base), now, self._waited_s)
            self._waited_s = 0.0
        return self._wants

    def take_skipped(self) -> int:
        """Number of frames skipped since the last call."""
        return self._skipper.take_skipped()


def _nal_units(container: Any, stream: Any, assembler: NalAssembler) -> Iterator[tuple[NalUnits, float, float]]:
    """Yield whole NAL units with the arrival of their last packet, monotonic s, and the longest wait for a packet, s. Raises
    CameraUnavailable if only other streams continue.
    """
    fragmented = stream.codec_context.name in FRAGMENTED_CODECS
    received_at, longest_s = time.monotonic(), 0.0
    for packet, now, waited_s in receive_packets(container.demux()):
        longest_s = max(longest_s, waited_s)
        if packet.stream is not stream:
            if now - received_at > STALL_TIMEOUT_S:
                raise CameraUnavailable(f"audio, but no video for {STALL_TIMEOUT_S:.0f} s")
            continue
        before, received_at = received_at, now
        data = bytes(packet)  # empty at the end of the stream
        if not data:
            return
        chunks = assembler.push(data, packet.pts) if fragmented else [NalUnits(data, packet.pts)]
        arrived_at = now if not fragmented or assembler.is_empty else before  # else this packet is the next unit's first
        for units in chunks:
            yield units, arrived_at, longest_s
            longest_s = 0.0


def _decode_units(decoder: Any, units: NalUnits, time_base: Any) -> list[av.VideoFrame]:
    """Decode whole units; corrupt data results in no frame."""
    packet = av.Packet(units.data)
    packet.pts, packet.time_base = units.pts, time_base
    try:
        return decoder.decode(packet)
    except av.InvalidDataError:
        return []


def make_rtsp_source(camera: CameraConfig, *, restarted: bool = False) -> LiveSource:
    """Make the source of a network camera. Raises UsageError for an invalid URL or unreadable credentials."""
    driver = RtspCamera(resolve_camera_url(camera), camera.transport)
    return LiveSource(driver, give_up_after_s=camera.give_up_after_s, restarted=restarted)
