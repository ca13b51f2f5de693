"""Connection to a network camera with PyAV: timeouts, name resolution, and FFmpeg's errors in the user's words."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import av

from remi_stream.capture.camera_url import PASSWORD_VARIABLE, USER_VARIABLE, CameraUrl
from remi_stream.capture.frame_image import MAX_LIVE_PIXELS, oversized_reason, pixel_limit
from remi_stream.capture.live import CameraUnavailable
from remi_stream.errors import RemiError

CONNECT_TIMEOUT_S, STALL_TIMEOUT_S, DNS_TIMEOUT_S = 3.0, 2.0, 4.0
"""Timeouts, s: to connect, without a packet, of DNS. Without one, PyAV blocks for over 100 s."""
PROBE_TIMEOUT_S = 0.5
"""Timeout to find out whether a camera that sends nothing accepts connections at all, s."""
REJECTED_RETRY_S = 30.0
"""Time until a rejected user or password is tried again, s: cameras lock an account after a few wrong ones."""
DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
"""Port of each scheme, for a URL without one."""


@contextmanager
def open_stream(address: CameraUrl, options: dict[str, str]) -> Iterator[Any]:
    """Connect, and close at the end of the block. FFmpeg's errors become CameraUnavailable, or RemiError for the user to fix."""
    resolve_host(address.host)
    options = {**options, **pixel_limit(MAX_LIVE_PIXELS)}
    started_at, is_open = time.monotonic(), False
    try:
        with closing(av.open(address.url, options=options, timeout=(CONNECT_TIMEOUT_S, STALL_TIMEOUT_S))) as container:
            is_open = True
            if not container.streams.video:
                kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
                raise RemiError(f"{address.redacted} has no video, only {kinds}. Give the path of a video stream")
            yield container
    except av.FFmpegError as error:
        # FFmpeg calls a stream that it waited for in vain "invalid data"
        timed_out = (
            isinstance(error, av.ExitError | av.InvalidDataError) and time.monotonic() - started_at > CONNECT_TIMEOUT_S - 0.2
        )
        if timed_out and not is_open:
            raise CameraUnavailable(_silence(address)) from None
        raise translate_error(error, address.redacted) from None


def translate_error(error: av.FFmpegError, camera: str) -> CameraUnavailable | RemiError:
    """Translate FFmpeg's error for the user; FFmpeg's own text is never shown, since it contains the URL."""
    if isinstance(error, av.HTTPUnauthorizedError | av.HTTPForbiddenError):
        rejected = RemiError(
            f"{camera} rejects the user or password. Set {USER_VARIABLE} and {PASSWORD_VARIABLE}, "
            f"or username and password_env or password_file in the pipeline file"
        )
        rejected.retry_after_s = REJECTED_RETRY_S
        return rejected
    if isinstance(error, av.HTTPNotFoundError):
        return RemiError(f"{camera}: the camera has no such stream. Check the path after the host")
    if isinstance(error, av.HTTPClientError):
        return RemiError(f"{camera}: the camera rejects the request. Check the path and the transport (tcp, udp)")
    if isinstance(error, av.ArgumentError):
        return CameraUnavailable(f"it sent {oversized_reason(MAX_LIVE_PIXELS)}; set a lower resolution in the camera")
    if isinstance(error, av.ExitError):
        return CameraUnavailable(f"it has sent no image for {STALL_TIMEOUT_S:.0f} s")
    return CameraUnavailable(str(error.strerror or "no connection").lower())


def _silence(address: CameraUrl) -> str:
    """Why nothing came before the timeout: the camera accepts connections and is silent, or it does not answer."""
    split = urlsplit(address.url)
    port = split.port or DEFAULT_PORTS[split.scheme]
    try:
        socket.create_connection((address.host, port), PROBE_TIMEOUT_S).close()
    except OSError:
        return f"no answer on port {port} within {CONNECT_TIMEOUT_S:.0f} s"
    return f"connected, but it has sent no image for {CONNECT_TIMEOUT_S:.0f} s"


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
