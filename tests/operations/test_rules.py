"""The configuration of Prometheus that we ship: valid, each alert tried, each alert explained."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from remi_stream.metrics import LATENCY_BUCKETS, METRICS
from tests.operations.server import CONFIG, RULES

TESTS = Path(__file__).parent / "rules_test.yml"
PAGE = (Path(__file__).parents[2] / "docs/operate/operations.md").read_text()
ALL = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in ALL if "alert" in rule}


def promtool(*arguments: object) -> None:
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.prometheus
def test_configuration_is_valid() -> None:
    promtool("check", "config", CONFIG)
    promtool("check", "rules", RULES)


@pytest.mark.prometheus
def test_alerts_fire_when_they_should_and_only_then(tmp_path: Path) -> None:
    shutil.copy(RULES, tmp_path)
    shutil.copy(TESTS, tmp_path)
    promtool("test", "rules", tmp_path / TESTS.name)


def test_every_alert_is_seen_firing_and_silent() -> None:
    tried = [case for test in yaml.safe_load(TESTS.read_text())["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in tried if case.get("exp_alerts")} == set(ALERTS)
    assert {case["alertname"] for case in tried if not case.get("exp_alerts")} >= set(ALERTS) - {
        "RemiCameraComesAndGoes",
        "RemiStageRestarts",
    }, "those two have a silent series beside the one that fires"


@pytest.mark.parametrize("name", ALERTS)
def test_alert_says_what_to_do(name: str) -> None:
    alert = ALERTS[name]
    assert alert["annotations"]["runbook"] == f"docs/operate/operations.md#{name.lower()}"
    assert f"### {name}\n" in PAGE
    assert alert["labels"]["severity"] in ("page", "ticket")


def test_rules_ask_only_for_metrics_that_there_are() -> None:
    series = {metric.name + end for metric in METRICS.values() for end in ("", "_bucket", "_sum", "_count")}
    recorded = {rule["record"] for rule in ALL if "record" in rule}
    for rule in ALL:
        assert set(re.findall(r"(?:instance:)?remi_\w+(?::\w+)?", rule["expr"])) <= series | recorded


def test_limit_of_the_objective_is_a_bound_of_the_histogram() -> None:
    limits = {float(bound) for rule in ALL for bound in re.findall(r'le="([^"]+)"', rule["expr"])}
    assert limits == {0.1}
    assert limits <= set(LATENCY_BUCKETS)
