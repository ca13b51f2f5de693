"""When moments of a recording are due, on a simulated clock."""

from __future__ import annotations

import math

import pytest

from remi_stream.recordings.playback import PlaybackClock


def test_clock_starts_at_the_first_call_of_due_at() -> None:
    tempo = PlaybackClock(10.0, 2.0)
    assert tempo.due_at(10.0, 500.0) == 500.0
    assert tempo.due_at(13.0, 501.0) == 501.5


@pytest.mark.parametrize(("speed", "due"), [(4.0, 503.0), (0.5, 510.0)])
def test_another_speed_holds_from_now_on(speed: float, due: float) -> None:
    tempo = PlaybackClock(0.0, 2.0)
    tempo.due_at(0.0, 500.0)
    tempo.set_speed(502.0, speed, None)
    assert tempo.due_at(8.0, 502.0) == due


def test_nothing_is_due_during_a_pause_which_is_not_caught_up() -> None:
    tempo = PlaybackClock(0.0, 1.0)
    tempo.due_at(0.0, 500.0)
    tempo.set_speed(502.0, None, True)
    assert tempo.due_at(2.5, 503.0) == math.inf
    tempo.set_speed(600.0, None, False)
    assert tempo.due_at(2.5, 600.0) == 600.5


def test_time_that_a_seek_takes_is_not_caught_up() -> None:
    tempo = PlaybackClock(0.0, 1.0)
    tempo.due_at(0.0, 500.0)
    tempo.seek(7.0)
    assert tempo.due_at(7.0, 530.0) == 530.0
    assert tempo.due_at(8.0, 530.0) == 531.0


def test_loop_starts_when_its_end_is_due_however_late_due_at_is_called() -> None:
    tempo = PlaybackClock(3.0, 2.0)
    tempo.due_at(3.0, 500.0)
    tempo.restart_at(9.0, 3.0)
    assert tempo.due_at(5.0, 503.4) == 504.0
