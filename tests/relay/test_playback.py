"""What a recording may be asked while it is played, and what the relay makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from remi_stream.config import CameraConfig, Config
from remi_stream.errors import RemiError
from remi_stream.messages import PlaybackCommand, PlaybackStatus
from remi_stream.relay.stage import RelayStage
from tests.sample import facts


def relay(*recordings: str, live: tuple[str, ...] = ()) -> tuple[RelayStage, list[PlaybackCommand]]:
    """A relay whose recordings are all at second 1 of 8, and what it has asked of them."""
    sources = {**dict.fromkeys(recordings, "recording:folder"), **dict.fromkeys(live, "synthetic:")}
    stage = RelayStage(Config(cameras=tuple(CameraConfig(name=name, source=source) for name, source in sources.items())))
    stage.open()
    wishes: list[PlaybackCommand] = []
    stage.publish = wishes.append
    for name in recordings:
        tell(stage, name)
    return stage, wishes


def tell(stage: RelayStage, camera: str, **more: Any) -> None:
    stage.step(facts(camera=camera, playing=PlaybackStatus(position_s=1.0, length_s=8.0, speed=1.0, paused=False), **more))


def test_every_recording_is_asked_unless_one_is_named_and_no_camera() -> None:
    stage, wishes = relay("dance", "dance2", live=("front",))
    answer = stage.answer_control({"ask": "play", "seek_s": 3, "paused": True})
    assert [(each.camera, each.id, each.seek_s, each.speed, each.paused) for each in wishes] == [
        ("dance", answer["command_id"], 3.0, None, True),
        ("dance2", answer["command_id"], 3.0, None, True),
    ]
    assert stage.answer_control({"ask": "play", "speed": 0.5, "camera": "dance2"})["playing"].keys() == {"dance2"}
    assert [(each.camera, each.seek_s, each.speed, each.paused) for each in wishes[2:]] == [("dance2", None, 0.5, None)]


def test_later_wish_has_a_larger_number() -> None:
    """So that who asked first knows that it was obeyed, though another wish is told as the last."""
    stage, _ = relay("dance")
    numbers = [stage.answer_control({"ask": "play", "paused": True})["command_id"] for _ in range(5)]
    assert numbers == sorted(set(numbers))


def test_question_without_a_wish_tells_where_it_is_and_asks_nothing() -> None:
    stage, wishes = relay("dance")
    standing = {"state": "live", "position_s": 1.0, "length_s": 8.0, "speed": 1.0, "paused": False, "command_id": 0}
    assert stage.answer_control({"ask": "play"}) == {"playing": {"dance": standing}}
    assert wishes == []


def test_end_may_be_sought_as_it_is_told_to_people() -> None:
    stage, wishes = relay("dance")
    stage.answer_control({"ask": "play", "seek_s": 8.005})
    assert wishes[0].seek_s == 8.0


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"seek_s": 8.5}, "Position 8.5 s is outside 'dance'. Seek to 0 to 8.00 s"),
        ({"seek_s": -1}, "Position -1 s is outside 'dance'"),
        ({"seek_s": float("nan")}, "Position nan s is outside 'dance'"),
        ({"speed": 0}, "speed is a number from 0.01 to 100, got 0"),
        ({"speed": float("nan")}, "speed is a number from 0.01 to 100, got nan"),
        ({"paused": True, "camera": "front"}, "front: no recording to control. Start one: remi-stream play RECORDING"),
        ({"camera": "font"}, "Unknown camera 'font'. Did you mean 'front'?"),
        ({"at": 3}, "unknown field `at`; allowed: ask, seek_s, speed, paused, camera"),
    ],
)
def test_what_cannot_be_is_told_in_a_line_and_nobody_is_asked(question: dict[str, Any], words: str) -> None:
    stage, wishes = relay("dance", live=("front",))
    with pytest.raises(RemiError) as caught:
        stage.answer_control({"ask": "play", **question})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert wishes == []


def test_recording_that_has_not_begun_or_is_over_is_not_asked() -> None:
    stage, wishes = relay("over")
    tell(stage, "over", state="ended")
    with pytest.raises(RemiError, match="'over' has ended"):
        stage.answer_control({"ask": "play", "seek_s": 1})
    late = RelayStage(Config(cameras=(CameraConfig(name="late", source="recording:folder"),)))
    with pytest.raises(RemiError, match="'late' is not played yet"):
        late.answer_control({"ask": "play", "paused": True})
    assert late.answer_control({"ask": "play"}) == {"playing": {}}
    assert wishes == []


def test_pipeline_without_a_recording_says_so() -> None:
    stage, _ = relay(live=("left", "right"))
    with pytest.raises(RemiError, match="left, right: no recording"):
        stage.answer_control({"ask": "play"})
