"""The exporter over real HTTP: metrics, their cost, health and readiness."""

from __future__ import annotations

import gc
import json
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import get_args, get_type_hints

import msgspec
import pytest

from remi_stream.config import METRICS_SERVICE as METRICS_PORT
from remi_stream.config import CameraConfig, Config, parse_config
from remi_stream.errors import RemiError
from remi_stream.messages import CameraFacts, PlaybackStatus
from remi_stream.metrics import METRICS
from remi_stream.pipeline import pipeline_processes
from remi_stream.sinks.counters import CAMERA_STATES, INITIAL_DROP_REASONS, MAX_EVENT_NAMES, MEASURED_HOPS, POSE_COUNTS
from remi_stream.sinks.exporter import ExporterStage
from tests.sample import bodies, facts, health, person
from tests.sinks import nvml
from tests.sinks.scrape import Scrape, fetch, scrape


def configuration(*cameras: str) -> Config:
    made = tuple(CameraConfig(name=name, source="synthetic:") for name in cameras)
    return Config(name=f"t{secrets.token_hex(4)}", cameras=made, engine="synthetic", detector="synthetic")


class Running(ExporterStage):
    """An opened exporter and its port."""

    def __init__(self, *cameras: str) -> None:
        config = configuration(*cameras)
        super().__init__(config)
        self.port = config.port(METRICS_PORT)
        self.open()


@pytest.fixture
def exporter() -> Iterator[Running]:
    running = Running("front")
    yield running
    running.close()


def fill(exporter: Running, camera: str = "front") -> None:
    """Send messages that give every metric a value."""
    exporter.step(facts(1, camera=camera, filter="one_euro", filter_lag_s=0.01))
    exporter.step(bodies(len(INITIAL_DROP_REASONS), camera=camera, skipped=dict.fromkeys(INITIAL_DROP_REASONS, 1)))
    for row, of_camera in pipeline_processes(configuration(camera)):
        exporter.step(
            health(f"{row.name}/{camera}" if of_camera else row.name, cpu_s=1.5, memory_bytes=1000, counts={"steps": 1})
        )
    exporter.step(health("recorder", facts={"recording": "on"}))
    exporter.step(health("pose", facts={"engine": "synthetic", "runtime": "fake"}, counts=dict.fromkeys(POSE_COUNTS, 1)))


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml.install(monkeypatch, nvml.Gpu(), nvml.Gpu())


@pytest.mark.usefixtures("two_gpus")
def test_scrape_shows_every_metric_of_the_table_and_no_other(exporter: Running) -> None:
    exporter.step(facts(playing=PlaybackStatus(position_s=1.0, length_s=9.0, speed=1.0, paused=True)))
    fill(exporter)
    found = {sample.name for sample in scrape(exporter.port).samples}
    for metric in METRICS.values():
        ends = ("_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",)
        assert {metric.name + end for end in ends} <= found
        found -= {metric.name + end for end in ends}
    assert not found


def test_names_follow_the_rules_of_prometheus() -> None:
    for metric in METRICS.values():
        assert metric.name.startswith("remi_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.name.endswith("_seconds") or metric.kind != "histogram"
        assert not re.search("_(ms|us|percent|kb|mb|count)(_|$)", metric.name)
        assert list(metric.buckets) == sorted(metric.buckets)
        assert metric.help.endswith(".")


def test_metric_without_series_is_not_exported_and_counters_have_no_created_series(exporter: Running) -> None:
    assert "remi_recorder" not in scrape(exporter.port).text
    fill(exporter)
    text = scrape(exporter.port).text
    assert "# TYPE remi_recorder_bodies_total counter\nremi_recorder_bodies_total 0.0\n" in text
    assert "_created" not in text
    assert "remi_gpu" not in text


@pytest.mark.prometheus
@pytest.mark.usefixtures("two_gpus")
def test_promtool_reports_no_problem(exporter: Running) -> None:
    fill(exporter)
    text = fetch(exporter.port, "/metrics").text
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_camera_has_77_series_once_everything_has_happened(exporter: Running) -> None:
    fill(exporter)
    series = [sample for sample in scrape(exporter.port).samples if sample.labels.get("camera") == "front"]
    assert len(series) == 77


def test_scrape_of_16_cameras_costs_less_than_10_ms_of_processor_time() -> None:
    cameras = [f"camera-{index}" for index in range(16)]
    exporter = Running(*cameras)
    for camera in cameras:
        fill(exporter, camera)
    costs = []
    gc.freeze()  # otherwise the scrapes would pay for collecting the garbage of the test run
    for frame_id in range(len(INITIAL_DROP_REASONS) + 1, len(INITIAL_DROP_REASONS) + 64):
        for camera in cameras:
            exporter.step(bodies(frame_id, camera=camera))
        before = time.thread_time()
        exporter._scrape()
        costs.append(time.thread_time() - before)
    gc.unfreeze()
    exporter.close()
    # The minimum: other processes on the same cores only add to it.
    assert min(costs) < 0.010


def test_each_hop_is_the_time_since_the_stamp_before(exporter: Running) -> None:
    exporter.step(bodies(captured_at=100.0, hop_s=0.002))
    exporter.step(bodies(1, captured_at=101.0, hop_s=0.004))
    found = scrape(exporter.port)
    for hop in ("capture", "pose_in", "pose", "relay_in", "relay"):
        assert found.value("remi_hop_latency_seconds_sum", hop=hop) == pytest.approx(0.006)
        assert found.value("remi_hop_latency_seconds_count", hop=hop) == 2
    assert found.value("remi_relay_latency_seconds_sum") == pytest.approx(0.03)
    assert found.value("remi_relay_latency_seconds_bucket", le="0.015") == 1
    assert found.value("remi_relay_latency_seconds_bucket", le="0.02") == 2


def test_latency_at_the_exporter_is_measured_when_a_body_arrives(exporter: Running) -> None:
    exporter.step(bodies(captured_at=time.monotonic() - 3.0))
    assert scrape(exporter.port).value("remi_exporter_latency_seconds_sum") == pytest.approx(3.0, abs=0.5)


def test_hop_with_an_unknown_name_makes_no_series(exporter: Running) -> None:
    exporter.step(bodies(stamps={"capture": 100.1, "stranger": 100.2, "relay": 100.5}))
    found = scrape(exporter.port)
    assert "stranger" not in found.text
    assert found.value("remi_hop_latency_seconds_sum", hop="relay") == pytest.approx(0.4)


def test_every_stamp_of_the_pipeline_is_a_hop() -> None:
    assert set(bodies().stamps) <= MEASURED_HOPS


def test_counters_continue_over_epochs_and_a_restarted_relay(exporter: Running) -> None:
    exporter.step(facts(1))
    for frame_id in range(10):
        exporter.step(bodies(frame_id))
    exporter.step(bodies(15, skipped={"capture/superseded": 2}))
    exporter.step(facts(20))
    assert scrape(exporter.port).in_flight("front") == 4
    exporter.step(facts(1, epoch=2))
    exporter.step(bodies(0, epoch=2))
    found = scrape(exporter.port)
    assert found.value("remi_frames_captured_total") == 21
    assert found.value("remi_frames_published_total") == 12
    assert found.value("remi_frames_dropped_total", stage="capture", reason="superseded") == 2
    assert found.value("remi_frames_dropped_total", stage="relay", reason="lost_in_crash") == 7
    assert found.in_flight("front") == 0


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads that are switched a hundred times as often as by default."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_frame_counters_balance_in_every_scrape_under_load(exporter: Running) -> None:
    done = threading.Event()

    def pour() -> None:
        for frame_id in range(0, 9000, 3):
            exporter.step(bodies(frame_id, skipped={"capture/superseded": min(frame_id, 2)} if frame_id else {}))
        done.set()

    threading.Thread(target=pour).start()
    scrapes = 0
    while not done.is_set():
        assert Scrape(exporter._scrape().body.decode()).in_flight("front") == 0
        scrapes += 1
    assert scrapes > 3


def test_camera_state_is_one_of_those_that_the_message_allows(exporter: Running) -> None:
    for state in CAMERA_STATES:
        exporter.step(facts(state=state))
        found = scrape(exporter.port)
        assert {each: found.value("remi_camera_state", state=each) for each in CAMERA_STATES} == {
            each: float(each == state) for each in CAMERA_STATES
        }
    assert get_args(get_type_hints(CameraFacts)["state"]) == CAMERA_STATES


def test_recording_that_is_paused_says_so_and_a_camera_says_nothing_of_it(exporter: Running) -> None:
    exporter.step(facts(state="live"))
    assert "remi_camera_paused{" not in scrape(exporter.port).text
    for paused in (True, False):
        exporter.step(facts(state="live", playing=PlaybackStatus(position_s=1.0, length_s=9.0, speed=1.0, paused=paused)))
        found = scrape(exporter.port)
        assert found.value("remi_camera_paused", camera="front") == float(paused)
        assert found.value("remi_camera_state", state="live") == 1


def test_people_are_zero_while_a_camera_reconnects(exporter: Running) -> None:
    exporter.step(bodies(people=[person(1), person(2)]))
    assert scrape(exporter.port).value("remi_people") == 2
    exporter.step(facts(state="reconnecting"))
    assert scrape(exporter.port).value("remi_people") == 0


def test_track_is_counted_once(exporter: Running) -> None:
    for frame_id, tracks in enumerate([[1], [1, 2], [2], [], [2, 3]]):
        exporter.step(bodies(frame_id, people=[person(track) for track in tracks]))
    assert scrape(exporter.port).value("remi_tracks_total") == 3


def test_frame_ages_while_no_bodies_come(exporter: Running) -> None:
    assert "remi_frame_age_seconds" not in scrape(exporter.port).text
    exporter.step(bodies(captured_at=time.monotonic() - 3.0))
    first = scrape(exporter.port).value("remi_frame_age_seconds", camera="front")
    assert first == pytest.approx(3.0, abs=0.5)
    assert scrape(exporter.port).value("remi_frame_age_seconds", camera="front") > first


def test_filter_that_is_changed_leaves_no_series_behind(exporter: Running) -> None:
    exporter.step(facts(filter="one_euro", filter_lag_s=0.02))
    assert scrape(exporter.port).value("remi_filter_lag_seconds", camera="front") == 0.02
    exporter.step(facts(filter="smoothnet"))
    found = scrape(exporter.port)
    assert [sample.labels["filter"] for sample in found.samples if sample.name == "remi_filter_info"] == ["smoothnet"]
    assert "remi_filter_lag_seconds" not in found.text


def test_inference_counts_add_up_over_restarts(exporter: Running) -> None:
    for pid, inferences in ((7, 0), (7, 10), (7, 10), (9, 4)):
        counts = {"inferences": inferences, "inference_people": 2 * inferences, "inference_us": 1500 * inferences}
        exporter.step(health("pose", pid=pid, counts=counts))
        exporter.step(health("pose", pid=pid, state="restarting"))
    found = scrape(exporter.port)
    assert found.value("remi_inferences_total") == 14
    assert found.value("remi_inference_people_total") == 28
    assert found.value("remi_inference_seconds_total") == pytest.approx(0.021)


def test_engine_info_has_the_current_runtime(exporter: Running) -> None:
    for runtime in ("tensorrt", "torch"):
        exporter.step(health("pose", facts={"engine": "poco", "runtime": runtime}))
    labels = [sample.labels for sample in scrape(exporter.port).samples if sample.name == "remi_engine_info"]
    assert labels == [{"engine": "poco", "runtime": "torch"}]


def test_event_names_of_a_sink_are_exported_up_to_a_limit(exporter: Running) -> None:
    exporter.step(health("remi", counts={"sent": 5, "dropped": 1}))
    exporter.step(health("remi", counts={"sent": 7, "dropped": 1, **{f"x{index}": 1 for index in range(100)}}))
    exporter.step(health("recorder", counts={"bodies": 5}))
    found = scrape(exporter.port)
    assert found.value("remi_stage_events_total", stage="remi", event="sent") == 7
    assert len([sample for sample in found.samples if sample.name == "remi_stage_events_total"]) == MAX_EVENT_NAMES


def test_label_with_quotes_and_line_ends_stays_one_label(exporter: Running) -> None:
    exporter.step(facts(filter='a"b\\c\nd'))
    filters = [sample.labels["filter"] for sample in scrape(exporter.port).samples if sample.name == "remi_filter_info"]
    assert filters == ['a"b\\c\nd']


def test_processor_time_of_a_stage_adds_up_over_its_restarts(exporter: Running) -> None:
    lives = [(0, 0.0, 0), (7, 0.0, 0), (7, 2.0, 0), (7, 2.0, 0), (9, 3.0, 1), (9, 4.0, 1)]
    for pid, cpu_s, restarts in lives:
        exporter.step(health("pose", pid=pid, cpu_s=cpu_s, restarts=restarts))
    found = scrape(exporter.port)
    assert found.value("remi_stage_cpu_seconds_total", stage="pose") == 6
    assert found.value("remi_stage_restarts_total", stage="pose") == 1


def test_stage_of_a_camera_is_labelled_with_both(exporter: Running) -> None:
    exporter.step(health("capture/front", memory_bytes=5))
    exporter.step(health("capture/front", state="restarting"))
    found = scrape(exporter.port)
    assert found.value("remi_stage_up", stage="capture", camera="front") == 0


def test_page_that_does_not_exist_is_404_and_names_those_that_do(exporter: Running) -> None:
    answer = fetch(exporter.port, "/metricz")
    assert (answer.status, answer.text) == (404, "No such page: /metricz. There are: /metrics, /healthz, /readyz\n")


def test_pages_say_what_they_are(exporter: Running) -> None:
    assert fetch(exporter.port, "/metrics?a=b").kind == "text/plain; version=0.0.4; charset=utf-8"
    assert fetch(exporter.port, "/healthz").kind == "application/json"


def test_health_is_ok_until_a_stage_fails(exporter: Running) -> None:
    exporter.step(health("pose"))
    answer = fetch(exporter.port, "/healthz")
    expected = {"status": "ok", "reason": "", "stages": {"pose": "ready"}, "cameras": {}}
    assert (answer.status, json.loads(answer.text)) == (200, expected)
    exporter.step(facts(state="reconnecting"))
    exporter.step(health("capture/front", state="failed", reason="no such stream"))
    answer = fetch(exporter.port, "/healthz")
    assert (answer.status, json.loads(answer.text)) == (
        200,
        {
            "status": "degraded",
            "reason": "capture/front is failed: no such stream",
            "stages": {"pose": "ready", "capture/front": "failed"},
            "cameras": {"front": "reconnecting"},
        },
    )
    exporter.step(health("pose", state="failed", reason="no model"))
    answer = fetch(exporter.port, "/healthz")
    assert (answer.status, json.loads(answer.text)["reason"]) == (503, "pose is failed: no model")


def test_ready_once_bodies_come(exporter: Running) -> None:
    assert fetch(exporter.port, "/readyz")[::2] == (503, "No camera is live (none has reported yet)\n")
    exporter.step(facts())
    assert fetch(exporter.port, "/readyz")[::2] == (503, "No bodies in the last 5 s from front\n")
    exporter.step(bodies())
    assert fetch(exporter.port, "/readyz")[::2] == (200, "ready\n")
    exporter.step(health("web", state="restarting", reason="died by SIGKILL"))
    assert fetch(exporter.port, "/readyz")[::2] == (503, "web is restarting: died by SIGKILL\n")


def test_metrics_are_served_on_the_bound_address_only() -> None:
    config = msgspec.structs.replace(configuration("front"), metrics_bind="127.0.0.2")
    exporter = ExporterStage(config)
    exporter.open()
    try:
        with urllib.request.urlopen(f"http://127.0.0.2:{config.port(METRICS_PORT)}/healthz", timeout=5) as answer:
            assert answer.status == 200
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", config.port(METRICS_PORT)), timeout=5)
    finally:
        exporter.close()


def test_address_of_another_machine_is_refused_in_one_line() -> None:
    config = msgspec.structs.replace(configuration("front"), metrics_bind="192.0.2.1")
    message = rf"Cannot serve metrics on 192.0.2.1:{config.port(METRICS_PORT)}: .*\. Give an address of this machine"
    with pytest.raises(RemiError, match=message):
        ExporterStage(config).open()


def test_port_in_use_is_one_line_that_says_what_to_do() -> None:
    config = configuration("front")
    number = config.port(METRICS_PORT)
    exporter = ExporterStage(config)
    with socket.create_server(("127.0.0.1", number)), pytest.raises(RemiError) as caught:
        exporter.open()
    exporter.close()
    assert str(caught.value) == (
        f"Port {number} is in use, by another remi-stream or another program. Stop it, or start this one with --name"
    )


def test_exporter_can_be_started_again_at_once_on_the_same_port() -> None:
    exporter = Running("front")
    scrape(exporter.port)
    exporter.close()
    exporter.open()
    assert scrape(exporter.port).value("remi_build_info") == 1
    exporter.close()


def test_client_that_disconnects_causes_no_error(exporter: Running, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", exporter.port)) as caller:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            caller.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    assert fetch(exporter.port, "/healthz").status == 200
    assert capfd.readouterr().err == ""


def test_camera_name_is_safe_as_a_label() -> None:
    with pytest.raises(RemiError, match=r"cameras\[0\]\.name"):
        parse_config({"cameras": [{"name": 'a"b', "source": "synthetic:"}]})


def test_camera_of_another_configuration_is_not_counted_and_ends_nothing(exporter: Running) -> None:
    exporter.step(facts(3, camera="stranger"))
    exporter.step(bodies(2, camera="stranger"))
    exporter.step(health("capture/stranger"))
    exporter.step(bodies(0))
    exporter.step(facts(1))
    text = fetch(exporter.port, "/metrics")[2]
    assert 'remi_frames_published_total{camera="front"} 1.0' in text
    assert 'remi_people{camera="stranger"}' not in text
