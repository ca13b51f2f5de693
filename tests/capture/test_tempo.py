"""When a moment of a recording is due, on a clock that the test turns."""

from __future__ import annotations

import math

import pytest

from remi_stream.capture.tempo import Tempo


def test_time_runs_from_the_first_question_on() -> None:
    tempo = Tempo(10.0, 2.0)
    assert tempo.due(10.0, 500.0) == 500.0
    assert tempo.due(13.0, 501.0) == 501.5


@pytest.mark.parametrize(("speed", "due"), [(4.0, 503.0), (0.5, 510.0)])
def test_another_speed_holds_from_where_it_is_on(speed: float, due: float) -> None:
    tempo = Tempo(0.0, 2.0)
    tempo.due(0.0, 500.0)
    tempo.change(502.0, speed, None)
    assert tempo.due(8.0, 502.0) == due


def test_nothing_is_due_during_a_pause_which_is_not_made_good() -> None:
    tempo = Tempo(0.0, 1.0)
    tempo.due(0.0, 500.0)
    tempo.change(502.0, None, True)
    assert tempo.due(2.5, 503.0) == math.inf
    tempo.change(600.0, None, False)
    assert tempo.due(2.5, 600.0) == 600.5


def test_what_a_jump_takes_is_not_made_good() -> None:
    tempo = Tempo(0.0, 1.0)
    tempo.due(0.0, 500.0)
    tempo.jump(7.0)
    assert tempo.due(7.0, 530.0) == 530.0
    assert tempo.due(8.0, 530.0) == 531.0


def test_loop_goes_on_when_its_end_is_due_however_late_it_is_asked() -> None:
    tempo = Tempo(3.0, 2.0)
    tempo.due(3.0, 500.0)
    tempo.again(9.0, 3.0)
    assert tempo.due(5.0, 503.4) == 504.0
