"""The dashboard: that it is what the tool makes, asks for what there is, and gets answers from a real Prometheus."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from remi_stream.config import METRICS_SERVICE as METRICS_PORT
from remi_stream.config import daemon_port
from remi_stream.metrics import METRICS
from remi_stream.paths import data_file, shipped_folder
from tests.operations.server import RULES, prometheus, wait_for
from tests.pipeline.daemon import running

FILE = shipped_folder("configs") / "grafana/remi-stream.json"
TOOLS = Path(__file__).parents[2] / "tools"
PANELS: list[dict[str, Any]] = [panel for panel in json.loads(FILE.read_text())["panels"] if panel["type"] != "row"]
QUERIES = {f"{panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]}

CAMERAS = [
    {"name": "sample", "source": str(data_file("sample.mp4")), "loop": True, "focal_px": 1150.0, "max_fps": 10},
    {"name": "bar", "source": "synthetic:?fps=10"},
]
NO_DATA_HERE = {
    "GPU A": "no GPU",
    "GPU B": "no GPU",
    "GPU: temperature, power A": "no GPU",
    "GPU: temperature, power B": "no GPU",
}
"""Queries that may have no answer on the machine of the test, and why."""


def test_file_is_what_the_tool_makes(tmp_path: Path) -> None:
    made = tmp_path / "made.json"
    subprocess.run([sys.executable, TOOLS / "make_dashboard.py", made], check=True, timeout=60, capture_output=True)
    assert made.read_bytes() == FILE.read_bytes(), "make it anew: python tools/make_dashboard.py"


def test_panels_ask_only_for_metrics_that_there_are() -> None:
    series = {metric.name + end for metric in METRICS.values() for end in ("", "_bucket", "_sum", "_count")}
    recorded = {
        rule["record"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"] if "record" in rule
    }
    for name, expression in QUERIES.items():
        found = set(re.findall(r"(?:instance:)?remi_\w+(?::\w+)?", expression))
        assert found, name
        assert found <= series | recorded, name


def test_every_metric_has_a_panel_but_those_that_say_the_same_in_another_way() -> None:
    shown = " ".join(QUERIES.values())
    missing = {name for name in METRICS if name not in shown}
    assert missing == {
        "remi_camera_nominal_fps",
        "remi_camera_paused",
        "remi_exporter_latency_seconds",
        "remi_stage_up",
        "remi_recorder_state",
        "remi_gpu_info",
    }


def test_every_panel_says_what_it_shows_in_which_unit() -> None:
    assert len(PANELS) >= 12
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}", panel["title"]


def test_panels_lie_side_by_side_on_the_grid() -> None:
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in PANELS)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) == 23


def asked(expression: str, instance: str) -> str:
    """A panel's query as Grafana sends it, for all cameras."""
    asked = expression.replace("$instance", instance).replace("$camera", ".+").replace("$__rate_interval", "10s")
    assert "$" not in asked
    return asked


@pytest.mark.prometheus
def test_every_panel_has_data_from_a_demo_with_two_cameras(tmp_path: Path) -> None:
    with running(tmp_path, metrics=True, cameras=CAMERAS, record=str(tmp_path / "takes")) as daemon:
        daemon.listen(lambda: any(body.people for body in daemon.bodies) and {"sample", "bar"} <= daemon.cameras.keys(), 60)
        target = daemon_port(daemon.name, METRICS_PORT)
        with prometheus(tmp_path, target) as server:
            expressions = {name: asked(expression, f"127.0.0.1:{target}") for name, expression in QUERIES.items()}
            expressions = {name: each for name, each in expressions.items() if name not in NO_DATA_HERE}
            wait_for(lambda: not [name for name, each in expressions.items() if not numbers(server.query(each))], 30)
            alerts = server.ask("alerts")["alerts"]
    assert [alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"] == []


def numbers(values: list[float]) -> list[float]:
    """Without those that are no number, as 0 / 0 is."""
    return [value for value in values if value == value]
