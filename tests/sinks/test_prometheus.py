"""A real daemon, scraped by a real Prometheus."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remi_stream.config import METRICS_SERVICE, daemon_port
from tests.operations.server import prometheus, wait_for
from tests.pipeline.daemon import SYNTHETIC, Daemon, running
from tests.sinks.scrape import fetch, scrape

CAMERA = {"name": "front", "source": "synthetic:?fps=30"}

QUERIES = {
    "sum(remi_frames_captured_total) - sum(remi_frames_published_total) - sum(remi_frames_dropped_total)": (0, 30),
    "rate(remi_frames_published_total[10s])": (10, 40),
    "histogram_quantile(0.95, sum by (le) (rate(remi_relay_latency_seconds_bucket[10s])))": (0, 1),
    "sum by (hop) (rate(remi_hop_latency_seconds_sum[10s])) / sum by (hop) (rate(remi_hop_latency_seconds_count[10s]))": (0, 1),
    "histogram_quantile(0.5, sum by (le) (rate(remi_exporter_latency_seconds_bucket[10s])))": (0, 1),
    "sum by (reason) (increase(remi_frames_dropped_total[10s]))": (0, 100),
    'remi_camera_state{state="live"} == 1': (1, 1),
    "remi_people": (0, 32),
    "sum(rate(remi_stage_cpu_seconds_total[10s]))": (0, 4),
    "sum(remi_stage_memory_bytes)": (1e7, 1e10),
    "min(remi_stage_up)": (1, 1),
    "sum(remi_stage_restarts_total)": (0, 0),
    "remi_camera_nominal_fps": (30, 30),
    "remi_tracks_total": (1, 1),
    "remi_build_info": (1, 1),
    "remi_frame_age_seconds": (0, 1),
    "remi_camera_outage_seconds_total": (0, 0),
    "rate(remi_inferences_total[10s])": (10, 40),
    "rate(remi_inference_people_total[10s]) / rate(remi_inferences_total[10s])": (1, 1),
    "rate(remi_inference_seconds_total[10s]) / rate(remi_inferences_total[10s])": (1e-5, 0.1),
    "remi_engine_info * on (instance) group_left (version) remi_build_info": (1, 1),
    "remi_filter_info": (1, 1),
}


@contextlib.contextmanager
def metered(folder: Path, **config: Any) -> Iterator[tuple[Daemon, int]]:
    with running(folder, metrics=True, cameras=[CAMERA], **SYNTHETIC, **config) as daemon:
        daemon.more_bodies(10)
        yield daemon, daemon_port(daemon.name, METRICS_SERVICE)


@pytest.mark.prometheus
def test_prometheus_scrapes_a_daemon_and_every_query_has_an_answer(tmp_path: Path) -> None:
    with metered(tmp_path) as (_, target), prometheus(tmp_path, target) as server:
        wait_for(lambda: (server.query("count_over_time(up[1m])") or [0])[0] >= 8)
        assert server.query("up") == [1]
        for expression, (low, high) in QUERIES.items():
            values = server.query(expression)
            assert values, f"no data: {expression}"
            assert all(low <= value <= high for value in values), f"{expression}: {values}"


def test_daemon_says_that_it_is_healthy_and_ready(tmp_path: Path) -> None:
    with metered(tmp_path) as (_, target):
        wait_for(lambda: fetch(target, "/readyz").status == 200)
        answer = json.loads(fetch(target, "/healthz").text)
        assert answer["status"] == "ok"
        assert set(answer["stages"]) == {"capture/front", "detect", "pose", "relay", "exporter"}


def test_counters_survive_a_killed_relay_and_still_balance(tmp_path: Path) -> None:
    with metered(tmp_path) as (daemon, target):
        before = scrape(target)
        os.kill(daemon.pid("relay"), signal.SIGKILL)
        wait_for(lambda: scrape(target).value("remi_stage_restarts_total", stage="relay") == 1)
        published = before.value("remi_frames_published_total")
        wait_for(lambda: scrape(target).value("remi_frames_published_total") > published + 30)
        after = scrape(target)
        assert 0 <= after.in_flight("front") < 30
        for sample in before.samples:
            if sample.name.endswith(("_total", "_count", "_bucket")):
                assert after.value(sample.name, **sample.labels) >= sample.value


def test_killed_exporter_is_back_and_costs_no_body(tmp_path: Path) -> None:
    with metered(tmp_path) as (daemon, target):
        os.kill(daemon.pid("exporter"), signal.SIGKILL)
        since = len(daemon.bodies)
        daemon.listen(lambda: daemon.stages["exporter"].restarts == 1 and daemon.stages["exporter"].state == "ready")
        wait_for(lambda: fetch(target, "/readyz").status == 200)
        daemon.more_bodies(10)
        ids = [body.frame_id for body in daemon.bodies[since:]]
        assert sum(sum(body.skipped.values()) for body in daemon.bodies[since:]) == ids[-1] - ids[0] + 1 - len(ids)
        assert scrape(target).in_flight("front") < 30
