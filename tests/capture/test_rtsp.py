"""Errors of a network camera that refuses; streams of a real server: tests/pipeline/test_rtsp.py."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator

import pytest

from remi_stream.capture.camera_url import resolve_camera_url
from remi_stream.capture.rtsp import RtspCamera
from remi_stream.config import CameraConfig
from remi_stream.errors import EXIT_NOT_STARTED, RemiError


class Refusing(socketserver.StreamRequestHandler):
    """A camera that has one answer."""

    def handle(self) -> None:
        """Read a request up to its empty line, and refuse it."""
        number = b"1"
        while line := self.rfile.readline().strip():
            number = line.partition(b":")[2].strip() if line.lower().startswith(b"cseq") else number
        self.wfile.write(b"RTSP/1.0 %s\r\nCSeq: %s\r\n\r\n" % (self.server.status, number))  # type: ignore[attr-defined]


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where a camera refuses with this status."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refusing) as server:
        server.status = request.param  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        yield f"rtsp://joe:secret@127.0.0.1:{server.server_address[1]}/camera"
        server.shutdown()


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        (b"401 Unauthorized", EXIT_NOT_STARTED, "rejects the user or password"),
        (b"403 Forbidden", EXIT_NOT_STARTED, "rejects the user or password"),
        (b"404 Not Found", EXIT_NOT_STARTED, "no such stream"),
        (b"461 Unsupported Transport", EXIT_NOT_STARTED, "rejects the request"),
    ],
    indirect=["url"],
)
def test_only_a_wrong_password_is_a_permanent_error(url: str, code: int, words: str) -> None:
    with pytest.raises(RemiError, match=words) as refusal:
        next(RtspCamera(resolve_camera_url(CameraConfig(name="front", source=url)), "tcp").read_frames())
    assert refusal.value.exit_code == code
    assert "secret" not in str(refusal.value)
