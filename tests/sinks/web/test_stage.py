"""The web viewer as a stage of a running pipeline."""

from __future__ import annotations

import os
import signal
import stat
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from remi_stream.config import CameraConfig, Config
from remi_stream.messages import PlaybackStatus
from remi_stream.sinks.live_view import REMOVE_AFTER_S
from remi_stream.sinks.web.access import LINK_FILE, read_viewer_link
from remi_stream.sinks.web.gate import ViewerServer
from remi_stream.sinks.web.stage import WebViewer
from remi_stream.transport.address import daemon_address
from tests.pipeline.daemon import SYNTHETIC, Daemon, check_books, running
from tests.sample import bodies, facts, person
from tests.sinks.web.server import closed_server

CAMERA = {"name": "front", "source": "synthetic:?fps=30"}


def folder(daemon: Daemon) -> Path:
    return daemon.runtime / "remi-stream" / daemon.name


def status(url: str) -> int:
    try:
        with build_opener(HTTPCookieProcessor()).open(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_viewer_starts_and_stops_with_the_pipeline(tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA], viewer="web", **SYNTHETIC) as daemon:
        daemon.more_bodies(3)
        daemon.listen(lambda: read_viewer_link(folder(daemon)))
        link = read_viewer_link(folder(daemon))
        assert urlsplit(link).hostname == "127.0.0.1"
        assert status(link.split("?")[0]) == 401, "other users of this machine reach loopback too"
        assert status(link) == 200
        assert daemon.stop() == 0
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(link, timeout=5)
        assert "viser" not in daemon.log()


def test_viewer_that_is_killed_costs_no_body_and_comes_back_with_the_same_token(tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA], viewer="web", **SYNTHETIC) as daemon:
        daemon.more_bodies(3)
        daemon.listen(lambda: read_viewer_link(folder(daemon)))
        link = read_viewer_link(folder(daemon))
        assert "?token=" in link
        assert stat.S_IMODE((folder(daemon) / LINK_FILE).stat().st_mode) == 0o600
        assert status(link.split("?")[0]) == 401
        first = daemon.pid("web")
        os.kill(first, signal.SIGKILL)
        daemon.listen(lambda: daemon.stages["web"].pid != first and daemon.stages["web"].state == "ready")
        assert read_viewer_link(folder(daemon)) == link
        assert status(link) == 200
        daemon.more_bodies(3)
        assert not check_books(daemon.bodies)
        assert link.split("token=")[1] not in daemon.log()


def test_viewer_without_a_client_costs_next_to_nothing(tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA], viewer="web", **SYNTHETIC) as daemon:
        daemon.listen(lambda: "web" in daemon.stages and daemon.stages["web"].counts.get("steps", 0) > 30)
        start = daemon.stages["web"].cpu_s, len(daemon.bodies)
        daemon.more_bodies(60)
        cpu_s = daemon.stages["web"].cpu_s - start[0]
        assert cpu_s / (len(daemon.bodies) - start[1]) < 0.003


@pytest.fixture
def server() -> Iterator[ViewerServer]:
    started = closed_server()
    yield started
    started.stop()


def web_viewer(server: ViewerServer, *cameras: str) -> WebViewer:
    config = Config(cameras=tuple(CameraConfig(name=name, source="bus") for name in cameras))
    return WebViewer(server, config, daemon_address(config.name))


def test_previews_are_not_requested_without_a_client(server: ViewerServer) -> None:
    viewer = web_viewer(server, "front")
    assert viewer.topics == ["bodies/", "camera/", "health/"]
    viewer.close()


def test_people_of_the_selected_camera_are_drawn_and_those_of_a_paused_recording_stay(
    server: ViewerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "get_clients", lambda: {0: None})
    viewer = web_viewer(server, "front", "back")

    def drawn(now: float) -> list[int]:
        viewer.draw(now)
        return viewer._people.track_ids

    viewer.add(facts(camera="back", playing=PlaybackStatus(position_s=1.0, length_s=9.0, speed=0.0, paused=True)), 10.0)
    viewer.add(bodies(camera="back", captured_at=10.0, people=[person(2)]), 10.0)
    viewer.add(bodies(camera="front", captured_at=10.0, people=[person(1)]), 10.0)
    assert drawn(10.1) == [1]
    assert drawn(10.1 + REMOVE_AFTER_S) == []
    for _ in range(2):
        viewer._panel._camera.value = "back"  # type: ignore[misc]
        assert drawn(20.0) == drawn(20.1 + REMOVE_AFTER_S) == [2]
        viewer._panel._camera.value = "front"  # type: ignore[misc]
        assert drawn(30.0) == []
    viewer.close()
