"""Cameras that are away, or never came, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

from tests.browser.browser import DESKTOP, PHONE, Browser
from tests.browser.viewing import Viewing, viewing

pytestmark = pytest.mark.browser
LONG = "entrance-hall-north-west-corner-camera-1"
PANEL = "document.querySelector('.remi-people').closest('.mantine-Paper-root').getBoundingClientRect()"


@pytest.fixture(scope="module")
def viewer() -> Iterator[Viewing]:
    states = {"door": "", "garden": "reconnecting"}
    with viewing(cameras=(LONG, "back", "garden", "door"), states=states) as started:
        yield started


def text_of(css: str) -> str:
    return f"(document.querySelector({json.dumps(css)})?.innerText ?? '')"


def colourfulness(browser: Browser) -> float:
    """How far the image in the panel is from grey, mean over its pixels."""
    return float(np.ptp(browser.preview().astype(int), axis=2).mean())


def test_camera_that_goes_away_is_grey_says_since_when_and_comes_back(browser: Browser, viewer: Viewing) -> None:
    assert browser.open(viewer.url, DESKTOP) == 200
    browser.wait("/frame [1-9]/.test(document.body.innerText)")
    assert colourfulness(browser) > 20
    viewer.replay.states[LONG] = "reconnecting"
    browser.wait(f"/{LONG}: away since [2-9] s/.test(document.body.innerText)")
    assert colourfulness(browser) < 5
    browser.wait(f"/reconnecting since \\d+ s/.test({text_of('.remi-people')})")
    browser.wait(f"/{LONG}\\s+reconnecting since/.test({text_of('.remi-cameras')})")
    del viewer.replay.states[LONG]
    browser.wait(f"/{LONG} live/.test({text_of('.remi-cameras')})")
    browser.wait("/frame [1-9]/.test(document.body.innerText)")
    browser.wait_for_text("person 1")
    assert colourfulness(browser) > 20
    assert browser.do("complaints") == []


def test_camera_that_never_came_is_in_the_list_and_in_the_image(browser: Browser, viewer: Viewing) -> None:
    assert browser.open(viewer.url, DESKTOP) == 200
    browser.wait(f"/door starting since/.test({text_of('.remi-cameras')})")
    browser.wait("/frame [1-9]/.test(document.body.innerText)")
    browser.do("click", text="View")
    browser.do("click", text="All cameras")
    browser.wait_for_text("4 cameras, 2 without a new image")
    browser.do("click", text="All cameras")
    browser.wait(f"document.body.innerText.includes('{LONG}, frame')")


def test_name_of_40_characters_fits_into_the_list_of_cameras(browser: Browser, viewer: Viewing) -> None:
    assert browser.open(viewer.url, DESKTOP) == 200
    box = f"document.querySelector('input[value={json.dumps(LONG)}]')"
    browser.wait(f"{box} !== null")
    assert browser.evaluate(f"{box}.scrollWidth <= {box}.clientWidth")


def test_phone_keeps_more_than_half_of_its_screen_for_the_scene(browser: Browser, viewer: Viewing) -> None:
    assert browser.open(viewer.url, PHONE) == 200
    browser.wait("/frame [1-9]/.test(document.body.innerText)")
    for tab in ("Live", "State"):
        browser.do("click", text=tab)
        panel = browser.evaluate(f"(box => [box.left, box.top, box.width, box.height])({PANEL})")
        assert panel[0] == 0
        assert panel[2] == PHONE[0]
        assert panel[3] <= 0.46 * PHONE[1]
