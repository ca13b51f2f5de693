"""RTSP network camera over TCP or UDP: H.264, H.265 or MJPEG, read with PyAV."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any, NamedTuple

import av

from remi_stream.capture.camera_url import PASSWORD_VARIABLE, USER_VARIABLE, CameraUrl, resolve_camera_url
from remi_stream.capture.live import CameraUnavailable, LiveSource
from remi_stream.capture.source import CapturedImage
from remi_stream.config import CameraConfig
from remi_stream.errors import RemiError, UsageError

CONNECT_TIMEOUT_S, STALL_TIMEOUT_S, DNS_TIMEOUT_S, KEY_FRAME_TIMEOUT_S = 3.0, 2.0, 4.0, 15.0
"""Timeouts, s: to connect, without a packet, of DNS, without a decodable frame. Without one, PyAV blocks for over 100 s."""
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
        resolve_host(self._address.host)
        try:
            with closing(self._connect()) as container:
                yield from self._decode(container)
        except av.FFmpegError as error:
            raise self._translate_error(error) from None
        except UnevenFragments:
            self._early = False
            raise CameraUnavailable("its fragments vary in size; frames are decoded one frame later from now on") from None

    def _connect(self) -> Any:
        options = {**FFMPEG_OPTIONS, "rtsp_transport": self._transport}
        container = av.open(self._address.url, options=options, timeout=(CONNECT_TIMEOUT_S, STALL_TIMEOUT_S))
        if not container.streams.video:
            kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
            container.close()
            raise RemiError(f"{self.description} has no video, only {kinds}. Give the path of a video stream")
        return container

    def _decode(self, container: Any) -> Generator[CapturedImage | None, None, None]:
        stream = container.streams.video[0]
        decoder = stream.codec_context
        decoder.thread_count = 1  # frame threads hold frames back: with OpenCV at 720p 70 ms of latency, 39 ms without
        early = self._early and decoder.name == "h264"
        if early:  # lets the decoder take single NAL units instead of whole frames
            decoder.flags2 |= int(av.codec.context.Flags2.chunks)
        self.fps = float(stream.average_rate or 0)
        decoded_at = time.monotonic()
        for units, arrived_at in _nal_units(container, stream, NalAssembler(early=early)):
            for frame in _decode_units(decoder, units, stream.time_base):
                decoded_at = arrived_at
                yield CapturedImage(frame.to_ndarray(format="bgr24"), arrived_at, float(frame.time or 0.0))
            if arrived_at - decoded_at > KEY_FRAME_TIMEOUT_S:
                raise CameraUnavailable(
                    f"no frame could be decoded for {KEY_FRAME_TIMEOUT_S:.0f} s; its key frames may be too far apart"
                )
            yield None

    def _translate_error(self, error: av.FFmpegError) -> CameraUnavailable | RemiError:
        """Translate FFmpeg's error for the user; FFmpeg's own text is never shown, since it contains the URL."""
        if isinstance(error, av.HTTPUnauthorizedError | av.HTTPForbiddenError):
            # a service restarts after a RemiError: right for a camera that is locked for a while, not for a wrong password
            kind = UsageError if isinstance(error, av.HTTPUnauthorizedError) else RemiError
            return kind(
                f"{self.description} rejects the user or password. Set {USER_VARIABLE} and {PASSWORD_VARIABLE}, "
                f"or username and password_env or password_file in the pipeline file"
            )
        if isinstance(error, av.HTTPNotFoundError):
            return RemiError(f"{self.description}: the camera has no such stream. Check the path after the host")
        if isinstance(error, av.HTTPClientError):
            return RemiError(f"{self.description}: the camera rejects the request. Check the path and the transport (tcp, udp)")
        if isinstance(error, av.ExitError):
            return CameraUnavailable(f"no answer within {STALL_TIMEOUT_S:.0f} s")
        return CameraUnavailable(str(error.strerror or "no connection").lower())


def _nal_units(container: Any, stream: Any, assembler: NalAssembler) -> Iterator[tuple[NalUnits, float]]:
    """Yield whole NAL units with their arrival time, monotonic s. Raises CameraUnavailable if only other streams continue."""
    fragmented = stream.codec_context.name in FRAGMENTED_CODECS
    received_at = time.monotonic()
    for packet in container.demux():
        now = time.monotonic()
        if packet.stream is not stream:
            if now - received_at > STALL_TIMEOUT_S:
                raise CameraUnavailable(f"audio, but no video for {STALL_TIMEOUT_S:.0f} s")
            continue
        received_at = now
        data = bytes(packet)  # empty at the end of the stream
        if not data:
            return
        chunks = assembler.push(data, packet.pts) if fragmented else [NalUnits(data, packet.pts)]
        for units in chunks:
            yield units, now


def _decode_units(decoder: Any, units: NalUnits, time_base: Any) -> list[av.VideoFrame]:
    """Decode whole units; corrupt data results in no frame."""
    packet = av.Packet(units.data)
    packet.pts, packet.time_base = units.pts, time_base
    try:
        return decoder.decode(packet)
    except av.InvalidDataError:
        return []


def resolve_host(host: str) -> None:
    """Resolve a host name in a thread, since getaddrinfo has no timeout. Raises CameraUnavailable after DNS_TIMEOUT_S."""
    found: list[bool] = []

    def resolve_name() -> None:
        try:
            found.append(bool(socket.getaddrinfo(host, None)))
        except (OSError, UnicodeError):
            found.append(False)

    thread = threading.Thread(target=resolve_name, name="dns", daemon=True)
    thread.start()
    thread.join(DNS_TIMEOUT_S)
    if not any(found):
        raise CameraUnavailable(f"the name {host} cannot be resolved")


def make_rtsp_source(camera: CameraConfig, *, restarted: bool = False) -> LiveSource:
    """Make the source of a network camera. Raises UsageError for an invalid URL or unreadable credentials."""
    driver = RtspCamera(resolve_camera_url(camera), camera.transport)
    return LiveSource(driver, give_up_after_s=camera.give_up_after_s, restarted=restarted)
