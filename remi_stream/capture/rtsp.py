"""A network camera: RTSP over TCP or UDP, H.264, H.265 or MJPEG."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

import av

from remi_stream.capture.address import PASSWORD, USER, Address
from remi_stream.capture.live import Away
from remi_stream.capture.pieces import Joiner, Piece, Uneven
from remi_stream.capture.source import Picture
from remi_stream.errors import RemiError, UsageError

CONNECT_S, STALL_S, NAME_S, KEY_S = 3.0, 2.0, 4.0, 15.0
OPTIONS = {"flags": "low_delay", "probesize": "32", "analyzeduration": "0", "fflags": "noparse"}
"""A probe of 32 bytes takes nothing from the stream, so that the first key frame is not lost, as `nobuffer` would."""
JOINED = ("h264", "hevc")


class RtspCamera:
    """Connects with FFmpeg. captured_at: when the last packet of the picture came."""

    def __init__(self, address: Address, transport: str) -> None:
        self.description = address.shown
        self.fps = 0.0
        self._address = address
        self._transport = transport
        self._early = transport == "tcp"

    def pictures(self) -> Generator[Picture | None, None, None]:
        """Connect, and give pictures from the first key frame on."""
        resolve(self._address.host)
        try:
            with closing(self._connect()) as container:
                yield from self._decode(container)
        except av.FFmpegError as error:
            raise self._meaning(error) from None
        except Uneven:
            self._early = False
            raise Away("its packets have changing sizes, so that pictures are taken a frame later") from None

    def _connect(self) -> Any:
        options = {**OPTIONS, "rtsp_transport": self._transport}
        container = av.open(self._address.url, options=options, timeout=(CONNECT_S, STALL_S))
        if not container.streams.video:
            kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
            container.close()
            raise RemiError(f"{self.description} has no picture, only {kinds}. Give the path of a video stream")
        return container

    def _decode(self, container: Any) -> Generator[Picture | None, None, None]:
        stream = container.streams.video[0]
        decoder = stream.codec_context
        decoder.thread_count = 1
        early = self._early and decoder.name == "h264"
        if early:
            decoder.flags2 |= int(av.codec.context.Flags2.chunks)
        self.fps = float(stream.average_rate or 0)
        seen_at = time.monotonic()
        for piece, arrived_at in _pieces(container, stream, Joiner(early=early)):
            for frame in _frames(decoder, piece, stream.time_base):
                seen_at = arrived_at
                yield Picture(frame.to_ndarray(format="bgr24"), arrived_at, float(frame.time or 0.0))
            if arrived_at - seen_at > KEY_S:
                raise Away(f"no picture can be decoded for {KEY_S:.0f} s; its key frames may be too far apart")
            yield None

    def _meaning(self, error: av.FFmpegError) -> Away | RemiError:
        """What a failure means for the user; FFmpeg's own text is never shown, since it holds the URL."""
        if isinstance(error, av.HTTPUnauthorizedError | av.HTTPForbiddenError):
            # a service tries again after a RemiError: right for a camera that is locked for a while, not for a wrong password
            kind = UsageError if isinstance(error, av.HTTPUnauthorizedError) else RemiError
            return kind(
                f"{self.description} refuses the user or password. Set {USER} and {PASSWORD}, "
                f"or username and password_env or password_file in the pipeline file"
            )
        if isinstance(error, av.HTTPNotFoundError):
            return RemiError(f"{self.description}: the camera has no such stream. Check the path behind the host")
        if isinstance(error, av.HTTPClientError):
            return RemiError(f"{self.description}: the camera refuses the request. Check the path and the transport (tcp, udp)")
        if isinstance(error, av.ExitError):
            return Away(f"no answer within {STALL_S:.0f} s")
        return Away(str(error.strerror or "no connection").lower())


def _pieces(container: Any, stream: Any, joiner: Joiner) -> Iterator[tuple[Piece, float]]:
    """Give what can be decoded, and when it came; Away when only other streams (sound) go on."""
    joined = stream.codec_context.name in JOINED
    seen_at = time.monotonic()
    for packet in container.demux():
        now = time.monotonic()
        if packet.stream is not stream:
            if now - seen_at > STALL_S:
                raise Away(f"sound, but no picture for {STALL_S:.0f} s")
            continue
        seen_at = now
        data = bytes(packet)  # empty at the end of the stream
        if not data:
            return
        pieces = joiner.push(data, packet.pts) if joined else [Piece(data, packet.pts)]
        for piece in pieces:
            yield piece, now


def _frames(decoder: Any, piece: Piece, time_base: Any) -> list[av.VideoFrame]:
    """Decode; a broken piece gives nothing."""
    packet = av.Packet(piece.data)
    packet.pts, packet.time_base = piece.pts, time_base
    try:
        return decoder.decode(packet)
    except av.InvalidDataError:
        return []


def resolve(host: str) -> None:
    """Look the host's name up in a thread, since that may take long and knows no limit. Raises Away when it is not found."""
    found: list[bool] = []

    def look() -> None:
        try:
            found.append(bool(socket.getaddrinfo(host, None)))
        except (OSError, UnicodeError):
            found.append(False)

    thread = threading.Thread(target=look, name="name", daemon=True)
    thread.start()
    thread.join(NAME_S)
    if not any(found):
        raise Away(f"the name {host} cannot be resolved")
