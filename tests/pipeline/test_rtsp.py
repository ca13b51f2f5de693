"""A real RTSP server in front of the real pipeline: killed, stopped, started anew, locked."""

from __future__ import annotations

import itertools
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remi_stream.capture.live import CameraUnavailable
from remi_stream.capture.rtsp import _decode_units, make_rtsp_source
from remi_stream.config import CameraConfig
from remi_stream.errors import EXIT_NOT_STARTED
from tests.cli.test_bad_input import assert_one_line, pipeline, remi
from tests.pipeline.camera import RtspServer, burned_clock, free_port, rtsp_server
from tests.pipeline.daemon import SYNTHETIC, Daemon, check_books, orphans, running

pytestmark = pytest.mark.rtsp

BACK_S = 5.0
SECRET = "s3cret-Pa55"


def camera(server: RtspServer, **more: Any) -> dict[str, Any]:
    return {"name": "front", "source": server.url, **more}


def bodies_after(daemon: Daemon, since: float, timeout_s: float = BACK_S) -> float:
    """Wait for a body of a picture captured after this moment; give how long it took, s."""
    daemon.listen(lambda: daemon.bodies and daemon.bodies[-1].captured_at > since, timeout_s)
    return daemon.came_at[-1] - since


def wait_for_state(daemon: Daemon, state: str, timeout_s: float) -> None:
    daemon.listen(lambda: "front" in daemon.cameras and daemon.cameras["front"].state == state, timeout_s)


@pytest.mark.parametrize("options", [(), ("--codec", "h265")], ids=["h264", "h265"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_pictures_of_a_real_server_become_bodies(options: tuple[str, ...], transport: str, tmp_path: Path) -> None:
    with rtsp_server(*options) as server, running(tmp_path, cameras=[camera(server, transport=transport)], **SYNTHETIC) as daemon:
        bodies = daemon.more_bodies(45)
        assert {body.size for body in bodies} == {(320, 240)}
        assert not check_books(bodies).get("lost_in_crash")
        daemon.listen(lambda: "front" in daemon.cameras and daemon.cameras["front"].fps == 30)
        assert daemon.cameras["front"].source == server.url


def test_server_with_fragments_of_an_unusual_size_is_read_all_the_same(tmp_path: Path) -> None:
    with rtsp_server("--mtu", "200") as server, running(tmp_path, cameras=[camera(server)], **SYNTHETIC) as daemon:
        daemon.more_bodies(45)
        check_books(daemon.bodies)
        assert daemon.log().count("vary in size") == 1


def test_killed_server_is_looked_for_and_bodies_are_back_soon_after_it(tmp_path: Path) -> None:
    with rtsp_server() as server, running(tmp_path, cameras=[camera(server)], **SYNTHETIC) as daemon:
        daemon.more_bodies(30)
        server.kill()
        wait_for_state(daemon, "reconnecting", 2.5)
        daemon.listen(lambda: "connection refused; reconnecting" in daemon.log(), 2.5)
        server.start()
        bodies_after(daemon, time.monotonic())
        daemon.more_bodies(30)
        assert len({body.epoch for body in daemon.bodies}) == 1
        check_books(daemon.bodies)
        reasons = [line.split(" ", 1)[1] for line in daemon.log().splitlines() if line.endswith("reconnecting")]
        assert len(reasons) == len(set(reasons)), "each is told once"
        assert "vary in size" not in daemon.log()
        assert "connected again after" in daemon.log()


def test_stopped_server_is_noticed_and_bodies_are_back_after_it(tmp_path: Path) -> None:
    with rtsp_server() as server, running(tmp_path, cameras=[camera(server)], **SYNTHETIC) as daemon:
        daemon.more_bodies(30)
        server.signal(signal.SIGSTOP)
        wait_for_state(daemon, "reconnecting", 3.5)
        server.signal(signal.SIGCONT)
        bodies_after(daemon, time.monotonic())
        daemon.more_bodies(30)
        check_books(daemon.bodies)
        assert daemon.stages["capture/front"].restarts == 0


def test_server_that_comes_back_with_another_picture_size_is_fine(tmp_path: Path) -> None:
    with rtsp_server() as server, running(tmp_path, cameras=[camera(server)], **SYNTHETIC) as daemon:
        daemon.more_bodies(30)
        server.kill()
        server.start("--width", "640", "--height", "360")
        daemon.listen(lambda: daemon.bodies[-1].size == (640, 360), BACK_S)
        daemon.more_bodies(30)
        check_books(daemon.bodies)
        assert len({body.epoch for body in daemon.bodies}) == 1


def test_picture_of_another_size_is_not_shown_when_there_is_a_mask(tmp_path: Path) -> None:
    masked = {"masks": [[[0, 0], [100, 0], [100, 100]]]}
    with rtsp_server() as server, running(tmp_path, cameras=[camera(server, **masked)], **SYNTHETIC) as daemon:
        daemon.more_bodies(30)
        server.kill()
        server.start("--width", "640", "--height", "360")
        daemon.listen(lambda: "gives images of 640x360 px" in daemon.log(), BACK_S)
        server.kill()
        server.start()
        bodies_after(daemon, time.monotonic())
        assert {body.size for body in daemon.bodies} == {(320, 240)}


def test_server_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    server = RtspServer()
    try:
        with running(tmp_path, cameras=[camera(server)], **SYNTHETIC) as daemon:
            wait_for_state(daemon, "reconnecting", 20)
            server.start()
            bodies_after(daemon, time.monotonic())
            assert daemon.log().count("reconnecting") == 1
    finally:
        server.kill()


def test_camera_that_is_down_costs_the_other_camera_nothing(tmp_path: Path) -> None:
    with rtsp_server() as left, rtsp_server("--fps", "10") as right:
        cameras = [{"name": name, "source": server.url} for name, server in (("left", left), ("right", right))]
        with running(tmp_path, cameras=cameras, **SYNTHETIC) as daemon:
            daemon.listen(lambda: {body.camera for body in daemon.bodies[-10:]} == {"left", "right"})
            daemon.more_bodies(20)
            start = len(daemon.bodies)
            left.kill()
            daemon.listen(lambda: daemon.cameras["left"].state == "reconnecting", 3)
            daemon.more_bodies(30)
            right = [body for body in daemon.bodies[start:] if body.camera == "right"]
            dropped = check_books(right)
            assert len({body.epoch for body in right}) == 1
            assert not dropped["lost_in_crash"]
            assert dropped.total() <= len(right) // 10, "none on a machine that has nothing else to do"


@pytest.mark.parametrize(
    ("path", "credentials", "code", "words"),
    [
        ("/camera", f"joe:wrong{SECRET}", EXIT_NOT_STARTED, ["rejects the user or password", "REMI_RTSP_PASSWORD"]),
        ("/camera", "", EXIT_NOT_STARTED, ["rejects the user or password", "REMI_RTSP_PASSWORD"]),
        ("/nowhere", f"joe:{SECRET}", EXIT_NOT_STARTED, ["no such stream", "path"]),
        ("/sound", f"joe:{SECRET}", EXIT_NOT_STARTED, ["no video, only audio"]),
    ],
)
def test_camera_that_refuses_is_told_in_one_line(
    path: str, credentials: str, code: int, words: list[str], tmp_path: Path
) -> None:
    with rtsp_server("--auth", f"joe:{SECRET}") as server:
        url = f"rtsp://{credentials}{'@' * bool(credentials)}127.0.0.1:{server.port}{path}"
        result = remi("run", pipeline(tmp_path, cameras=[{"name": "front", "source": url}], name="refused"))
    assert_one_line(result, code, *words)
    assert SECRET not in result.stdout + result.stderr
    assert orphans("refused") == []


@pytest.mark.parametrize(
    ("path", "password", "words", "wait"),
    [
        ("/camera", "wrong", "rejects the user or password", "next try in 30 s"),
        ("/nowhere", SECRET, "the camera has no such stream", "next try in 2 s"),
    ],
    ids=["401", "404"],
)
def test_camera_that_refuses_at_the_start_costs_the_others_nothing(
    path: str, password: str, words: str, wait: str, tmp_path: Path
) -> None:
    with rtsp_server("--auth", f"joe:{SECRET}") as server:
        address = f"127.0.0.1:{server.port}"
        cameras = [
            {"name": "bad", "source": f"rtsp://joe:{password}@{address}{path}"},
            {"name": "good", "source": f"rtsp://joe:{SECRET}@{address}/camera"},
        ]
        with running(tmp_path, cameras=cameras, **SYNTHETIC) as daemon:
            daemon.listen(lambda: "capture/bad" in daemon.stages and daemon.stages["capture/bad"].state == "failed")
            assert words in daemon.stages["capture/bad"].reason
            daemon.more_bodies(30)
            assert wait in daemon.log()
            if wait == "next try in 30 s":
                assert daemon.stages["capture/bad"].restarts == 0
            assert daemon.stop() == 0


@pytest.mark.parametrize("how", [(), ("--digest",)], ids=["basic", "digest"])
def test_empty_password_is_sent(how: tuple[str, ...]) -> None:
    with rtsp_server("--auth", "admin:", *how) as server:
        source = server.url.replace("rtsp://", " RTSP://admin:@")
        stream = make_rtsp_source(CameraConfig(name="front", source=source))._driver.read_frames()
        assert next(frame for frame in stream if frame is not None).pixels.shape == (240, 320, 3)
        stream.close()


def test_camera_that_accepts_but_sends_nothing_is_called_silent() -> None:
    with rtsp_server("--silent") as server:
        stream = make_rtsp_source(CameraConfig(name="front", source=server.url))._driver.read_frames()
        with pytest.raises(CameraUnavailable, match="connected, but it has sent no image for 3 s"):
            next(stream)


@pytest.mark.parametrize(("codec", "transport", "frames_late"), [("h264", "tcp", 0), ("h264", "udp", 1), ("h265", "tcp", 1)])
def test_capture_time_is_that_of_the_last_packet(codec: str, transport: str, frames_late: int) -> None:
    with rtsp_server("--fps", "10", "--codec", codec) as server:
        stream = make_rtsp_source(CameraConfig(name="front", source=server.url, transport=transport))._driver.read_frames()
        frames = [(frame, time.monotonic()) for frame in itertools.islice(filter(None, stream), 15)][5:]
        stream.close()
    ages = [(at - burned_clock(frame.pixels), frame.captured_at - burned_clock(frame.pixels)) for frame, at in frames]
    age_s, capture_s = np.median(ages, axis=0)
    assert capture_s < 0.06
    assert age_s == pytest.approx(0.1 * frames_late, abs=0.06)


@pytest.mark.parametrize("codec", ["h264", "mjpeg"])
def test_frames_of_a_decoder_that_is_too_slow_are_skipped_and_never_grow_old(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode_slowly(decoder: Any, units: Any, time_base: Any) -> Any:
        frames = _decode_units(decoder, units, time_base)
        time.sleep(0.06 * len(frames))  # the camera gives one every 0.033 s
        return frames

    monkeypatch.setattr("remi_stream.capture.rtsp._decode_units", decode_slowly)
    with rtsp_server("--fps", "30", "--codec", codec) as server:
        stream = make_rtsp_source(CameraConfig(name="front", source=server.url))._driver.read_frames()
        end, ages, skipped = time.monotonic() + 8, [], 0
        for frame in stream:
            if frame is not None:
                ages.append(time.monotonic() - burned_clock(frame.pixels))
                skipped += frame.overrun
            if time.monotonic() > end:
                break
        stream.close()
    assert max(ages) < 2.5, "without skipping 3.5 s, and ever more"
    assert np.median(ages[-20:]) < 1.5
    assert 40 < skipped < 180


def test_frames_of_a_camera_whose_clock_is_too_slow_are_all_decoded() -> None:
    with rtsp_server("--fps", "20", "--clock", "0.8") as server:
        stream = make_rtsp_source(CameraConfig(name="front", source=server.url))._driver.read_frames()
        frames = list(itertools.islice(filter(None, stream), 120))
        stream.close()
    seconds = burned_clock(frames[-1].pixels) - burned_clock(frames[0].pixels)
    assert frames[-1].pts - frames[0].pts == pytest.approx(0.8 * seconds, rel=0.05)
    assert sum(frame.overrun for frame in frames) == 0
    assert seconds == pytest.approx(119 / 20, rel=0.05)


def test_camera_that_is_away_for_longer_than_asked_for_ends_the_daemon_with_exit_code_4(tmp_path: Path) -> None:
    source = f"rtsp://127.0.0.1:{free_port()}/camera"
    result = remi("run", pipeline(tmp_path, cameras=[{"name": "front", "source": source, "give_up_after_s": 2}], name="gaveup"))
    assert_one_line(result, 4, "gave no frame for 2 s")
    assert "restarting" not in result.stderr


@pytest.mark.parametrize("how", ["in the url", "by environment", "by file"])
def test_password_opens_the_camera_and_is_never_shown(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "password").write_text(SECRET + "\n")
    monkeypatch.setenv("FRONT_PASSWORD", SECRET)
    with rtsp_server("--auth", f"joe:{SECRET}") as server:
        config = {
            "in the url": {"source": server.url.replace("//", f"//joe:{SECRET}@")},
            "by environment": {"source": server.url, "username": "joe", "password_env": "FRONT_PASSWORD"},
            "by file": {"source": server.url, "username": "joe", "password_file": str(tmp_path / "password")},
        }[how]
        with running(tmp_path, cameras=[{"name": "front", **config}], **SYNTHETIC) as daemon:
            daemon.more_bodies(30)
            daemon.listen(lambda: "front" in daemon.cameras)
            server.kill()
            wait_for_state(daemon, "reconnecting", 2.5)
            commands = orphans(daemon.name)
            assert len(commands) == 4
            said = [daemon.log(), *commands, repr(daemon.cameras), repr(daemon.stages), repr(daemon.status())]
            assert "joe:***@" in repr(daemon.cameras)
            assert not [text for text in said if SECRET in text]
