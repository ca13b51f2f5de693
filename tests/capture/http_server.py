"""A real HTTP camera on this machine: MJPEG with and without lengths, a snapshot, silence, basic authentication."""

from __future__ import annotations

import base64
import contextlib
import itertools
import socketserver
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

FPS = 20
FAST_FPS = 100


def jpeg_bomb(side: int = 10_000) -> bytes:
    """A JPEG of 600 kB, mostly comments, whose header says that it has side x side px."""
    image = bytearray(cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes())
    size_at = image.find(b"\xff\xc0") + 5
    image[size_at : size_at + 4] = side.to_bytes(2, "big") * 2
    comment = b"\xff\xfe" + (65_000).to_bytes(2, "big") + bytes(64_998)
    return bytes(image[:2] + comment * 9 + image[2:])


class CameraServer(ThreadingHTTPServer):
    """The camera. login: "user:password" that it asks for, or ""."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int = 0, login: str | None = None) -> None:
        self.login = login
        self.sent_at: dict[int, float] = {}
        """When each image was sent, by the number that its grey value carries."""
        self.closing = threading.Event()
        socketserver.ThreadingTCPServer.__init__(self, ("127.0.0.1", port), CameraHandler)

    @property
    def port(self) -> int:
        """Its port."""
        return self.server_address[1]

    def next_jpeg(self, number: int) -> bytes:
        """An image whose grey value is its number."""
        self.sent_at[number] = time.monotonic()
        return cv2.imencode(".jpg", np.full((48, 64, 3), number % 25 * 10, np.uint8))[1].tobytes()


class CameraHandler(BaseHTTPRequestHandler):
    """One request."""

    server: CameraServer

    def do_GET(self) -> None:
        login = self.server.login
        if login is not None and self.headers["Authorization"] != f"Basic {base64.b64encode(login.encode()).decode()}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
            return
        with contextlib.suppress(OSError):
            self._answer(self.path.partition("?")[0])

    def _answer(self, path: str) -> None:
        if path == "/snap.jpg":
            image = self.server.next_jpeg(len(self.server.sent_at))
            self._head("image/jpeg", len(image))
            self.wfile.write(image)
        elif path in ("/video.mjpg", "/bare.mjpg", "/silent.mjpg"):
            self._head("multipart/x-mixed-replace; boundary=frame")
            self._stream(FPS, has_length=path == "/video.mjpg", is_silent=path == "/silent.mjpg")
        elif path == "/fast.mjpg":
            self._head("multipart/x-mixed-replace; boundary=frame")
            self._stream(FAST_FPS, has_length=True, is_silent=False)
        elif path == "/bomb.jpg":
            image = jpeg_bomb()
            self._head("image/jpeg", len(image))
            self.wfile.write(image)
        elif path == "/bomb.mjpg":
            image = jpeg_bomb()
            self._head("multipart/x-mixed-replace; boundary=frame")
            for _ in range(3):
                self.wfile.write(f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(image)}\r\n\r\n".encode())
                self.wfile.write(image + b"\r\n")
        elif path == "/page":
            self._head("text/html", 11)
            self.wfile.write(b"<html></htm")
        else:
            self.send_error(404)

    def _stream(self, fps: float, *, has_length: bool, is_silent: bool) -> None:
        start = time.monotonic()
        for number in itertools.count():
            if self.server.closing.wait(max(0.0, start + number / fps - time.monotonic())):
                return
            if is_silent:
                continue
            image = self.server.next_jpeg(number)
            length = f"Content-Length: {len(image)}\r\n" if has_length else ""
            self.wfile.write(f"--frame\r\nContent-Type: image/jpeg\r\n{length}\r\n".encode() + image + b"\r\n")

    def _head(self, kind: str, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def camera_server(port: int = 0, login: str | None = None) -> Iterator[CameraServer]:
    """The camera while the block runs; at its end every stream ends."""
    server = CameraServer(port, login)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
