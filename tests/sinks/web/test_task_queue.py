"""The background task queue of the web viewer."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import viser

from remi_stream.messages import PlaybackStatus
from remi_stream.sinks.web.recording_tab import PlaybackControls
from remi_stream.sinks.web.task_queue import TaskQueue
from remi_stream.transport.address import daemon_address
from tests.browser.replay import replaying
from tests.sample import facts


def test_of_pending_tasks_only_the_newest_of_a_kind_is_run() -> None:
    tasks, begun, go, done = TaskQueue(1), threading.Event(), threading.Event(), threading.Event()
    ran: list[str] = []

    def first() -> None:
        begun.set()
        go.wait(5)

    def last() -> None:
        ran.append("b")
        done.set()

    tasks.submit("a", first)
    assert begun.wait(5)
    for number in range(50):
        tasks.submit("a", lambda number=number: ran.append(f"a{number}"))  # type: ignore[misc]
    tasks.submit("b", last)
    go.set()
    assert done.wait(5)
    assert ran == ["a49", "b"]
    tasks.close()


def test_click_right_after_a_drag_does_not_undo_the_drag() -> None:
    tasks, begun, go, done = TaskQueue(1), threading.Event(), threading.Event(), threading.Event()
    server, requests = viser.ViserServer(host="127.0.0.1", port=0, verbose=False), list[dict[str, Any]]()
    controls = PlaybackControls(server.gui, tasks)

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        requests.append(question)
        return {}

    tasks._answer = answer  # type: ignore[method-assign]

    def first() -> None:
        begun.set()
        go.wait(5)

    tasks.submit("a", first)
    assert begun.wait(5)
    for camera in ("front", "back"):
        controls.show(facts(camera=camera, playing=PlaybackStatus(position_s=0.0, length_s=9.0, speed=1.0, paused=False)))
        for second in (1.0, 2.0):
            controls._ask(seek_s=second)
        controls._ask(paused=True)
        controls._ask(paused=False)
    tasks.submit("z", done.set)
    go.set()
    assert done.wait(5)
    both = ({"seek_s": 2.0}, {"paused": False})
    assert requests == [{"ask": "play", "camera": camera, **change} for camera in ("front", "back") for change in both]
    tasks.close()
    server.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_exception_in_a_task_is_raised() -> None:
    tasks = TaskQueue(1)
    tasks.check_thread()
    tasks.submit("a", lambda: [][0])
    tasks._thread.join(5.0)
    with pytest.raises(RuntimeError, match="traceback above"):
        tasks.check_thread()


def test_error_of_the_relay_and_its_absence_are_one_line_answers() -> None:
    answers: list[dict[str, Any]] = []
    arrived = threading.Event()

    def keep(answer: dict[str, Any]) -> None:
        answers.append(answer)
        arrived.set()

    with replaying("front") as replay:
        replay.answers["filter"] = {"error": "no such filter"}
        tasks = TaskQueue(daemon_address(replay.name))
        tasks.ask_control({"ask": "filter", "name": "x"}, keep)
        assert arrived.wait(5)
        assert answers == [{"error": "no such filter"}]
        arrived.clear()
    tasks.ask_control({"ask": "filter"}, keep)
    assert arrived.wait(5)
    assert "No remi-stream answers" in answers[1]["error"]
    tasks.close()
