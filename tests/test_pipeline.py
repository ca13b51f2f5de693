"""The stage table is the whole truth: what runs, who reads what, and nothing else names a stage."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from remi_stream.config import Config, parse_config
from remi_stream.messages import CameraFacts, DetectionInterval, Frame, Health, PlaybackCommand, message_key
from remi_stream.paths import PACKAGE_FOLDER
from remi_stream.pipeline import STAGES, StageRow, find_stage, link_consumers, pipeline_processes, subscribed_topics
from remi_stream.plugins import import_from_string
from remi_stream.relay.stage import RelayStage
from remi_stream.stage import BusStage
from remi_stream.topics import BUS_TOPICS, LINK_TOPICS

BASE = ["capture", "detect", "pose", "relay"]


def config(source: str = "synthetic:", **values: Any) -> Config:
    return parse_config({"cameras": [{"name": "front", "source": source}], "metrics": False, **values})


@pytest.mark.parametrize("row", STAGES, ids=lambda row: row.name)
def test_row_reads_and_writes_known_topics_and_its_factory_exists(row: StageRow) -> None:
    assert {*row.reads, *row.writes} <= {*LINK_TOPICS, *BUS_TOPICS}
    assert callable(import_from_string(row.factory))


@pytest.mark.parametrize(
    ("values", "stages"),
    [
        ({}, BASE),
        ({"metrics": True}, [*BASE, "exporter"]),
        ({"viewer": "web"}, [*BASE, "web"]),
        ({"record": "takes"}, [*BASE, "recorder"]),
        ({"display": True}, [*BASE, "display"]),
        ({"remi_relay": "localhost:1"}, [*BASE, "remi"]),
        ({"source": "remi:localhost:1"}, ["remi_source", "relay"]),
        ({"source": "recording:takes/front"}, ["replay", "relay"]),
    ],
)
def test_configuration_decides_which_stages_run(values: dict[str, Any], stages: list[str]) -> None:
    assert [row.name for row, _ in pipeline_processes(config(**values))] == stages


def test_stage_per_camera_runs_once_for_each_of_its_cameras() -> None:
    cameras = [{"name": "a", "source": "synthetic:"}, {"name": "b", "source": "remi:localhost:1"}]
    processes = [(row.name, camera) for row, camera in pipeline_processes(parse_config({"cameras": cameras, "metrics": False}))]
    assert processes == [("capture", "a"), ("remi_source", "b"), ("detect", ""), ("pose", ""), ("relay", "")]


def test_recorder_subscribes_to_previews_only_with_record_video() -> None:
    recorder = find_stage("recorder")
    assert subscribed_topics(recorder, config()) == ["bodies", "camera", "health"]
    assert subscribed_topics(recorder, config(record_video=True)) == ["bodies", "camera", "health", "preview"]


def test_bus_and_control_are_bound_once_and_every_link_has_a_reader() -> None:
    (relay,) = (row for row in STAGES if row.on_bus)
    assert [row for row in STAGES if row.has_control] == [relay]
    assert link_consumers("health") == [relay], "the supervisor sends the health there"
    for row in STAGES:
        for topic in () if row.on_bus else row.writes:
            assert link_consumers(topic), f"nothing reads {topic} of {row.name}"


def test_relay_is_a_bus_stage() -> None:
    assert isinstance(RelayStage(config()), BusStage)


def test_topics_of_a_message_follow_from_its_type() -> None:
    assert find_stage("capture").topics_by_type() == {Frame: ["frames", "preview"], CameraFacts: ["cameras"]}


def test_message_is_about_a_camera_or_a_stage() -> None:
    assert message_key(Health(stage="capture/front", state="ready", pid=1)) == "capture/front"
    assert message_key(DetectionInterval(camera="front", interval_s=1)) == "front"
    assert message_key(PlaybackCommand(camera="back", id=1)) == "back"


@pytest.mark.parametrize("path", sorted((PACKAGE_FOLDER / "process").glob("*.py")), ids=lambda path: path.stem)
def test_no_code_around_the_stages_names_one(path: Path) -> None:
    named = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
    assert not named & {row.name for row in STAGES}
