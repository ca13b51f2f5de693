"""Playback of recordings: messages, times, frame and track ids, commands."""

from __future__ import annotations

import itertools
import math
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from remi_stream.config import CameraConfig, check_source
from remi_stream.errors import RemiError
from remi_stream.messages import Bodies, CameraFacts, Frame, PlaybackCommand
from remi_stream.paths import data_file
from remi_stream.recordings.playback import PlaybackOptions, PlaybackStage, playback_source
from remi_stream.recordings.reader import open_take
from remi_stream.recordings.results import ResultsIndex, write_chunk, write_results_index
from remi_stream.recordings.video import open_playback_video
from tests.clip import FPS, frames
from tests.export.dance import AWAY, FRAMES, record, take
from tests.sample import bodies

FAST = 100.0


def picture(frame: Bodies, grey: int) -> Frame:
    """A small JPEG preview of a frame."""
    image = cv2.imencode(".jpg", np.full((72, 128, 3), grey, np.uint8))[1].reshape(-1)
    values = {name: getattr(frame, name) for name in ("camera", "epoch", "frame_id", "captured_at", "size")}
    return Frame(image=image, encoding="jpeg", rectangle=(0, 0, 1280, 720), **values)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shown = [picture(take().frames[k], 5 * k) for k in range(0, FRAMES, 3)]
    return record(tmp_path_factory.mktemp("recordings"), take().frames, pictures=shown)


def camera(folder: Path, speed: float = FAST, start_s: float = 0.0, **more: Any) -> CameraConfig:
    return CameraConfig(name="again", source=playback_source(folder, PlaybackOptions(speed, start_s)), **more)


def played(stage: PlaybackStage) -> Iterator[Any]:
    """All messages until the end."""
    stage.open()
    while (messages := stage.step()) is not None:
        yield from messages
    stage.close()


def of(kind: type, messages: list[Any]) -> list[Any]:
    return [message for message in messages if isinstance(message, kind)]


def test_each_frame_comes_once_with_its_people_and_new_numbers(recorded: Path) -> None:
    messages = list(played(PlaybackStage(camera(recorded))))
    given = of(Bodies, messages)
    assert [each.frame_id for each in given] == list(range(FRAMES))
    assert len({each.epoch for each in given}) == 1
    assert given[0].epoch != take().frames[0].epoch
    for ours, theirs in zip(given, take().frames):
        assert [each.track_id for each in ours.people] == [each.track_id for each in theirs.people]
        np.testing.assert_array_equal(ours.people[0].joints_m, theirs.people[0].joints_m)
        assert (ours.camera, ours.engine, ours.stamps) == ("again", "blazepose", {})
    facts = of(CameraFacts, messages)
    assert [each.state for each in facts if each.state != "starting"][-1] == "ended"
    assert (facts[-1].captured, facts[-1].fps) == (FRAMES, FPS * FAST)


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_frames_are_published_at_their_recorded_rate_times_the_speed(recorded: Path, speed: float) -> None:
    given = of(Bodies, list(played(PlaybackStage(camera(recorded, speed)))))
    ahead = np.array([each.captured_at for each in given]) - np.arange(FRAMES) / FPS / speed
    assert np.median(ahead - ahead.min()) < 0.05, "s that a frame comes later than the quickest"


def test_images_are_published_with_their_frames(recorded: Path) -> None:
    messages = list(played(PlaybackStage(camera(recorded))))
    shown = of(Frame, messages)
    assert [each.frame_id for each in shown] == list(range(0, FRAMES, 3))
    for each in shown:
        assert abs(float(each.image.mean()) - 5 * each.frame_id) < 4
        assert (each.size, each.image.shape) == ((1280, 720), (72, 128, 3))
    at = {each.frame_id: each.captured_at for each in of(Bodies, messages)}
    assert all(at[each.frame_id] == each.captured_at for each in shown)


def test_playback_begins_at_start_s_and_loops_with_new_ids(recorded: Path) -> None:
    start = AWAY[-1] + 1
    stage = PlaybackStage(camera(recorded, start_s=start / FPS - 0.001, loop=True, frames=2 * (FRAMES - start) + 2))
    messages = list(played(stage))
    given = of(Bodies, messages)
    once = FRAMES - start
    assert [each.frame_id for each in given] == list(range(2 * once + 2))
    recorded_ids = [[each.track_id for each in frame.people] for frame in take().frames[start:]]
    assert [[each.track_id for each in frame.people] for frame in given[:once]] == recorded_ids
    assert [[each.track_id - 2 for each in frame.people] for frame in given[once : 2 * once]] == recorded_ids
    assert {each.track_id for each in given[-1].people} == {5, 6}
    np.testing.assert_array_equal(given[once].people[0].joints_m, take().frames[start].people[0].joints_m)
    shades = {each.frame_id % once: float(each.image.mean()) for each in of(Frame, messages)}
    assert shades
    assert all(abs(shade - 5 * (start + place)) < 4 for place, shade in shades.items())


def some(stage: PlaybackStage, until: Callable[[list[Any]], Any]) -> list[Any]:
    """Messages of an opened stage until a condition holds."""
    messages: list[Any] = []
    while not until(messages):
        messages += stage.step() or []
    return messages


def command(stage: PlaybackStage, **values: Any) -> list[Any]:
    """Send a command; return the messages until the status reports it as executed."""
    number = secrets.randbits(48)
    stage.handle_command(PlaybackCommand(camera="again", id=number, **values))
    return some(stage, lambda messages: any(each.playing.command_id == number for each in of(CameraFacts, messages)))


def standing(stage: PlaybackStage) -> float:
    """The next reported position, s."""
    return float(of(CameraFacts, some(stage, lambda messages: of(CameraFacts, messages)))[-1].playing.position_s)


def test_seek_continues_frame_ids_shows_its_image_and_renames_all_people(recorded: Path) -> None:
    stage = PlaybackStage(camera(recorded))
    stage.open()
    before = of(Bodies, some(stage, lambda messages: len(of(Bodies, messages)) >= 35))
    command(stage, seek_s=9 / FPS)
    after = some(stage, lambda messages: len(of(Bodies, messages)) >= 30)
    given = before + of(Bodies, after)
    assert [each.frame_id for each in given] == list(range(len(given)))
    assert len({each.epoch for each in given}) == 1
    assert all(later.captured_at > earlier.captured_at for earlier, later in itertools.pairwise(given))
    place = len(before)
    np.testing.assert_array_equal(given[place].people[0].joints_m, take().frames[9].people[0].joints_m)
    ids = [{each.track_id for frame in part for each in frame.people} for part in (given[:place], given[place:])]
    assert ids[0].isdisjoint(ids[1])
    shades = {each.frame_id: float(each.image.mean()) for each in of(Frame, after)}
    assert shades
    assert all(abs(shade - 5 * (9 + number - place)) < 4 for number, shade in shades.items())


def test_pause_shows_nothing_but_the_frame_of_a_seek(recorded: Path) -> None:
    stage = PlaybackStage(camera(recorded, loop=True, speed=1.0))
    stage.open()
    some(stage, lambda messages: of(Bodies, messages))
    command(stage, paused=True)
    assert of(Bodies, [*(stage.step() or []), *(stage.step() or [])]) == []
    for index in (20, FRAMES - 1, 3):
        command(stage, seek_s=take().frames[index].captured_at)
        [shown] = of(Bodies, [message for _ in range(3) for message in stage.step() or []])
        np.testing.assert_array_equal(shown.people[0].joints_m, take().frames[index].people[0].joints_m)
        assert standing(stage) == pytest.approx(index / FPS), "also at the end of a loop"
    [facts] = of(CameraFacts, command(stage, paused=False))
    assert (facts.playing.paused, facts.playing.position_s, facts.state) == (False, pytest.approx(0.1), "live")
    assert facts.playing.length_s == pytest.approx((FRAMES - 1) / FPS)
    following = of(Bodies, some(stage, lambda messages: of(Bodies, messages)))
    np.testing.assert_array_equal(following[0].people[0].joints_m, take().frames[4].people[0].joints_m)


def test_playback_paused_at_its_end_ends_when_it_is_resumed(recorded: Path) -> None:
    stage = PlaybackStage(camera(recorded))
    stage.open()
    command(stage, paused=True, seek_s=take().frames[-1].captured_at)
    some(stage, lambda messages: of(Bodies, messages))
    assert [each.state for each in of(CameraFacts, [*(stage.step() or []), *(stage.step() or [])])] == ["live"] * 2
    command(stage, paused=False)
    assert some(stage, lambda messages: of(CameraFacts, messages))[-1].state == "ended"
    assert stage.step() is None


def test_frames_after_a_seek_follow_at_once(recorded: Path) -> None:
    stage = PlaybackStage(camera(recorded, speed=0.1))
    stage.open()
    some(stage, lambda messages: of(Bodies, messages))
    command(stage, seek_s=take().frames[-5].captured_at)
    given = of(Bodies, some(stage, lambda messages: len(of(Bodies, messages)) >= 2))
    assert given[1].captured_at - given[0].captured_at < 2.0, "and not when it would have come there by itself, after 13 s"


def test_video_is_decoded_up_to_the_time_limit(recorded: Path) -> None:
    kept = open_take(recorded)
    video = open_playback_video(recorded, kept, 0)
    assert video is not None
    shown = kept.frames[42]
    assert not video.advance_to(shown, until=0.0)
    assert video.image_of(shown) is None
    assert video.advance_to(shown, until=math.inf)
    image = video.image_of(shown)
    assert image is not None
    assert abs(float(image.mean()) - 5 * 42) < 4
    video.close()


def test_speed_changes_from_where_it_is(recorded: Path) -> None:
    stage = PlaybackStage(camera(recorded, speed=0.01))
    stage.open()
    some(stage, lambda messages: of(Bodies, messages))
    [facts] = of(CameraFacts, command(stage, speed=1.0))
    assert (facts.fps, facts.playing.speed) == (FPS, 1.0)
    given = of(Bodies, some(stage, lambda messages: len(of(Bodies, messages)) >= 10))
    assert given[-1].captured_at - given[0].captured_at == pytest.approx(9 / FPS, abs=0.08)


def test_results_are_played_with_their_source_video(tmp_path: Path) -> None:
    write = take().frames[:30:2]
    (tmp_path / "take").mkdir()
    write_chunk(tmp_path, 0, write)
    values = {"name": "sample", "size": (1280, 720), "fps": 15.0, "count": len(write), "chunk": 300}
    write_results_index(
        tmp_path, ResultsIndex(engine="blazepose", detector="blazepose", source=str(data_file("sample.mp4")), **values)
    )
    shown = of(Frame, list(played(PlaybackStage(camera(tmp_path, start_s=0.4)))))
    assert [each.frame_id for each in shown] == list(range(9))
    for each in shown[::4]:
        np.testing.assert_array_equal(each.image, frames()[12 + 2 * each.frame_id])


def test_process_that_was_restarted_reuses_no_id(recorded: Path) -> None:
    lives = [of(Bodies, list(itertools.islice(played(PlaybackStage(camera(recorded), life)), 30))) for life in (0, 1)]
    ids = [{each.track_id for frame in life for each in frame.people} for life in lives]
    assert ids[0].isdisjoint(ids[1])
    assert lives[0][0].epoch != lives[1][0].epoch


@pytest.mark.parametrize(
    ("source", "more", "words"),
    [
        ("recording:{}?pace=2", {}, "allowed after the '\\?': speed, start_s"),
        ("recording:{}?speed=0", {}, "allowed: speed from 0.01 to 100, start_s from 0"),
        ("recording:{}?speed=nan", {}, "allowed: speed from 0.01 to 100"),
        ("recording:{}?start_s=nan", {}, "start_s from 0"),
        ("recording:{}?start_s=9", {}, "no frame at or after 9 s; the last one is at 1.47 s"),
        ("recording:{}", {"mirror": True}, "`mirror` does not apply to a recording"),
        ("recording:{}/none", {}, "No such recording"),
    ],
)
def test_source_that_cannot_be_played_is_refused_in_one_line(
    recorded: Path, source: str, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(RemiError, match=words) as refused:
        check_source(CameraConfig(name="again", source=source.format(recorded), **more))
    assert "\n" not in str(refused.value)


def test_folder_of_any_name_is_found(tmp_path: Path) -> None:
    folder = record(tmp_path / "what? 100% of it & more", [bodies()])
    check_source(camera(folder, start_s=0.0))
