"""Reconnects of a camera and the duration of its outages, on a virtual clock."""

from __future__ import annotations

import pytest

from remi_stream.sinks.counters import OutageCounter
from remi_stream.sinks.metric_registry import MetricRegistry
from tests.sinks.scrape import Scrape

LIVES = {
    "never away": ([(0, "starting"), (1, "live"), (9, "live")], 0, 0),
    "away until now": ([(0, "live"), (1, "reconnecting"), (2, "reconnecting")], 0, 9),
    "away twice": ([(0, "live"), (1, "reconnecting"), (3, "live"), (5, "reconnecting"), (6, "live")], 2, 3),
    "its process died while it was away": ([(0, "live"), (1, "reconnecting"), (2, "starting"), (4, "live")], 1, 3),
    "away from the start": ([(0, "starting"), (1, "reconnecting"), (2, "live")], 1, 1),
    "ended while away": ([(0, "live"), (1, "reconnecting"), (2, "ended")], 0, 1),
}


@pytest.mark.parametrize("life", LIVES)
def test_camera_that_comes_and_goes_is_counted_with_its_time_away(life: str) -> None:
    states, reconnects, away_s = LIVES[life]
    registry = MetricRegistry()
    outages = OutageCounter(registry, "front")
    for now, state in states:
        outages.update_state(state, float(now))
        outages.update_time(now + 0.5)
    outages.update_time(10.0)
    found = Scrape(registry.render_text().decode())
    assert found.value("remi_camera_reconnects_total", camera="front") == reconnects
    assert found.value("remi_camera_outage_seconds_total", camera="front") == pytest.approx(away_s)
