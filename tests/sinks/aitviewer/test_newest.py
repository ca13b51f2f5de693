"""A slow viewer shows the newest bodies and does not slow down other subscribers."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator

import msgspec
import pytest

from remi_stream.messages import PlaybackStatus
from remi_stream.sinks.aitviewer.meshes import PersonMesh
from remi_stream.sinks.aitviewer.subscriber import CAMERA_TIMEOUT_S, BodySubscriber
from remi_stream.sinks.aitviewer.viewer import LiveViewer
from remi_stream.sinks.live_view import MAX_AGE_S
from remi_stream.transport.address import daemon_address
from remi_stream.transport.link import LinkContext, Subscriber
from tests.browser.replay import Replay, bodies, replaying
from tests.sample import facts

SLOW_S = 0.4


class SlowWindow:
    """A window that draws slowly and records the meshes that it drew."""

    aspect = 1.5
    is_closed = False

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.drawn: list[list[PersonMesh]] = []
        self.text: list[str] = []
        self.looks = 0

    def pressed_keys(self) -> list[str]:
        keys, self.keys = self.keys, []
        return keys

    def look_from(self, viewpoint: object) -> None:
        self.looks += 1

    def show_meshes(self, meshes: list[PersonMesh]) -> None:
        self.drawn.append(meshes)

    def draw(self, title: str, lines: list[tuple[str, object]]) -> None:
        self.text = [title, *(text for text, _ in lines)]
        time.sleep(SLOW_S)


@pytest.fixture
def replay() -> Iterator[Replay]:
    with replaying("front", "side") as playing:
        yield playing


def test_slow_viewer_shows_only_new_bodies_and_other_subscribers_miss_nothing(replay: Replay) -> None:
    context = LinkContext()
    other = Subscriber(context, daemon_address(replay.name), ["bodies/front"])
    received: list[int] = []
    with contextlib.closing(BodySubscriber(daemon_address(replay.name))) as subscriber:
        viewer, ages = LiveViewer(subscriber, SlowWindow(), print), []
        subscriber.receive(5.0)
        while len(ages) < 8:
            subscriber.receive(0.1)
            now = time.monotonic()
            viewer.draw(now)
            assert subscriber._newest is not None
            ages.append(now - subscriber._newest.captured_at)
            subscriber.mark_drawn(time.monotonic())
            while (item := other.receive(0)) is not None:
                received.append(item[1].frame_id)
        moment = subscriber.latest_rate()
    context.close()
    assert max(ages) < 0.2, f"each was the newest when it was drawn: {ages}"
    assert moment
    assert moment.p50_ms > 1000 * SLOW_S, "latency is measured up to the screen"
    assert len(received) > 60
    assert all(after - before == 1 for before, after in itertools.pairwise(received))


def test_old_bodies_are_not_shown() -> None:
    with contextlib.closing(BodySubscriber(daemon_address("not-running"))) as subscriber:
        now = time.monotonic()
        subscriber.add([msgspec.structs.replace(bodies(1, "front"), captured_at=now - 1.1 * MAX_AGE_S)], now)
        assert subscriber.current_meshes(now) == []
        subscriber.add([msgspec.structs.replace(bodies(2, "front"), captured_at=now - 0.9 * MAX_AGE_S)], now)
        assert [mesh.track_id for mesh in subscriber.current_meshes(now)] == [1]


def test_paused_recording_stays_in_view() -> None:
    with contextlib.closing(BodySubscriber(daemon_address("not-running"))) as subscriber:
        now = time.monotonic()
        paused = PlaybackStatus(position_s=1.0, length_s=9.0, speed=0.0, paused=True)
        old = msgspec.structs.replace(bodies(1, "front"), captured_at=now - 9 * MAX_AGE_S)
        subscriber.add([facts(camera="front", playing=paused), old], now)
        for later_s in (0.0, 2.0):
            assert [mesh.track_id for mesh in subscriber.current_meshes(now + later_s)] == [1]


def test_n_selects_the_next_camera_and_space_pauses(replay: Replay) -> None:
    with contextlib.closing(BodySubscriber(daemon_address(replay.name))) as subscriber:
        window, lines = SlowWindow(), []
        viewer = LiveViewer(subscriber, window, lines.append)

        def turn(*keys: str) -> bool:
            subscriber.receive(1.0)
            window.keys = [*keys]
            goes_on = viewer.handle_keys(time.monotonic())
            viewer.draw(time.monotonic())
            return goes_on

        turn()
        turn()
        assert (subscriber.camera, lines) == ("front", ["showing camera front"])
        assert turn("n")
        assert (subscriber.camera, lines[-1]) == ("side", "showing camera side")
        turn("space")
        turn()
        assert window.drawn[-1][0] is window.drawn[-2][0]
        assert any("SPACE" in text for text in window.text)
        turn("space")
        assert window.drawn[-1][0] is not window.drawn[-2][0]
        looks = window.looks
        turn("3")
        assert window.looks == looks + 1
        assert not turn("q")


def test_viewer_waits_for_a_daemon_that_stops_until_it_is_back(replay: Replay) -> None:
    lines: list[str] = []
    with contextlib.closing(BodySubscriber(daemon_address(replay.name))) as subscriber:
        viewer = LiveViewer(subscriber, SlowWindow(), lines.append)
        now = time.monotonic()
        subscriber.add([facts(camera="front")], now)
        viewer.draw(now)
        viewer.draw(now + CAMERA_TIMEOUT_S)
        assert lines[-1] == f"waiting for the daemon {replay.name!r}"
        assert "waiting" in viewer.window.text[0]
        while lines[-1].startswith("waiting"):
            assert time.monotonic() < now + 20
            subscriber.receive(1.0)
            viewer.draw(time.monotonic())
        assert lines[-1].startswith("showing camera")
        now = time.monotonic()
        for later_s in (0, 1, 2):
            subscriber.add([facts(camera="front", state="reconnecting", state_s=7.0 + later_s)], now + later_s)
            viewer.draw(now + later_s)
        assert lines[-1] == "camera front: reconnecting since 7 s"
        assert viewer.window.text[-1].endswith("since 9 s")
