"""What takes time is done elsewhere."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import viser

from remi_stream.config import CONTROL_SERVICE, daemon_port
from remi_stream.messages import PlaybackStatus
from remi_stream.sinks.web.recording_tab import PlaybackControls
from remi_stream.sinks.web.task_queue import TaskQueue
from tests.browser.replay import replaying
from tests.sample import facts


def test_of_errands_that_wait_only_the_newest_of_a_kind_is_run() -> None:
    errands, begun, go, done = TaskQueue(1), threading.Event(), threading.Event(), threading.Event()
    ran: list[str] = []

    def first() -> None:
        begun.set()
        go.wait(5)

    def last() -> None:
        ran.append("b")
        done.set()

    errands.submit("a", first)
    assert begun.wait(5)
    for number in range(50):
        errands.submit("a", lambda number=number: ran.append(f"a{number}"))  # type: ignore[misc]
    errands.submit("b", last)
    go.set()
    assert done.wait(5)
    assert ran == ["a49", "b"]
    errands.close()


def test_click_right_after_a_drag_does_not_undo_the_drag() -> None:
    errands, begun, go, done = TaskQueue(1), threading.Event(), threading.Event(), threading.Event()
    server, wished = viser.ViserServer(host="127.0.0.1", port=0, verbose=False), list[dict[str, Any]]()
    player = PlaybackControls(server.gui, errands)

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        wished.append(question)
        return {}

    errands._answer = answer  # type: ignore[method-assign]

    def first() -> None:
        begun.set()
        go.wait(5)

    errands.submit("a", first)
    assert begun.wait(5)
    for camera in ("front", "back"):
        player.show(facts(camera=camera, playing=PlaybackStatus(position_s=0.0, length_s=9.0, speed=1.0, paused=False)))
        for second in (1.0, 2.0):
            player._ask(seek_s=second)
        player._ask(paused=True)
        player._ask(paused=False)
    errands.submit("z", done.set)
    go.set()
    assert done.wait(5)
    both = ({"seek_s": 2.0}, {"paused": False})
    assert wished == [{"ask": "play", "camera": camera, **wish} for camera in ("front", "back") for wish in both]
    errands.close()
    server.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_error_of_ours_in_an_errand_is_not_hushed_up() -> None:
    errands = TaskQueue(1)
    errands.check_thread()
    errands.submit("a", lambda: [][0])
    errands._thread.join(5.0)
    with pytest.raises(RuntimeError, match="traceback above"):
        errands.check_thread()


def test_error_of_the_relay_and_its_absence_are_answers_in_a_line() -> None:
    heard: list[dict[str, Any]] = []
    came = threading.Event()

    def hear(answer: dict[str, Any]) -> None:
        heard.append(answer)
        came.set()

    with replaying("front") as replay:
        replay.answers["filter"] = {"error": "no such filter"}
        errands = TaskQueue(daemon_port(replay.name, CONTROL_SERVICE))
        errands.ask_control({"ask": "filter", "name": "x"}, hear)
        assert came.wait(5)
        assert heard == [{"error": "no such filter"}]
        came.clear()
    errands.ask_control({"ask": "filter"}, hear)
    assert came.wait(5)
    assert "No remi-stream answers" in heard[1]["error"]
    errands.close()
