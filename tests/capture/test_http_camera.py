"""HTTP cameras, of a real server on this machine."""

from __future__ import annotations

import itertools
import statistics
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from remi_stream.capture.camera_url import resolve_camera_url
from remi_stream.capture.http_camera import HttpCamera
from remi_stream.capture.live import CameraUnavailable
from remi_stream.capture.source import CapturedImage
from remi_stream.config import CameraConfig
from remi_stream.errors import RemiError
from tests.capture.http_server import FPS, CameraServer, camera_server
from tests.pipeline.daemon import SYNTHETIC, check_books, running

SECRET = "s3cret-Pa55"


def driver(server: CameraServer, path: str, login: str = "", fps: float = 20) -> HttpCamera:
    source = f"http://{login}{'@' * bool(login)}127.0.0.1:{server.port}{path}"
    return HttpCamera(resolve_camera_url(CameraConfig(name="a", source=source)), fps)


def images(camera: HttpCamera, count: int) -> list[CapturedImage]:
    stream = camera.read_frames()
    found = list(itertools.islice((image for image in stream if image is not None), count))
    stream.close()
    return found


@pytest.mark.parametrize(
    "path", ["/video.mjpg", "/bare.mjpg", "/snap.jpg", "/snap.jpg?file=a.jpg", "/snap.jpg?n=%20d.PNG", "/video.mjpg?file=a.jpeg"]
)
def test_every_image_of_a_stream_or_of_snapshots_is_read(path: str) -> None:
    with camera_server() as server:
        found = images(driver(server, path), 12)
        numbers = [round(each.pixels.mean() / 10) for each in found]
        assert numbers == list(range(12))
        assert {each.pixels.shape for each in found} == {(48, 64, 3)}
        assert all(before.pts < after.pts for before, after in itertools.pairwise(found))
        late_s = statistics.median(each.captured_at - server.sent_at[number] for number, each in zip(numbers, found))
        # without a length FFmpeg has an image two images later
        assert late_s < (2.5 / FPS if path == "/bare.mjpg" else 0.5 / FPS)


def test_images_of_a_reader_that_is_too_slow_are_skipped_and_never_grow_old() -> None:
    with camera_server() as server:
        stream = driver(server, "/fast.mjpg").read_frames()
        end, ages, skipped = time.monotonic() + 4, [], 0
        for image in stream:
            if image is not None:
                # the grey value is the number of the image, modulo 25
                grey = round(image.pixels.mean() / 10)
                read = len(ages) + skipped + image.overrun
                skipped += image.overrun
                assert read % 25 == grey
                ages.append(time.monotonic() - server.sent_at[read])
                time.sleep(0.03)  # the camera sends one every 0.01 s
            if time.monotonic() > end:
                break
        stream.close()
    assert max(ages) < 0.8, "without skipping 2.7 s, and ever more"
    assert 150 < skipped < 350


@pytest.mark.parametrize("password", [SECRET, "", "a:b@c/d"])
def test_login_of_the_url_opens_the_camera(password: str) -> None:
    with camera_server(login=f"joe:{password}") as server:
        assert len(images(driver(server, "/video.mjpg", f"joe:{quote(password, safe='')}"), 2)) == 2


@pytest.mark.parametrize(
    ("path", "login", "kind", "words"),
    [
        ("/video.mjpg", f"joe:wrong{SECRET}", RemiError, "rejects the user or password"),
        ("/nowhere", f"joe:{SECRET}", RemiError, "no such stream"),
        ("/silent.mjpg", f"joe:{SECRET}", CameraUnavailable, "connected, but it has sent no image for 3 s"),
        ("/bomb.mjpg", f"joe:{SECRET}", CameraUnavailable, "more than 67 megapixels"),
        ("/bomb.jpg", f"joe:{SECRET}", CameraUnavailable, "more than 67 megapixels"),
        ("/page", f"joe:{SECRET}", CameraUnavailable, "invalid data"),
    ],
)
def test_camera_without_images_says_why_and_shows_no_secret(path: str, login: str, kind: type[Exception], words: str) -> None:
    with camera_server(login=f"joe:{SECRET}") as server, pytest.raises(kind, match=words) as caught:
        images(driver(server, path, login), 1)
    assert SECRET not in str(caught.value)


def test_http_camera_of_a_daemon_reconnects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONT", SECRET)
    with camera_server(login=f"joe:{SECRET}") as server:
        source = f" HTTP://127.0.0.1:{server.port}/video.mjpg "
        camera = {"name": "front", "source": source, "username": "joe", "password_env": "FRONT"}
        with running(tmp_path, cameras=[camera], **SYNTHETIC) as daemon:
            daemon.more_bodies(20)
            server.closing.set()
            daemon.listen(lambda: "front" in daemon.cameras and daemon.cameras["front"].state == "reconnecting", 5)
            server.closing.clear()
            daemon.listen(lambda: daemon.cameras["front"].state == "live", 5)
            daemon.more_bodies(20)
            check_books(daemon.bodies)
            assert len({body.epoch for body in daemon.bodies}) == 1
            assert daemon.cameras["front"].source == f"http://joe:***@127.0.0.1:{server.port}/video.mjpg"
            assert SECRET not in daemon.log() + repr(daemon.status())
