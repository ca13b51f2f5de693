"""HTTP network camera: MJPEG (multipart/x-mixed-replace), a JPEG image that is requested again and again, FLV or HLS."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from functools import partial
from typing import Any

import av

from remi_stream.capture.backlog import UntimedSkipper, receive_packets
from remi_stream.capture.camera_url import CameraUrl, resolve_camera_url
from remi_stream.capture.frame_image import bgr_from_frame, configure_decoder
from remi_stream.capture.live import CameraUnavailable, LiveSource
from remi_stream.capture.network_camera import open_stream
from remi_stream.capture.source import CapturedImage
from remi_stream.config import CameraConfig

FFMPEG_OPTIONS = {"flags": "low_delay", "analyzeduration": "1000000", "protocol_whitelist": "http,https,tcp,tls,crypto"}
"""A playlist of a camera must not make FFmpeg read files of this machine; `fflags=nobuffer` would lose the first image."""
SNAPSHOT_FORMATS = ("jpeg_pipe", "png_pipe", "webp_pipe", "bmp_pipe", "image2pipe", "image2")
"""Formats of a single image."""
UNTIMED_FORMATS = ("mpjpeg", "mjpeg", *SNAPSHOT_FORMATS)
"""Formats without timestamps: the time of arrival counts."""
SNAPSHOT_FPS = 5.0
"""How often a single image is requested unless the camera's `fps` says so."""


class HttpCamera:
    """HTTP camera. captured_at: arrival of the frame's last byte. snapshot_fps: how often to request a single image."""

    def __init__(self, url: CameraUrl, snapshot_fps: float) -> None:
        self.description = url.redacted
        self.fps = 0.0
        self._address = url._replace(url=hide_file_pattern(url.url))
        self._snapshot_interval_s = 1 / snapshot_fps

    def read_frames(self) -> Generator[CapturedImage | None, None, None]:
        """Connect and yield frames until the stream ends; of an address that gives single images, one after the other."""
        is_snapshot = True
        while is_snapshot:
            requested_at = time.monotonic()
            with open_stream(self._address, FFMPEG_OPTIONS) as container:
                is_snapshot = container.format.name in SNAPSHOT_FORMATS
                stream = container.streams.video[0]
                self.fps = 1 / self._snapshot_interval_s if is_snapshot else float(stream.average_rate or 0)
                yield from _decode(container, stream)
            while is_snapshot and (wait_s := requested_at + self._snapshot_interval_s - time.monotonic()) > 0:
                time.sleep(min(wait_s, 1.0))
                yield None


def _decode(container: Any, stream: Any) -> Generator[CapturedImage | None, None, None]:
    configure_decoder(stream.codec_context)
    is_untimed = container.format.name in UNTIMED_FORMATS
    backlog = UntimedSkipper()
    count = 0
    for packet, arrived_at, waited_s in receive_packets(container.demux(stream)):
        if is_untimed and not backlog.wants(arrived_at, waited_s):
            yield None
            continue
        try:
            frames = packet.decode()
        except av.InvalidDataError:  # a broken image; the next one may be whole
            frames = []
        for frame in frames:
            count += 1
            pts = arrived_at if is_untimed or frame.time is None else float(frame.time)
            image = partial(bgr_from_frame, frame, stream.sample_aspect_ratio)
            yield CapturedImage(image, arrived_at, pts, overrun=backlog.take_skipped())
        yield None
    if not count:
        raise CameraUnavailable("its answer has no image that can be decoded")


def hide_file_pattern(url: str) -> str:
    """The same address in a form that FFmpeg does not take for a pattern of image files: `*`, `?`, `{` or `%20d`, and an
    image's suffix at the end. It would read one image, whatever is there.
    """
    is_pattern = re.search(r"[*?{]|%\d*d", url)
    return re.sub(r"\.(?=(?:jpe?g|png|bmp|gif|webp|tiff?)$)", "%2E", url, flags=re.IGNORECASE) if is_pattern else url


def make_http_source(camera: CameraConfig, *, restarted: bool = False) -> LiveSource:
    """Make the source of an HTTP camera. Raises UsageError for an invalid URL or unreadable credentials."""
    driver = HttpCamera(resolve_camera_url(camera), camera.fps or SNAPSHOT_FPS)
    return LiveSource(driver, give_up_after_s=camera.give_up_after_s, restarted=restarted)
