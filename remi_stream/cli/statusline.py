"""Status of a pipeline in the foreground: a live line on a terminal, else a log line every few seconds."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import deque
from types import TracebackType
from typing import Any

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.text import Text

from remi_stream.config import BUS_SERVICE, CONTROL_SERVICE, METRICS_SERVICE, Config
from remi_stream.link import LinkContext, Subscriber
from remi_stream.log import configure_logging
from remi_stream.messages import Bodies, CameraFacts, Health, PlaybackStatus

RATE_WINDOW_S = 3.0
"""Rate and latency are averaged over this time."""
LOG_INTERVAL_S = 5.0
"""Between two status lines in a log."""

log = logging.getLogger("remi_stream")


class StatusLine:
    """Subscribes to the bus and shows bodies per second, latency, people and the state of the stages."""

    def __init__(self, config: Config, style: str, live: bool) -> None:
        self._config, self._style = config, style
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if live else None
        self._context = LinkContext()
        self._bus = Subscriber(self._context, config.port(BUS_SERVICE), ["bodies/", "camera/"])
        self._playing: dict[str, PlaybackStatus | None] = {}
        self._seen: dict[str, deque[tuple[float, float, int]]] = {}
        self._logged_at = time.monotonic()
        self._drawn_at = 0.0
        self._greeted = False

    def __enter__(self) -> StatusLine:
        if self._live:
            self._live.start()
        configure_logging("remi", self._style, write=self.log)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live:
            self._live.stop()
        configure_logging("remi", self._style)
        self._context.close()

    def log(self, line: str) -> None:
        """Print a stage's log line, above the live line."""
        if self._live:
            self._console.print(Text(line, overflow="fold"))
        else:
            print(line, file=sys.stderr, flush=True)

    def tick(self, stages: list[Health]) -> None:
        """Read the bus; redraw the live line four times a second, or log a line every `LOG_INTERVAL_S`."""
        while (item := self._bus.receive(0)) is not None:
            self._handle(item[1])
        now = time.monotonic()
        if self._live and now - self._drawn_at > 0.25:
            self._drawn_at = now
            self._live.update(self._line(stages, now), refresh=True)
        elif not self._live and self._greeted and now - self._logged_at >= LOG_INTERVAL_S:
            self._logged_at = now
            self._log_status(now)

    def _handle(self, message: Bodies | CameraFacts) -> None:
        if isinstance(message, Bodies):
            self._count(message)
        else:
            self._playing[message.camera] = message.playing

    def _count(self, bodies: Bodies) -> None:
        if not self._greeted:
            self._greeted = True
            self._logged_at = time.monotonic()
            self._log_addresses()
        seen = self._seen.setdefault(bodies.camera, deque(maxlen=1000))
        seen.append((time.monotonic(), bodies.stamps["relay"] - bodies.captured_at, len(bodies.people)))

    def _log_addresses(self) -> None:
        ports = self._config.port
        host = self._config.metrics_bind or "127.0.0.1"
        page = f"http://{f'[{host}]' if ':' in host else host}:{ports(METRICS_SERVICE)}/metrics"
        metrics = f", metrics {page}" if self._config.metrics else ""
        log.info("bodies on tcp://127.0.0.1:%d, control on %d%s", ports(BUS_SERVICE), ports(CONTROL_SERVICE), metrics)

    def _statistics(self, camera: str, now: float) -> dict[str, Any] | None:
        recent = [entry for entry in self._seen[camera] if now - entry[0] <= RATE_WINDOW_S]
        if not recent:
            return None
        latency = np.array([entry[1] for entry in recent]) * 1000
        p50, p95 = np.percentile(latency, [50, 95])
        return {
            "camera": camera,
            "bodies_per_second": round(len(recent) / RATE_WINDOW_S, 1),
            "latency_p50_ms": round(float(p50), 1),
            "latency_p95_ms": round(float(p95), 1),
            "people": recent[-1][2],
        }

    def _idle_text(self, camera: str) -> str:
        """Text for a camera without recent bodies."""
        playing = self._playing.get(camera)
        paused = playing and playing.paused and f"paused at {playing.position_s:.1f} of {playing.length_s:.1f} s"
        return f"{camera}: {paused or 'no bodies'}"

    def _log_status(self, now: float) -> None:
        for camera in self._seen:
            statistics = self._statistics(camera, now)
            if self._style == "json":
                fields = {"time": time.time(), "level": "info", "stage": "remi", "message": "status", "camera": camera}
                print(json.dumps({**fields, **(statistics or {})}), file=sys.stderr, flush=True)
            else:
                log.info("%s", _format(statistics) if statistics else self._idle_text(camera))

    def _line(self, stages: list[Health], now: float) -> Text:
        text = Text(" remi-stream ", style="bold reverse")
        for camera in self._seen:
            statistics = self._statistics(camera, now)
            text.append(
                "  " + (_format(statistics) if statistics else self._idle_text(camera)), style="" if statistics else "yellow"
            )
        for health in stages:
            if health.state != "ready":
                text.append(f"  {health.stage} {health.state}", style="red" if health.state == "failed" else "yellow")
        restarts = sum(health.restarts for health in stages)
        if restarts:
            text.append(f"  {restarts} restarts", style="yellow")
        return text


def _format(statistics: dict[str, Any]) -> str:
    people, p50, p95 = (statistics[name] for name in ("people", "latency_p50_ms", "latency_p95_ms"))
    return (
        f"{statistics['camera']}: {statistics['bodies_per_second']:.0f} bodies/s, latency p50 {p50:.0f} ms "
        f"p95 {p95:.0f} ms, {people} {'person' if people == 1 else 'people'}"
    )
