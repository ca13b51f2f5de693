"""Tabs of the panel, in a real browser."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from remi_stream.render.colours import CONFIDENCE_COLOURS, track_colour
from remi_stream.sinks.web.access import read_viewer_link
from tests.browser.browser import SMALL, Browser
from tests.browser.replay import two
from tests.browser.viewing import Viewing
from tests.pipeline import daemon
from tests.sample import health

pytestmark = pytest.mark.browser
EVIL = "<img src=x onerror=alert(1)>"
OWN_WORDS = "Behind a chair"


@pytest.fixture
def page(browser: Browser, viewer: Viewing) -> Iterator[Browser]:
    """The viewer's page with two people; its console must stay free of errors."""
    viewer.replay.change = two
    assert browser.open(viewer.url, SMALL) == 200
    browser.wait("/frame [1-9]/.test(document.body.innerText)")
    yield browser
    assert browser.do("complaints") == []


def wait_for(browser: Browser, part: str, pattern: str) -> None:
    """Wait until the text of a part of the panel matches a pattern."""
    text = f"(document.querySelector('.{part}')?.innerText ?? '')"
    browser.wait(f"new RegExp({json.dumps(pattern)}, 's').test({text})")


def test_two_people_are_listed_with_distance_and_score_until_they_leave(page: Browser, viewer: Viewing) -> None:
    wait_for(page, "remi-people", r"person 1.*\d\.\d m.*1\.00.*person 2.*\d\.\d m.*0\.60")
    wait_for(page, "remi-hops", r"wait.*8\.0.*to pose.*2\.0.*pose.*20\.0.*to relay.*1\.0.*filter.*2\.0.*to here")
    viewer.replay.change = lambda bodies: bodies
    wait_for(page, "remi-people", r"^(?!.*person 2).*person 1")


def test_drops_reconnects_and_restarts_are_shown_as_text(page: Browser, viewer: Viewing) -> None:
    replay = viewer.replay
    page.do("click", text="State")
    wait_for(page, "remi-losses", r"frames dropped\s+0.*reconnects\s+0")
    replay.more = {"state": "reconnecting", "dropped": {"capture/superseded": 41, EVIL: 1}}
    replay.stages = [health("pose", restarts=2), health("detect", state="failed", reason=EVIL)]
    wait_for(page, "remi-losses", r"frames dropped\s+42\s+capture/superseded\s+41\s+<img src=x onerror.*reconnects\s+1")
    wait_for(page, "remi-stages", r"detect failed\s+<img src.*pose\s+2 restarts")
    replay.more = {}


def test_bones_in_the_colours_of_confidence_and_trails_are_shown_on_request(page: Browser, tmp_path: Path) -> None:
    page.wait("[...document.images].some((image) => image.naturalWidth === 640)")
    page.do("dismiss")
    page.do("click", text="View")
    page.do("click", text="Body")
    of_person, of_confidence = marks(page, track_colour(1)), marks(page, CONFIDENCE_COLOURS[2])
    for option in ("Skeleton", "Confidence", "Trails"):
        page.do("click", text=option)
    page.wait_for_text("unsure")
    for _ in range(3):
        page.wait(f"!document.body.innerText.includes('frame {page.frame_id()}')")
    assert marks(page, CONFIDENCE_COLOURS[2]) > of_confidence + 200
    assert marks(page, track_colour(1)) < of_person / 3
    assert white(page, tmp_path) < 50, "bones in the scene have no colours"
    for option in ("Body", "Skeleton", "Confidence", "Trails"):
        page.do("click", text=option)


def white(page: Browser, folder: Path) -> int:
    """Number of white pixels in the scene, left of the panel."""
    page.do("screenshot", path=str(folder / "scene.png"), clip={"x": 0, "y": 0, "width": 270, "height": 560})
    image = cv2.imread(str(folder / "scene.png"))
    assert image is not None
    return int((image.min(axis=2) > 220).sum())


def marks(page: Browser, colour: tuple[int, int, int]) -> int:
    """Number of pixels of the panel's image that have a colour."""
    return int((np.abs(page.preview().astype(int) - colour).max(axis=2) < 40).sum())


def test_reason_of_a_rejected_filter_is_shown(page: Browser, viewer: Viewing) -> None:
    page.do("click", text="Filter")
    viewer.replay.answers["filter"] = {"error": f"no weights {EVIL}"}
    page.do("choose", **{"from": "none", "to": "smoothnet"})
    wait_for(page, "remi-filter", r"no weights <img")
    requests = [each for each in viewer.replay.asked if "name" in each]
    assert requests == [{"ask": "filter", "name": "smoothnet", "options": {}}]
    page.wait("[...document.querySelectorAll('input')].some((input) => input.value === 'none')")
    viewer.replay.answers["filter"] = {"filters": {}}


def active_filter(pipeline: daemon.Daemon) -> str:
    return pipeline.cameras["front"].filter if "front" in pipeline.cameras else ""


def test_filter_is_changed_and_a_row_is_measured_in_a_running_pipeline(browser: Browser, tmp_path: Path) -> None:
    table = tmp_path / "measured" / "pocolib_demo_no_trt_metrics_avg.csv"
    camera = {"name": "front", "source": "synthetic:?fps=30"}
    config = {"viewer": "web", "measurements": str(table.parent), "record": str(tmp_path / "recordings"), **daemon.SYNTHETIC}
    with daemon.running(tmp_path, cameras=[camera], **config) as pipeline:
        pipeline.more_bodies(1, 60.0)
        pipeline.listen(lambda: "web" in pipeline.stages and pipeline.stages["web"].state == "ready")
        assert browser.open(read_viewer_link(pipeline.runtime / "remi-stream" / pipeline.name), SMALL) == 200
        browser.wait("/frame [1-9]/.test(document.body.innerText)")
        browser.do("click", text="Filter")
        browser.do("choose", **{"from": "one_euro", "to": "moving_avg"})
        pipeline.listen(lambda: active_filter(pipeline) == "moving_avg")
        wait_for(browser, "remi-filter", "moving_avg is active")
        browser.do("choose", **{"from": "moving_avg", "to": "OneEuro Smooth"})
        pipeline.listen(lambda: active_filter(pipeline) == "OneEuro Smooth")
        browser.do("click", text="Measure")
        wait_for(browser, "remi-recorder", "recording")
        browser.do("choose", **{"from": "Optimal", "to": "Custom"})
        browser.do("fill", label="Description", text=f"  ={OWN_WORDS}\t")
        browser.do("click", text="Measure 5 s")
        wait_for(browser, "remi-measured", rf"{OWN_WORDS}.*{table.name}")
        browser.do("click", text="Record")
        pipeline.listen(lambda: pipeline.stages["recorder"].facts["recording"] == "off")
        wait_for(browser, "remi-recorder", "switched off")
        assert browser.do("complaints") == []
    rows = list(csv.DictReader(table.open()))
    assert [row["Condition"] for row in rows] == [OWN_WORDS]
    assert float(rows[0]["Avg End-to-End Latency (ms)"]) > 0
    assert os.listdir(table.parent) != [table.name], "our own file is there too"
