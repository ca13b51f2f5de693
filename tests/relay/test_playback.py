"""Playback requests to the relay, and the commands that it publishes."""

from __future__ import annotations

from typing import Any

import pytest

from remi_stream.config import CameraConfig, Config
from remi_stream.errors import RemiError
from remi_stream.messages import PlaybackCommand, PlaybackStatus
from remi_stream.relay.stage import RelayStage
from tests.sample import facts


def relay(*recordings: str, live: tuple[str, ...] = ()) -> tuple[RelayStage, list[PlaybackCommand]]:
    """A relay whose recordings are all at second 1 of 8, and the commands that it has published."""
    sources = {**dict.fromkeys(recordings, "recording:folder"), **dict.fromkeys(live, "synthetic:")}
    stage = RelayStage(Config(cameras=tuple(CameraConfig(name=name, source=source) for name, source in sources.items())))
    stage.open()
    commands: list[PlaybackCommand] = []
    stage.publish = commands.append
    for name in recordings:
        send_facts(stage, name)
    return stage, commands


def send_facts(stage: RelayStage, camera: str, **more: Any) -> None:
    stage.step(facts(camera=camera, playing=PlaybackStatus(position_s=1.0, length_s=8.0, speed=1.0, paused=False), **more))


def test_command_goes_to_every_recording_or_the_named_one() -> None:
    stage, commands = relay("dance", "dance2", live=("front",))
    answer = stage.answer_control({"ask": "play", "seek_s": 3, "paused": True})
    assert [(each.camera, each.id, each.seek_s, each.speed, each.paused) for each in commands] == [
        ("dance", answer["command_id"], 3.0, None, True),
        ("dance2", answer["command_id"], 3.0, None, True),
    ]
    assert stage.answer_control({"ask": "play", "speed": 0.5, "camera": "dance2"})["playing"].keys() == {"dance2"}
    assert [(each.camera, each.seek_s, each.speed, each.paused) for each in commands[2:]] == [("dance2", None, 0.5, None)]


def test_later_command_has_a_larger_id() -> None:
    """So that a client sees that its command was executed, even if another one was executed after it."""
    stage, _ = relay("dance")
    numbers = [stage.answer_control({"ask": "play", "paused": True})["command_id"] for _ in range(5)]
    assert numbers == sorted(set(numbers))


def test_request_without_a_command_returns_the_state_and_sends_nothing() -> None:
    stage, commands = relay("dance")
    standing = {"state": "live", "position_s": 1.0, "length_s": 8.0, "speed": 1.0, "paused": False, "command_id": 0}
    assert stage.answer_control({"ask": "play"}) == {"playing": {"dance": standing}}
    assert commands == []


def test_seek_to_the_rounded_length_is_allowed() -> None:
    stage, commands = relay("dance")
    stage.answer_control({"ask": "play", "seek_s": 8.005})
    assert commands[0].seek_s == 8.0


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"seek_s": 8.5}, "Position 8.5 s is outside 'dance'. Seek to 0 to 8.00 s"),
        ({"seek_s": -1}, "Position -1 s is outside 'dance'"),
        ({"seek_s": float("nan")}, "Position nan s is outside 'dance'"),
        ({"speed": 0}, "speed is a number from 0.01 to 100, got 0"),
        ({"speed": float("nan")}, "speed is a number from 0.01 to 100, got nan"),
        ({"paused": True, "camera": "front"}, "front: no recording to control. Start one: remi-stream play RECORDING"),
        ({"camera": "font"}, "Unknown camera 'font'. Did you mean 'front'?"),
        ({"at": 3}, "there is no key `at`. Keys: ask, seek_s, speed, paused, camera"),
    ],
)
def test_invalid_playback_request_is_refused_in_one_line_and_sends_nothing(fields: dict[str, Any], words: str) -> None:
    stage, commands = relay("dance", live=("front",))
    with pytest.raises(RemiError) as caught:
        stage.answer_control({"ask": "play", **fields})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert commands == []


def test_recording_that_has_not_started_or_has_ended_gets_no_command() -> None:
    stage, commands = relay("over")
    send_facts(stage, "over", state="ended")
    with pytest.raises(RemiError, match="'over' has ended"):
        stage.answer_control({"ask": "play", "seek_s": 1})
    late = RelayStage(Config(cameras=(CameraConfig(name="late", source="recording:folder"),)))
    with pytest.raises(RemiError, match="'late' is not played yet"):
        late.answer_control({"ask": "play", "paused": True})
    assert late.answer_control({"ask": "play"}) == {"playing": {}}
    assert commands == []


def test_pipeline_without_a_recording_says_so() -> None:
    stage, _ = relay(live=("left", "right"))
    with pytest.raises(RemiError, match="left, right: no recording"):
        stage.answer_control({"ask": "play"})
