"""Recordings that are played: where each stands, and what it is asked to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from remi_stream.capture.source import kind_of
from remi_stream.capture.tempo import FASTEST, SLOWEST
from remi_stream.config import Config
from remi_stream.errors import RemiError, unknown
from remi_stream.messages import CameraFacts, Playing, Wish

ROUNDED_S = 0.01
"""Somebody who seeks the end as it is told to people may be so far behind it."""


class Playback:
    """cameras: the last facts of each; there, who was asked tells that they have obeyed. publish: sends a wish to its camera."""

    def __init__(self, config: Config, cameras: Mapping[str, CameraFacts], publish: Callable[[Wish], None]) -> None:
        self._names = [camera.name for camera in config.cameras]
        self._recordings = [camera.name for camera in config.cameras if kind_of(camera.source) == "recording"]
        self._cameras, self._publish = cameras, publish

    def told(self, camera: str | None) -> dict[str, dict[str, Any]]:
        """Where each recording stands, or the one of a camera; nothing of one that has not begun. Raises RemiError."""
        known = {name: self._cameras[name] for name in self._of(camera) if name in self._cameras}
        return {name: _told(facts, facts.playing) for name, facts in known.items() if facts.playing}

    def wish(self, camera: str | None, seek_s: float | None, speed: float | None, paused: bool | None) -> int:
        """Ask each recording, or that of a camera, for a change; give the number of the wish. Raises RemiError, and asks none."""
        if speed is not None and not SLOWEST <= speed <= FASTEST:
            raise RemiError(f"A recording's speed is a number from {SLOWEST:g} to {FASTEST:g}, got {speed:g}")
        number = time.monotonic_ns()  # grows, so that who asked knows that a later wish was obeyed, too
        wishes = [
            Wish(camera=name, id=number, seek_s=self._place(name, seek_s), speed=speed, paused=paused)
            for name in self._of(camera)
        ]
        for each in wishes:
            self._publish(each)
        return number

    def _of(self, camera: str | None) -> list[str]:
        if camera is not None and camera not in self._names:
            raise unknown("camera", camera, self._names)
        found = [name for name in self._recordings if camera in (None, name)]
        if not found:
            raise RemiError(
                f"{camera or ', '.join(self._names)}: no recording. What can be steered is: remi-stream play RECORDING"
            )
        return found

    def _place(self, name: str, seek_s: float | None) -> float | None:
        """Where a recording goes on, s from its first frame. Raises RemiError if it cannot be steered now, or is shorter."""
        facts = self._cameras.get(name)
        if facts is None or facts.playing is None:
            raise RemiError(f"{name!r} is not played yet. Ask again in a moment")
        if facts.state == "ended":
            raise RemiError(f"{name!r} has ended. Play it again; with --loop it goes on")
        length_s = facts.playing.length_s
        if seek_s is not None and not 0 <= seek_s <= length_s + ROUNDED_S:
            raise RemiError(f"There is no second {seek_s:g} in {name!r}. Seek one from 0 to {length_s:.2f}")
        return None if seek_s is None else min(seek_s, length_s)


def _told(facts: CameraFacts, playing: Playing) -> dict[str, Any]:
    return {"state": facts.state, **msgspec.to_builtins(playing)}
