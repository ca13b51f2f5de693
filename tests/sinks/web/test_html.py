"""HTML of the panel, with names that come from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remi_stream.filters.registry import FILTERS
from remi_stream.measure.meters import MeasurementRow
from remi_stream.measure.table import REMI_RELAY
from remi_stream.sinks.live_view import CameraIncidents
from remi_stream.sinks.web import filter_tab, measure_tab, recording_tab, status_tabs
from remi_stream.sinks.web.html import GOOD, hop_waterfall
from remi_stream.sinks.web.status_tabs import people_html, person_row
from tests.sample import facts, health, person

EVIL = '<img src=x onerror="alert(1)">'


def summary(**more: Any) -> status_tabs.CameraSummary:
    incidents = CameraIncidents()
    message = facts(**more)
    incidents.update(message)
    return status_tabs.CameraSummary(message, incidents)


@pytest.mark.parametrize(
    "html",
    [
        status_tabs.cameras_html([status_tabs.CameraRow(EVIL, EVIL, True, facts(camera=EVIL))]),
        status_tabs.people_html([], EVIL),
        status_tabs.stages_html({"capture/a": health("capture/a")}, {"a": EVIL}),
        status_tabs.losses_html([summary(camera=EVIL, dropped={EVIL: 3}), summary()]),
        status_tabs.stages_html({EVIL: health(EVIL, state="failed", reason=EVIL)}),
        status_tabs.engine_html({"pose": health(facts={"engine": EVIL, "runtime": EVIL})}, ""),
        status_tabs.engine_html({}, EVIL),
        filter_tab.filter_html(facts(filter=EVIL), EVIL + "2", EVIL),
        measure_tab.result_html(EVIL, EVIL, [MeasurementRow(kind=REMI_RELAY, names=[EVIL, EVIL], numbers=[1.0])], [Path(EVIL)]),
        measure_tab.error_html(EVIL),
        measure_tab.intro_html(Path(EVIL)),
        recording_tab.recorder_html(EVIL, health("recorder"), EVIL),
        hop_waterfall([(EVIL, 3.0)]),
    ],
)
def test_text_from_outside_is_escaped(html: str) -> None:
    assert "<img" not in html
    assert "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;" in html


def test_row_of_a_person_shows_distance_and_score() -> None:
    line = person_row(person(7))
    assert (line.track_id, line.score) == (7, 0.75)
    assert line.distance_m == pytest.approx(3.0, abs=0.25)
    assert "person 7" in people_html([line])
    assert f"{line.distance_m:.1f} m" in people_html([line])
    assert "width:75%" in people_html([line])
    assert "no one in view" in people_html([])


def test_distance_of_unknown_joints_is_a_dash() -> None:
    unknown = person(1, smpl=None, joints_m=np.full((24, 3), np.nan, np.float32))
    assert np.isnan(person_row(unknown).distance_m)
    assert "&ndash; m" in people_html([person_row(unknown)])


def test_distance_without_smpl_is_that_of_the_joints() -> None:
    assert person_row(person(1, smpl=None)).distance_m == pytest.approx(np.hypot(np.hypot(0.25, 0.5), 3), abs=0.05)


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        ("  Sunny\tday \n two", "Sunny day two"),
        ("\x00\x1b[31mred\u202e", "[31mred"),
        ("=SUM(A1)", "SUM(A1)"),
        ("+-@=", "Custom"),
        ("", "Custom"),
        ("x" * 200, "x" * 60),
        ("ünïcode ✓", "ünïcode ✓"),
    ],
)
def test_custom_condition_is_cleaned(typed: str, cleaned: str) -> None:
    assert measure_tab.chosen_condition("Custom", typed) == cleaned


def test_condition_that_is_not_in_the_list_becomes_custom() -> None:
    assert measure_tab.chosen_condition("Low Light", "ignored") == "Low Light"
    assert measure_tab.chosen_condition(EVIL, "own") == "Custom"


def test_stage_that_was_restarted_says_how_often() -> None:
    assert "2 restarts" in status_tabs.stages_html({"pose": health(restarts=2)})
    assert "1 restart<" in status_tabs.stages_html({"pose": health(restarts=1)})
    assert "restart" not in status_tabs.stages_html({"pose": health()})


def test_drop_reasons_are_shown_with_the_most_frequent_first() -> None:
    html = status_tabs.losses_html([summary(dropped={"pose/overflow": 2, "capture/superseded": 1234})])
    assert html.index("capture/superseded") < html.index("pose/overflow")
    assert "1&#8239;236" in html


@pytest.mark.parametrize(
    ("lag_s", "words"),
    [(None, "lag not measured yet"), (0.0123, "12 ms")],
)
def test_filter_shows_its_measured_lag(lag_s: float | None, words: str) -> None:
    assert words in filter_tab.filter_html(facts(filter="one_euro", filter_lag_s=lag_s), "", "")


def test_sliders_are_for_existing_options_and_include_their_defaults() -> None:
    for (name, option), slider in filter_tab.FILTER_SLIDERS.items():
        assert slider.minimum <= FILTERS[name].options[option] <= slider.maximum, (name, option)


def test_waterfall_shows_hops_in_proportion_to_their_duration() -> None:
    html = hop_waterfall([("capture", 2.0), ("pose", 30.25)])
    assert "flex:2.0" in html
    assert "flex:30.2" in html
    assert "30.2" in html
    assert "no bodies" in hop_waterfall([])


def test_stage_of_a_camera_that_is_away_is_not_green() -> None:
    stages = {"capture/front": health("capture/front"), "capture/back": health("capture/back"), "pose": health("pose")}
    html = status_tabs.stages_html(stages, {"front": "reconnecting since 7 s"})
    assert "capture/front reconnecting since 7 s" in html
    assert html.count(GOOD) == 2
    failed = {"capture/front": health("capture/front", state="failed", reason="no route")}
    assert "capture/front failed" in status_tabs.stages_html(failed, {"front": "reconnecting since 7 s"})


def test_camera_that_never_came_is_in_the_list() -> None:
    html = status_tabs.cameras_html([status_tabs.CameraRow("front", "never came, trying since 7 s", True, None)])
    assert "<b>front</b>" in html
    assert "never came, trying since 7 s" in html
