"""Health and readiness on a virtual clock."""

from __future__ import annotations

import pytest

from remi_stream.sinks.exporter import BUS_TIMEOUT_S, READY_TIMEOUT_S, PipelineHealth
from tests.sample import bodies, facts, health


def test_silent_bus_is_unhealthy_after_a_timeout() -> None:
    pipeline = PipelineHealth(now=10.0)
    assert pipeline.health_error(10.0 + BUS_TIMEOUT_S) == ""
    assert pipeline.health_error(14.0) == "No message on the bus for 4 s"
    pipeline.update(health(), now=14.5)
    assert pipeline.health_error(14.5) == ""


def test_restarting_stage_is_healthy() -> None:
    pipeline = PipelineHealth(now=0.0)
    pipeline.update(health("pose", state="restarting"), now=0.0)
    assert pipeline.health_error(0.0) == ""
    assert pipeline.stage_states == {"pose": "restarting"}


def test_one_live_camera_with_bodies_is_enough_to_be_ready() -> None:
    pipeline = PipelineHealth(now=0.0)
    pipeline.update(facts(camera="left"), now=0.0)
    pipeline.update(facts(camera="right", state="reconnecting"), now=0.0)
    pipeline.update(bodies(camera="left"), now=1.0)
    assert pipeline.not_ready_reason(1.0 + READY_TIMEOUT_S) == ""
    assert pipeline.ready_text == "ready; right is reconnecting"
    assert pipeline.not_ready_reason(6.5) == "No bodies in the last 5 s from left"


def test_old_bodies_of_a_camera_that_is_away_do_not_make_it_ready() -> None:
    pipeline = PipelineHealth(now=0.0)
    pipeline.update(bodies(camera="left"), now=1.0)
    pipeline.update(facts(camera="left", state="reconnecting"), now=1.0)
    pipeline.update(facts(camera="right", state="ended"), now=1.0)
    assert pipeline.not_ready_reason(1.0) == "No camera is live (left: reconnecting, right: ended)"


@pytest.mark.parametrize("state", ["starting", "restarting", "stopping", "failed"])
@pytest.mark.parametrize("stage", ["capture/left", "pose", "web"])
def test_pipeline_with_a_stage_that_is_not_ready_is_not_ready(stage: str, state: str) -> None:
    pipeline = PipelineHealth(now=0.0)
    pipeline.update(facts(camera="left"), now=0.0)
    pipeline.update(bodies(camera="left"), now=0.0)
    pipeline.update(health(stage, state=state, reason="x"), now=0.0)
    assert pipeline.not_ready_reason(1.0) == f"{stage} is {state}: x"
    is_dead = (stage, state) == ("pose", "failed")
    assert bool(pipeline.health_error(1.0)) == is_dead, "a restart of everything would not help a camera or a viewer"
    pipeline.update(health(stage), now=0.0)
    assert pipeline.not_ready_reason(1.0) == ""
