"""What a running pipeline tells its terminal: one line that is renewed, or a line every few seconds."""

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

from remi_stream.config import BUS, CONTROL, METRICS, Config
from remi_stream.link import Context, Subscriber
from remi_stream.log import start_log
from remi_stream.messages import Bodies, CameraFacts, Health, Playing

WINDOW_S = 3.0
PLAIN_EVERY_S = 5.0

log = logging.getLogger("remi_stream")


class StatusLine:
    """Listens to the bus and tells bodies a second, latency, people and the state of the stages."""

    def __init__(self, config: Config, style: str, fancy: bool) -> None:
        self._config, self._style = config, style
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if fancy else None
        self._context = Context()
        self._bus = Subscriber(self._context, config.port(BUS), ["bodies/", "camera/"])
        self._playing: dict[str, Playing | None] = {}
        self._seen: dict[str, deque[tuple[float, float, int]]] = {}
        self._told_at = time.monotonic()
        self._shown_at = 0.0
        self._said_first = False

    def __enter__(self) -> StatusLine:
        if self._live:
            self._live.start()
        start_log("remi", self._style, write=self.log)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live:
            self._live.stop()
        start_log("remi", self._style)
        self._context.close()

    def log(self, line: str) -> None:
        """Pass a stage's log line on."""
        if self._live:
            self._console.print(Text(line, overflow="fold"))
        else:
            print(line, file=sys.stderr, flush=True)

    def tick(self, stages: list[Health]) -> None:
        """Take in what came over the bus; renew the line four times a second, or tell one every five."""
        while (item := self._bus.read(0)) is not None:
            self._take(item[1])
        now = time.monotonic()
        if self._live and now - self._shown_at > 0.25:
            self._shown_at = now
            self._live.update(self._line(stages, now), refresh=True)
        elif not self._live and self._said_first and now - self._told_at >= PLAIN_EVERY_S:
            self._told_at = now
            self._tell(now)

    def _take(self, message: Bodies | CameraFacts) -> None:
        if isinstance(message, Bodies):
            self._count(message)
        else:
            self._playing[message.camera] = message.playing

    def _count(self, bodies: Bodies) -> None:
        if not self._said_first:
            self._said_first = True
            self._told_at = time.monotonic()
            self._greet()
        seen = self._seen.setdefault(bodies.camera, deque(maxlen=1000))
        seen.append((time.monotonic(), bodies.stamps["relay"] - bodies.captured_at, len(bodies.people)))

    def _greet(self) -> None:
        ports = self._config.port
        host = self._config.metrics_bind or "127.0.0.1"
        page = f"http://{f'[{host}]' if ':' in host else host}:{ports(METRICS)}/metrics"
        metrics = f", metrics {page}" if self._config.metrics else ""
        log.info("bodies on tcp://127.0.0.1:%d, control on %d%s", ports(BUS), ports(CONTROL), metrics)

    def _figures(self, camera: str, now: float) -> dict[str, Any] | None:
        recent = [entry for entry in self._seen[camera] if now - entry[0] <= WINDOW_S]
        if not recent:
            return None
        latency = np.array([entry[1] for entry in recent]) * 1000
        p50, p95 = np.percentile(latency, [50, 95])
        return {
            "camera": camera,
            "bodies_per_second": round(len(recent) / WINDOW_S, 1),
            "latency_p50_ms": round(float(p50), 1),
            "latency_p95_ms": round(float(p95), 1),
            "people": recent[-1][2],
        }

    def _silence(self, camera: str) -> str:
        """What is said of a camera without bodies."""
        playing = self._playing.get(camera)
        paused = playing and playing.paused and f"paused at {playing.position_s:.1f} of {playing.length_s:.1f} s"
        return f"{camera}: {paused or 'no bodies'}"

    def _tell(self, now: float) -> None:
        for camera in self._seen:
            figures = self._figures(camera, now)
            if self._style == "json":
                fields = {"time": time.time(), "level": "info", "stage": "remi", "message": "status", "camera": camera}
                print(json.dumps({**fields, **(figures or {})}), file=sys.stderr, flush=True)
            else:
                log.info("%s", _words(figures) if figures else self._silence(camera))

    def _line(self, stages: list[Health], now: float) -> Text:
        text = Text(" remi-stream ", style="bold reverse")
        for camera in self._seen:
            figures = self._figures(camera, now)
            text.append("  " + (_words(figures) if figures else self._silence(camera)), style="" if figures else "yellow")
        for health in stages:
            if health.state != "ready":
                text.append(f"  {health.stage} {health.state}", style="red" if health.state == "failed" else "yellow")
        restarts = sum(health.restarts for health in stages)
        if restarts:
            text.append(f"  {restarts} restarts", style="yellow")
        return text


def _words(figures: dict[str, Any]) -> str:
    people = figures["people"]
    return (
        f"{figures['camera']}: {figures['bodies_per_second']:.0f} bodies/s, latency p50 {figures['latency_p50_ms']:.0f} ms "
        f"p95 {figures['latency_p95_ms']:.0f} ms, {people} {'person' if people == 1 else 'people'}"
    )
