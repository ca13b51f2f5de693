"""A viewer shows what is newest, however slow it is, and nobody else notices it."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator

import msgspec
import pytest

from remi_stream.config import BUS_SERVICE, daemon_port
from remi_stream.messages import PlaybackStatus
from remi_stream.sinks.aitviewer.meshes import PersonMesh
from remi_stream.sinks.aitviewer.subscriber import CAMERA_TIMEOUT_S, BodySubscriber
from remi_stream.sinks.aitviewer.viewer import LiveViewer
from remi_stream.sinks.live_view import MAX_AGE_S
from remi_stream.transport.link import LinkContext, Subscriber
from tests.browser.replay import Replay, bodies, replaying
from tests.sample import facts

SLOW_S = 0.4


class SlowRoom:
    """Takes its time to draw, and notes who was drawn."""

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


def test_slow_viewer_shows_nothing_old_and_the_others_miss_nothing(replay: Replay) -> None:
    context = LinkContext()
    other = Subscriber(context, daemon_port(replay.name, BUS_SERVICE), ["bodies/front"])
    heard: list[int] = []
    with contextlib.closing(BodySubscriber(replay.name)) as show:
        looking, ages = LiveViewer(show, SlowRoom(), print), []
        show.receive(5.0)
        while len(ages) < 8:
            show.receive(0.1)
            now = time.monotonic()
            looking.draw(now)
            assert show._newest is not None
            ages.append(now - show._newest.captured_at)
            show.mark_drawn(time.monotonic())
            while (item := other.receive(0)) is not None:
                heard.append(item[1].frame_id)
        moment = show.latest_rate()
    context.close()
    assert max(ages) < 0.2, f"each was the newest when it was drawn: {ages}"
    assert moment
    assert moment.p50_ms > 1000 * SLOW_S, "what is told is how old it was once it was on the screen"
    assert len(heard) > 60
    assert all(after - before == 1 for before, after in itertools.pairwise(heard))


def test_old_bodies_are_not_shown() -> None:
    with contextlib.closing(BodySubscriber("nobody-plays")) as show:
        now = time.monotonic()
        show.add([msgspec.structs.replace(bodies(1, "front"), captured_at=now - 1.1 * MAX_AGE_S)], now)
        assert show.current_meshes(now) == []
        show.add([msgspec.structs.replace(bodies(2, "front"), captured_at=now - 0.9 * MAX_AGE_S)], now)
        assert [mesh.track_id for mesh in show.current_meshes(now)] == [1]


def test_paused_recording_stays_in_view() -> None:
    with contextlib.closing(BodySubscriber("nobody-plays")) as subscriber:
        now = time.monotonic()
        paused = PlaybackStatus(position_s=1.0, length_s=9.0, speed=0.0, paused=True)
        old = msgspec.structs.replace(bodies(1, "front"), captured_at=now - 9 * MAX_AGE_S)
        subscriber.add([facts(camera="front", playing=paused), old], now)
        for later_s in (0.0, 2.0):
            assert [mesh.track_id for mesh in subscriber.current_meshes(now + later_s)] == [1]


def test_n_changes_the_camera_and_space_holds_people_still(replay: Replay) -> None:
    with contextlib.closing(BodySubscriber(replay.name)) as show:
        room, said = SlowRoom(), []
        looking = LiveViewer(show, room, said.append)

        def turn(*keys: str) -> bool:
            show.receive(1.0)
            room.keys = [*keys]
            went_on = looking.handle_keys(time.monotonic())
            looking.draw(time.monotonic())
            return went_on

        turn()
        turn()
        assert (show.camera, said) == ("front", ["showing camera front"])
        assert turn("n")
        assert (show.camera, said[-1]) == ("side", "showing camera side")
        turn("space")
        turn()
        assert room.drawn[-1][0] is room.drawn[-2][0]
        assert any("SPACE" in text for text in room.text)
        turn("space")
        assert room.drawn[-1][0] is not room.drawn[-2][0]
        looks = room.looks
        turn("3")
        assert room.looks == looks + 1
        assert not turn("q")


def test_daemon_that_goes_is_waited_for_and_comes_back(replay: Replay) -> None:
    said: list[str] = []
    with contextlib.closing(BodySubscriber(replay.name)) as show:
        looking = LiveViewer(show, SlowRoom(), said.append)
        now = time.monotonic()
        show.add([facts(camera="front")], now)
        looking.draw(now)
        looking.draw(now + CAMERA_TIMEOUT_S)
        assert said[-1] == f"waiting for the daemon {replay.name!r}"
        assert "waiting" in looking.window.text[0]
        while said[-1].startswith("waiting"):
            assert time.monotonic() < now + 20
            show.receive(1.0)
            looking.draw(time.monotonic())
        assert said[-1].startswith("showing camera")
        show.add([facts(camera="front", state="reconnecting")], time.monotonic())
        looking.draw(time.monotonic())
        assert said[-1] == "camera front: reconnecting"
