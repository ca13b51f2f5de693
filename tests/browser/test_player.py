"""Playback controls of the panel, in a real browser and a running pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest

from remi_stream.messages import PlaybackStatus
from remi_stream.recordings.playback import PlaybackOptions, playback_source
from remi_stream.sinks.web.access import read_viewer_link
from tests.browser.browser import SMALL, Browser
from tests.export.dance import record, take
from tests.pipeline import daemon

pytestmark = pytest.mark.browser
PEOPLE = "(document.querySelector('.remi-people')?.innerText ?? '')"
SLIDER = "[...document.querySelectorAll('input')].some((input) => Number(input.value) === {})"


def test_recording_is_paused_and_seeked_and_people_stay_while_paused(browser: Browser, tmp_path: Path) -> None:
    folder = record(tmp_path / "recordings", take().frames)
    camera = {"name": "again", "source": playback_source(folder, PlaybackOptions()), "loop": True}
    with daemon.running(tmp_path, cameras=[camera], viewer="web", filter="none") as pipeline:
        pipeline.listen(lambda: pipeline.bodies and pipeline.cameras, 60.0)
        assert browser.open(read_viewer_link(pipeline.runtime / "remi-stream" / pipeline.name), SMALL) == 200
        browser.wait(f"/person/.test({PEOPLE})")
        browser.do("click", text="State")
        browser.do("click", text="Pause")
        pipeline.listen(lambda: playing(pipeline).paused)
        browser.wait(SLIDER.format(round(playing(pipeline).position_s, 2)))
        browser.do("fill", label="Second", text="1.2")
        pipeline.listen(lambda: playing(pipeline).position_s == pytest.approx(1.2))
        pipeline.take(1.0)
        paused_at = len(pipeline.bodies)
        browser.do("screenshot", path=str(tmp_path / "state.png"))
        browser.do("click", text="Live")
        browser.wait(f"/person {pipeline.bodies[-1].people[0].track_id}/.test({PEOPLE})")
        pipeline.take(1.0)
        assert browser.evaluate(f"/person/.test({PEOPLE})")
        assert len(pipeline.bodies) == paused_at
        browser.do("click", text="State")
        browser.do("click", text="Pause")
        pipeline.more_bodies(10)
        assert browser.do("complaints") == []


def playing(pipeline: daemon.Daemon) -> PlaybackStatus:
    facts = pipeline.cameras["again"].playing
    assert facts is not None
    return facts
