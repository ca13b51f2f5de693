"""A small RTSP camera made of GStreamer, for tests and benchmarks: /usr/bin/python3 rtsp_server.py PORT [options].

/camera gives a picture with a clock burned into its top left corner: 32 blocks of 8x8 px, lowest bit first, white is 1, of the
monotonic time in ms at which the picture was made. /sound gives sound and no picture. Uses nothing but Debian's python3-gi
(and ffmpeg with --clip).
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

BLOCK, BITS = 8, 32
ENCODERS = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast bitrate=4000 key-int-max={gop} ! video/x-h264,profile=baseline"
    " ! rtph264pay name=pay0 pt=96 mtu={mtu} config-interval=1",
    "h265": "x265enc tune=zerolatency speed-preset=ultrafast bitrate=4000 key-int-max={gop}"
    " ! rtph265pay name=pay0 pt=96 mtu={mtu} config-interval=1",
    "mjpeg": "jpegenc ! rtpjpegpay name=pay0 pt=26 mtu={mtu}",
}
SOURCE = "appsrc name=src is-live=true do-timestamp=true format=time leaky-type=downstream max-buffers=4"
CAPS = "video/x-raw,format=I420,width={width},height={height},framerate={fps}/1"
SOUND = "( audiotestsrc is-live=true ! alawenc ! rtppcmapay name=pay0 pt=8 )"


class Camera:
    """Pushes pictures into the stream that is being watched, if any."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self._source: Any = None
        self.factory = GstRtspServer.RTSPMediaFactory()
        encoder = ENCODERS[options.codec].format(gop=max(1, options.fps // 2), mtu=options.mtu)
        self.factory.set_launch(f"( {SOURCE} caps={CAPS.format(**vars(options))} ! {encoder} )")
        self.factory.set_shared(True)
        self.factory.set_latency(0)
        self.factory.connect("media-configure", self._on_media)

    def play(self) -> None:
        """Push a picture whenever one is due, forever."""
        pictures = film(self.options) if self.options.clip else pattern(self.options)
        for picture in pictures:
            burn_clock(picture, self.options.width, int(time.monotonic() * 1000))
            source = self._source
            if source is not None and not self.options.silent:
                buffer = Gst.Buffer.new_wrapped(bytes(picture))
                if self.options.clock != 1 and source.get_clock():
                    buffer.pts = int((source.get_clock().get_time() - source.get_base_time()) * self.options.clock)
                source.emit("push-buffer", buffer)

    def _on_media(self, _factory: Any, media: Any) -> None:
        source = media.get_element().get_by_name_recurse_up("src")
        media.connect("unprepared", lambda _media: self._forget(source))
        self._source = source

    def _forget(self, source: Any) -> None:
        if self._source is source:
            self._source = None


def pattern(options: argparse.Namespace) -> Iterator[bytearray]:
    """Give grey I420 pictures with a moving bar, at the camera's pace."""
    width, height = options.width, options.height
    start = time.monotonic()
    for index in itertools.count():
        time.sleep(max(0.0, start + index / options.fps - time.monotonic()))
        line = bytearray(b"\x60" * width)
        left = index * 4 % (width - 8)
        line[left : left + 8] = b"\xd0" * 8
        yield bytearray(bytes(line) * height + b"\x80" * (width * height // 2))


def film(options: argparse.Namespace) -> Iterator[bytearray]:
    """Give the clip's pictures as I420, over and over, at its pace."""
    size = f"{options.width}x{options.height}"
    command = ["ffmpeg", "-v", "error", "-re", "-stream_loop", "-1", "-i", options.clip, "-f", "rawvideo"]
    command += ["-pix_fmt", "yuv420p", "-s", size, "-r", str(options.fps), "-"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout
    while len(picture := process.stdout.read(options.width * options.height * 3 // 2)):
        yield bytearray(picture)


def burn_clock(picture: bytearray, width: int, number: int) -> None:
    """Write a number into the luma plane."""
    row = b"".join((b"\xeb" if number >> bit & 1 else b"\x10") * BLOCK for bit in range(BITS))
    for y in range(BLOCK):
        picture[y * width : y * width + len(row)] = row


def lock(server: Any, factories: list[Any], credentials: str, *, digest: bool) -> None:
    """Let in only who knows user:password."""
    user, password = credentials.split(":", 1)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "guest")
    auth = GstRtspServer.RTSPAuth()
    if digest:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    for factory in factories:
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("guest", "media.factory.access", True)
        permissions.add_permission_for_role("guest", "media.factory.construct", True)
        factory.set_permissions(permissions)
    server.set_auth(auth)


def main() -> None:
    """Serve until killed; say "ready" when clients may come."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port")
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=240)
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--mtu", type=int, default=1400, help="largest packet, bytes")
    parser.add_argument("--codec", choices=ENCODERS, default="h264")
    parser.add_argument("--clock", type=float, default=1, help="speed of its clock, which stamps the pictures")
    parser.add_argument("--clip", help="play this film instead of a test picture")
    parser.add_argument("--auth", metavar="USER:PASSWORD")
    parser.add_argument("--digest", action="store_true", help="ask for digest authentication instead of basic")
    parser.add_argument("--silent", action="store_true", help="send no image")
    options = parser.parse_args()
    Gst.init(None)
    camera = Camera(options)
    sound = GstRtspServer.RTSPMediaFactory()
    sound.set_launch(SOUND)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(options.port)
    if options.auth:
        lock(server, [camera.factory, sound], options.auth, digest=options.digest)
    server.get_mount_points().add_factory("/camera", camera.factory)
    server.get_mount_points().add_factory("/sound", sound)
    if not server.attach(None):
        raise SystemExit(f"port {options.port} is taken")
    threading.Thread(target=camera.play, daemon=True).start()
    print("ready", flush=True)  # noqa: T201
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
