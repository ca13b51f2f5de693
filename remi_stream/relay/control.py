"""Control requests of a running pipeline and their replies, playback control included (docs/reference/protocol.md, Control)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from remi_stream import __version__
from remi_stream.config import Config
from remi_stream.config_rules import describe_error
from remi_stream.errors import RemiError, unknown_name_error
from remi_stream.measure.remi_metrics import RELAY_COLUMNS
from remi_stream.messages import MAX_PLAYBACK_SPEED, MIN_PLAYBACK_SPEED, CameraFacts, Health, PlaybackCommand, PlaybackStatus
from remi_stream.relay.filtering import CameraFilters
from remi_stream.sources import find_source

SEEK_TOLERANCE_S = 0.01
"""Tolerance of a seek beyond the end, s: the length is shown rounded to two decimals."""


class PlaybackControl:
    """Playback control. cameras: last status of each, with the id of its last command. publish: sends a command to its camera."""

    def __init__(self, config: Config, cameras: Mapping[str, CameraFacts], publish: Callable[[PlaybackCommand], None]) -> None:
        self._names = [camera.name for camera in config.cameras]
        self._recordings = [camera.name for camera in config.cameras if find_source(camera.source).has_playback]
        self._cameras, self._publish = cameras, publish

    def status(self, camera: str | None) -> dict[str, dict[str, Any]]:
        """Playback state of each recording, or of one camera; without those that have not started. Raises RemiError."""
        known = {name: self._cameras[name] for name in self._of(camera) if name in self._cameras}
        return {name: _state(facts, facts.playing) for name, facts in known.items() if facts.playing}

    def send_command(self, camera: str | None, seek_s: float | None, speed: float | None, paused: bool | None) -> int:
        """Send a command to each recording, or to one camera; return its id. Raises RemiError before sending any."""
        if speed is not None and not MIN_PLAYBACK_SPEED <= speed <= MAX_PLAYBACK_SPEED:
            raise RemiError(
                f"A recording's speed is a number from {MIN_PLAYBACK_SPEED:g} to {MAX_PLAYBACK_SPEED:g}, got {speed:g}"
            )
        number = time.monotonic_ns()  # increasing, also over restarts of the relay: a client waits for `command_id` >= its id
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
            raise RemiError(f"{name!r} is not played yet. Try again in a moment")
        if facts.state == "ended":
            raise RemiError(f"{name!r} has ended. Play it again; with --loop it goes on")
        length_s = facts.playing.length_s
        if seek_s is not None and not 0 <= seek_s <= length_s + SEEK_TOLERANCE_S:
            raise RemiError(f"Position {seek_s:g} s is outside {name!r}. Seek to 0 to {length_s:.2f} s")
        return None if seek_s is None else min(seek_s, length_s)


def _state(facts: CameraFacts, playing: PlaybackStatus) -> dict[str, Any]:
    return {"state": facts.state, **msgspec.to_builtins(playing)}


Q = TypeVar("Q", bound="ControlRequest")


class ControlRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of control requests; an unknown field is an error that names the field."""

    ask: str
    """Name of the request."""


class FilterRequest(ControlRequest, frozen=True, kw_only=True):
    """Query or change the filter."""

    name: str | None = None
    """Filter to change to; None: query only."""
    options: dict[str, float] = {}
    camera: str | None = None
    """None: all cameras."""


class FilterMetricsRequest(ControlRequest, frozen=True, kw_only=True):
    """Query REMI's metrics of the filters."""

    camera: str | None = None
    """None: all cameras."""


class RecordRequest(ControlRequest, frozen=True, kw_only=True):
    """Start or stop recording."""

    on: bool = True


class PlaybackRequest(ControlRequest, frozen=True, kw_only=True):
    """Query or control the playback of recordings; None leaves a value unchanged."""

    seek_s: float | None = None
    """Position, s from the first frame."""
    speed: float | None = None
    paused: bool | None = None
    camera: str | None = None
    """None: all recordings."""


class ControlHandler:
    """Answers control requests from the relay's state: cameras, health by stage.

    facts: the relay's, which sinks read from its heartbeat. publish: sends a command to a played recording.
    """

    def __init__(
        self, config: Config, smoothing: CameraFilters, facts: dict[str, str], publish: Callable[[PlaybackCommand], None]
    ) -> None:
        self.cameras: dict[str, CameraFacts] = {}
        self.health: dict[str, Health] = {}
        self._config, self._smoothing, self._facts = config, smoothing, facts
        self._playback = PlaybackControl(config, self.cameras, publish)
        self._answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "status": self._status,
            "filter": self._filter,
            "filter_metrics": self._metrics,
            "record": self._record,
            "play": self._play,
        }

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request. Raises RemiError."""
        ask = request.get("ask")
        if not isinstance(ask, str) or ask not in self._answers:
            raise RemiError(f"Control: unknown request {ask!r}; allowed: {', '.join(self._answers)}")
        return self._answers[ask](request)

    def _status(self, fields: dict[str, Any]) -> dict[str, Any]:
        parse_control_request(fields, ControlRequest)
        return {
            "version": __version__,
            "name": self._config.name,
            "engine": self._config.engine_names,
            "engines": self._config.body_sources,
            "detector": self._config.detector,
            "cameras": {name: msgspec.to_builtins(facts) for name, facts in self.cameras.items()},
            "filters": self._smoothing.status(),
            "stages": {name: msgspec.to_builtins(health) for name, health in self.health.items()},
        }

    def _filter(self, fields: dict[str, Any]) -> dict[str, Any]:
        request = parse_control_request(fields, FilterRequest)
        if request.name is not None:
            self._smoothing.select_filter(request.name, request.options, request.camera)
        elif request.options:
            raise RemiError("Control: options of a filter without its `name`")
        return {"filters": self._smoothing.status(request.camera)}

    def _metrics(self, fields: dict[str, Any]) -> dict[str, Any]:
        camera = parse_control_request(fields, FilterMetricsRequest).camera
        return {"columns": list(RELAY_COLUMNS[1:]), "rows": self._smoothing.remi_metrics(camera, time.monotonic())}

    def _record(self, fields: dict[str, Any]) -> dict[str, Any]:
        self._facts["record"] = "on" if parse_control_request(fields, RecordRequest).on else "off"
        return {"record": self._facts["record"]}

    def _play(self, fields: dict[str, Any]) -> dict[str, Any]:
        request = parse_control_request(fields, PlaybackRequest)
        values = (request.seek_s, request.speed, request.paused)
        command = {} if values == (None, None, None) else {"command_id": self._playback.send_command(request.camera, *values)}
        return {"playing": self._playback.status(request.camera), **command}


def parse_control_request(request: dict[str, Any], request_type: type[Q]) -> Q:
    """Validate a request as this type. Raises RemiError that names what is wrong."""
    try:
        return msgspec.convert(request, request_type)
    except msgspec.ValidationError as error:
        raise RemiError(f"Control: {request['ask']}: {describe_error(error, request, request_type)}") from None
