"""What a running pipeline may be asked, and what it answers (docs/protocol.md)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from remi_stream import __version__
from remi_stream.config import Config
from remi_stream.errors import RemiError
from remi_stream.measure.relay_program import COLUMNS
from remi_stream.messages import CameraFacts, Health, Wish
from remi_stream.relay.playback import Playback
from remi_stream.relay.smoothing import Smoothing

Q = TypeVar("Q", bound="Question")


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every question has; a field that it does not know is an error that names the field."""

    ask: str


class AskFilter(Question, frozen=True, kw_only=True):
    """name: of the filter that is wanted; None: which one is on? camera: None: all."""

    name: str | None = None
    options: dict[str, float] = {}
    camera: str | None = None


class AskMetrics(Question, frozen=True, kw_only=True):
    """camera: None: all."""

    camera: str | None = None


class AskRecord(Question, frozen=True, kw_only=True):
    """on: whether to record."""

    on: bool = True


class AskPlay(Question, frozen=True, kw_only=True):
    """seek_s, speed, paused: what a recording is to do, None: as before; none of them: where does it stand? camera: None: all."""

    seek_s: float | None = None
    speed: float | None = None
    paused: bool | None = None
    camera: str | None = None


class Control:
    """Answers from what the relay knows: cameras, health by stage.

    facts: what the relay tells the other stages. publish: sends a wish to a recording that is played.
    """

    def __init__(self, config: Config, smoothing: Smoothing, facts: dict[str, str], publish: Callable[[Wish], None]) -> None:
        self.cameras: dict[str, CameraFacts] = {}
        self.health: dict[str, Health] = {}
        self._config, self._smoothing, self._facts = config, smoothing, facts
        self._playback = Playback(config, self.cameras, publish)
        self._answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "status": self._status,
            "filter": self._filter,
            "filter_metrics": self._metrics,
            "record": self._record,
            "play": self._play,
        }

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Answer one question. Raises RemiError."""
        ask = question.get("ask")
        if not isinstance(ask, str) or ask not in self._answers:
            raise RemiError(f"Control: unknown question {ask!r}; allowed: {', '.join(self._answers)}")
        return self._answers[ask](question)

    def _status(self, question: dict[str, Any]) -> dict[str, Any]:
        read(question, Question)
        return {
            "version": __version__,
            "name": self._config.name,
            "engine": self._config.engine_names,
            "engines": self._config.makers,
            "detector": self._config.detector,
            "cameras": {name: msgspec.to_builtins(facts) for name, facts in self.cameras.items()},
            "filters": self._smoothing.told(),
            "stages": {name: msgspec.to_builtins(health) for name, health in self.health.items()},
        }

    def _filter(self, question: dict[str, Any]) -> dict[str, Any]:
        asked = read(question, AskFilter)
        if asked.name is not None:
            self._smoothing.change(asked.name, asked.options, asked.camera)
        elif asked.options:
            raise RemiError("Control: options of a filter without its `name`")
        return {"filters": self._smoothing.told(asked.camera)}

    def _metrics(self, question: dict[str, Any]) -> dict[str, Any]:
        camera = read(question, AskMetrics).camera
        return {"columns": list(COLUMNS[1:]), "rows": self._smoothing.metrics(camera, time.monotonic())}

    def _record(self, question: dict[str, Any]) -> dict[str, Any]:
        self._facts["record"] = "on" if read(question, AskRecord).on else "off"
        return {"record": self._facts["record"]}

    def _play(self, question: dict[str, Any]) -> dict[str, Any]:
        asked = read(question, AskPlay)
        wanted = (asked.seek_s, asked.speed, asked.paused)
        wish = {} if wanted == (None, None, None) else {"wish": self._playback.wish(asked.camera, *wanted)}
        return {"playing": self._playback.told(asked.camera), **wish}


def read(question: dict[str, Any], kind: type[Q]) -> Q:
    """The question as one of this kind. Raises RemiError that names what is wrong."""
    try:
        return msgspec.convert(question, kind)
    except msgspec.ValidationError as error:
        allowed = ", ".join(kind.__struct_fields__)
        raise RemiError(f"Control: {question['ask']}: {error}; allowed: {allowed}") from None
