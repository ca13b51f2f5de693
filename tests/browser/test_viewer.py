"""The web viewer in a real browser."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from remi_stream.render.colours import track_colour
from remi_stream.transport.address import daemon_address
from remi_stream.transport.link import LinkContext, Subscriber
from tests.browser.browser import DESKTOP, PHONE, Browser
from tests.browser.replay import SIZE, preview_images, truth
from tests.browser.viewing import Viewing, viewing

pytestmark = pytest.mark.browser
BODY = {"x": 300, "y": 100, "width": 500, "height": 600}
"""Region of the body on a desktop, px."""
TABS = ("Live", "View", "Filter", "Measure", "State")
PEOPLE = "document.querySelector('.remi-people')"
SCROLL_RANGE = "(box => [box.scrollHeight - box.clientHeight, box.scrollWidth - box.clientWidth])({})"
"""Script: how far an element can be scrolled, px."""


@pytest.fixture
def page(browser: Browser, viewer: Viewing) -> Iterator[Browser]:
    """The viewer's page on a desktop, with an image; its console must stay free of errors."""
    viewer.replay.still = viewer.replay.paused = False
    opened(browser, viewer.url)
    yield browser
    assert browser.do("complaints") == []


def opened(browser: Browser, url: str, size: tuple[int, int] = DESKTOP) -> None:
    assert browser.open(url, size) == 200
    browser.wait("/frame [1-9]/.test(document.body.innerText)")


def seen(browser: Browser, folder: Path) -> np.ndarray:
    """Screenshot of the body."""
    browser.do("screenshot", path=str(folder / "body.png"), clip=BODY)
    image = cv2.imread(str(folder / "body.png"))
    assert image is not None
    return image.astype(int)


def test_body_moves_only_while_bodies_arrive(page: Browser, viewer: Viewing, tmp_path: Path) -> None:
    page.do("dismiss")
    first = seen(page, tmp_path)
    assert (np.abs(first - np.median(first, axis=(0, 1))) > 40).any(axis=2).mean() > 0.05, "no body is drawn"
    until(lambda: changed(first, seen(page, tmp_path)) > 0.02)
    viewer.replay.still = True
    until(lambda: changed(seen(page, tmp_path), seen(page, tmp_path)) < 0.001)


def test_skeleton_is_drawn_on_the_person_of_the_same_frame(page: Browser) -> None:
    page.wait("[...document.images].some((image) => image.naturalWidth === 640)")
    frames = set()
    for _ in range(5):
        shown = page.preview()
        k = frame_in(shown)
        frames.add(k)
        assert mark_distance(shown, k) < 4, f"frame {k}"
        page.wait(f"!document.body.innerText.includes('frame {page.frame_id()}')")
    assert len(frames) > 2


def test_preview_that_is_switched_off_is_no_longer_requested(page: Browser, viewer: Viewing) -> None:
    until(lambda: viewer.replay.previewed)
    page.do("click", text="View")
    page.do("click", text="Image")
    until(lambda: not previewed_within(viewer, 1.0))
    page.do("click", text="Image")
    until(lambda: previewed_within(viewer, 1.0))


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_everything_is_readable_without_scrolling(browser: Browser, viewer: Viewing, size: tuple[int, int]) -> None:
    opened(browser, viewer.url, size)
    browser.do("dismiss")
    browser.wait_for_text("bodies/s")
    for theme in ("dark", "light"):
        browser.wait(f"document.documentElement.dataset.mantineColorScheme === '{theme}'")
        for tab in TABS:
            browser.do("click", text=tab)
            until(lambda: browser.do("poorest")[0]["contrast"] >= 4.5, lambda: browser.do("poorest")[:3])
            for box in ("document.documentElement", "document.querySelector('.mantine-ScrollArea-viewport')"):
                assert max(browser.evaluate(SCROLL_RANGE.format(box))) <= 1, (tab, box)
        browser.do("click", text="View")
        browser.do("click", text="Light / dark")
    assert browser.do("complaints") == []


def test_body_disappears_without_messages_and_comes_back(page: Browser, viewer: Viewing) -> None:
    page.wait_for_text("person 1")
    viewer.replay.paused = True
    page.wait(f"/no one in view|silent since/.test({PEOPLE}.innerText)")
    viewer.replay.paused = False
    page.wait_for_text("person 1")


def test_another_camera_is_chosen_and_everything_still_fits(browser: Browser) -> None:
    with viewing(cameras=("front", "back")) as two_cameras:
        opened(browser, two_cameras.url)
        browser.wait_for_text("front, frame")
        until(lambda: two_cameras.replay.watched == {"front"})
        browser.do("choose", **{"from": "front", "to": "back"})
        browser.wait_for_text("back, frame")
        until(lambda: two_cameras.replay.watched == {"back"})
        browser.wait("/front live.*back live/s.test(document.querySelector('.remi-cameras').innerText)")
        browser.do("click", text="View")
        browser.do("click", text="All cameras")
        browser.wait_for_text("2 cameras")
        until(lambda: two_cameras.replay.watched == {"front", "back"})
        assert max(browser.evaluate(SCROLL_RANGE.format("document.querySelector('.mantine-ScrollArea-viewport')"))) <= 1
        assert browser.do("complaints") == []


def test_suspended_browser_costs_nothing_and_shows_the_newest_frame(page: Browser, viewer: Viewing) -> None:
    check_suspended(page, viewer, 6.0)


@pytest.mark.slow
def test_browser_suspended_for_a_minute_shows_the_newest_frame(page: Browser, viewer: Viewing) -> None:
    check_suspended(page, viewer, 60.0)


def check_suspended(page: Browser, viewer: Viewing, seconds: float) -> None:
    """Suspend the browser and listen to the bus meanwhile."""
    context = LinkContext()
    bus = Subscriber(context, daemon_address(viewer.replay.name), ["bodies/"])
    bus.receive(5.0)
    memory = resident_bytes(viewer)
    page.suspend()
    start, received = time.monotonic(), []
    while time.monotonic() - start < seconds:
        if item := bus.receive(1.0):
            received.append(item[1].frame_id)
    page.resume()
    context.close()
    assert received == list(range(received[0], received[0] + len(received)))
    assert resident_bytes(viewer) - memory < 20e6
    newest = viewer.replay.frame_id
    page.wait(f"Number((document.body.innerText.match(/frame (\\d+)/) ?? [0, 0])[1]) >= {newest}")
    assert viewer.replay.frame_id - page.frame_id() < 90


def until(done: object, why: object = lambda: "timed out", timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not done():  # type: ignore[operator]
        assert time.monotonic() < end, why()  # type: ignore[operator]


def changed(before: np.ndarray, after: np.ndarray) -> float:
    """Share of pixels that differ."""
    return float((np.abs(before - after).max(axis=2) > 30).mean())


def previewed_within(viewer: Viewing, seconds: float) -> bool:
    before, end = viewer.replay.previewed, viewer.replay.frame_id + seconds * 30
    until(lambda: viewer.replay.frame_id >= end)
    return viewer.replay.previewed > before


def resident_bytes(viewer: Viewing) -> int:
    return int(Path(f"/proc/{viewer.process.pid}/statm").read_text().split()[1]) * 4096


@cache
def small_previews() -> np.ndarray:
    decoded = [cv2.imdecode(each, cv2.IMREAD_COLOR) for each in preview_images()]
    found = [each[..., ::-1] for each in decoded if each is not None]
    return np.array([cv2.resize(each, (160, 90), interpolation=cv2.INTER_AREA) for each in found], int)


def frame_in(shown: np.ndarray) -> int:
    """The frame of the clip that an image shows; its skeleton adds about the same difference to all frames."""
    small = cv2.resize(shown, (160, 90), interpolation=cv2.INTER_AREA).astype(int)
    return int(np.abs(small_previews() - small).sum(axis=(1, 2, 3)).argmin())


def mark_distance(shown: np.ndarray, k: int) -> float:
    """Largest distance of a true joint from the drawn marks, px of the full image."""
    marks = np.abs(shown.astype(int) - track_colour(1)).max(axis=2) < 45
    rows, columns = np.nonzero(marks)
    scale = SIZE[0] / shown.shape[1]
    drawn = np.stack([columns, rows], axis=1) * scale + (scale - 1) / 2
    return float(np.linalg.norm(truth()["joints_px"][k][:, None] - drawn, axis=2).min(1).max())


@pytest.mark.slow
def test_a_pose_costs_the_server_less_than_eight_milliseconds(page: Browser, viewer: Viewing) -> None:
    start = cpu_s(viewer), viewer.replay.frame_id
    until(lambda: viewer.replay.frame_id > start[1] + 300)
    assert (cpu_s(viewer) - start[0]) / (viewer.replay.frame_id - start[1]) < 0.008


def cpu_s(viewer: Viewing) -> float:
    fields = Path(f"/proc/{viewer.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
