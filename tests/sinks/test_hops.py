"""Latency of the hops, and incidents of a camera."""

from __future__ import annotations

import pytest

from remi_stream.sinks.live_view import HOP_WINDOW_S, CameraIncidents, HopLatencies, hop_durations
from tests.sample import bodies, facts


def test_hops_are_the_times_between_stamps_and_add_up_to_the_latency() -> None:
    message = bodies(captured_at=100.0, stamps={"capture": 100.01, "pose_in": 100.015, "pose": 100.05, "relay": 100.052})
    took = hop_durations(message, 100.06)
    assert list(took) == ["capture", "pose_in", "pose", "relay", "viewer"]
    assert took["pose"] == pytest.approx(0.035)
    assert sum(took.values()) == pytest.approx(0.06)


def test_stamp_before_the_capture_takes_no_time() -> None:
    took = hop_durations(bodies(captured_at=100.0, stamps={"capture": 99.0, "relay": 100.01}), 100.005)
    assert took == {"capture": 0.0, "relay": pytest.approx(0.01), "viewer": 0.0}


def test_medians_are_those_of_the_last_seconds_and_of_the_newest_hops() -> None:
    hops = HopLatencies()
    assert hops.medians(0.0) == []
    hops.add(bodies(captured_at=1.0, hop_s=0.5), 1.0)
    for k in range(9):
        at = 10.0 + k / 10
        hops.add(bodies(captured_at=at, hop_s=0.002 if k else 0.4), at + 0.02)
    hops.add(bodies(captured_at=10.9, stamps={"relay": 10.95}), 11.0)
    assert dict(hops.medians(11.0)) == {"relay": pytest.approx(50), "viewer": pytest.approx(50)}
    hops.add(bodies(captured_at=11.0, hop_s=0.002), 11.02)
    assert dict(hops.medians(11.02))["pose"] == pytest.approx(2)
    assert hops.medians(11.02 + HOP_WINDOW_S + 1) == []


def test_incidents_are_counted_over_all_epochs() -> None:
    incidents = CameraIncidents()
    for more in (
        {"dropped": {"capture/superseded": 2}},
        {"state": "reconnecting", "dropped": {"capture/superseded": 5}},
        {"state": "reconnecting", "dropped": {"capture/superseded": 5}},
        {"dropped": {"capture/superseded": 6}},
        {"epoch": 2, "dropped": {"pose/overflow": 1, "capture/superseded": 1}},
    ):
        incidents.update(facts(**more))
    assert incidents.dropped == {"capture/superseded": 7, "pose/overflow": 1}
    assert (incidents.reconnects, incidents.restarts) == (1, 1)
