"""Playback control of played recordings: status, seek, speed, pause."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from remi_stream.capture.source import source_kind
from remi_stream.capture.tempo import MAX_SPEED, MIN_SPEED
from remi_stream.config import Config
from remi_stream.errors import RemiError, unknown_name_error
from remi_stream.messages import CameraFacts, PlaybackCommand, PlaybackStatus

SEEK_TOLERANCE_S = 0.01
"""Tolerance of a seek beyond the end, s: the length is shown rounded to two decimals."""


class PlaybackControl:
    """Playback control. cameras: last status of each, with the id of its last command. publish: sends a command to its camera."""

    def __init__(self, config: Config, cameras: Mapping[str, CameraFacts], publish: Callable[[PlaybackCommand], None]) -> None:
        self._names = [camera.name for camera in config.cameras]
        self._recordings = [camera.name for camera in config.cameras if source_kind(camera.source) == "recording"]
        self._cameras, self._publish = cameras, publish

    def status(self, camera: str | None) -> dict[str, dict[str, Any]]:
        """Playback state of each recording, or of one camera's; none for one that has not started. Raises RemiError."""
        known = {name: self._cameras[name] for name in self._of(camera) if name in self._cameras}
        return {name: _state(facts, facts.playing) for name, facts in known.items() if facts.playing}

    def send_command(self, camera: str | None, seek_s: float | None, speed: float | None, paused: bool | None) -> int:
        """Send a command to each recording, or to one camera's; return its id. Raises RemiError before sending any."""
        if speed is not None and not MIN_SPEED <= speed <= MAX_SPEED:
            raise RemiError(f"A recording's speed is a number from {MIN_SPEED:g} to {MAX_SPEED:g}, got {speed:g}")
        number = time.monotonic_ns()  # increasing, so that a client sees that a later command was executed, too
        commands = [
            PlaybackCommand(camera=name, id=number, seek_s=self._check_seek(name, seek_s), speed=speed, paused=paused)
            for name in self._of(camera)
        ]
        for command in commands:
            self._publish(command)
        return number

    def _of(self, camera: str | None) -> list[str]:
        if camera is not None and camera not in self._names:
            raise unknown_name_error("camera", camera, self._names)
        found = [name for name in self._recordings if camera in (None, name)]
        if not found:
            raise RemiError(f"{camera or ', '.join(self._names)}: no recording to control. Start one: remi-stream play RECORDING")
        return found

    def _check_seek(self, name: str, seek_s: float | None) -> float | None:
        """Validate a seek position, s from the first frame. Raises RemiError outside the recording, or if it is not playing."""
        facts = self._cameras.get(name)
        if facts is None or facts.playing is None:
            raise RemiError(f"{name!r} is not played yet. Ask again in a moment")
        if facts.state == "ended":
            raise RemiError(f"{name!r} has ended. Play it again; with --loop it goes on")
        length_s = facts.playing.length_s
        if seek_s is not None and not 0 <= seek_s <= length_s + SEEK_TOLERANCE_S:
            raise RemiError(f"Position {seek_s:g} s is outside {name!r}. Seek to 0 to {length_s:.2f} s")
        return None if seek_s is None else min(seek_s, length_s)


def _state(facts: CameraFacts, playing: PlaybackStatus) -> dict[str, Any]:
    return {"state": facts.state, **msgspec.to_builtins(playing)}
