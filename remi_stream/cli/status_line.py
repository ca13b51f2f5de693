"""Status of a pipeline in the foreground: live lines on a terminal, else a log line every few seconds; totals at the end."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import Counter, deque
from types import TracebackType
from typing import Any

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.text import Text

from remi_stream.config import METRICS_SERVICE, Config
from remi_stream.log import configure_logging
from remi_stream.messages import Bodies, CameraFacts, Health
from remi_stream.sinks.live_view import CameraPresence, count_text, duration_text
from remi_stream.transport.address import daemon_address
from remi_stream.transport.link import LinkContext, Subscriber

RATE_WINDOW_S = 3.0
"""Rate and latency are averaged over this time."""
MAX_MESSAGES_PER_TICK = 1000
"""Messages read between two ticks of the supervisor, which must never wait for the bus."""
LOG_INTERVAL_S = 5.0
"""Between two status lines in a log."""
REDRAW_INTERVAL_S = 0.25
"""Between two redraws of the live lines."""
MIN_NAME_WIDTH = 12
"""Columns that a camera's name keeps in a narrow terminal."""

log = logging.getLogger("remi_stream")


class CameraRates:
    """Rate, latency and state of one camera. Times are monotonic seconds."""

    def __init__(self, camera: str, now: float) -> None:
        self.presence = CameraPresence(now)
        self._camera = camera
        self._facts: CameraFacts | None = None
        self._received: deque[tuple[float, float, int]] = deque(maxlen=1000)  # more than RATE_WINDOW_S of any camera
        """The last bodies: time of arrival, latency (both s), number of people."""

    def add(self, message: Bodies | CameraFacts, now: float) -> None:
        """Update with a message that arrived now."""
        if isinstance(message, CameraFacts):
            self._facts = message
            self.presence.update(message, now)
            return
        self.presence.mark_image(now)
        self._received.append((now, latency_s(message), len(message.people)))

    def statistics(self, now: float) -> dict[str, Any] | None:
        """Bodies per second, latency and people; None without recent bodies."""
        recent = [entry for entry in self._received if now - entry[0] <= RATE_WINDOW_S]
        if not recent or self.presence.is_away(now):
            return None
        p50, p95 = np.percentile([entry[1] * 1000 for entry in recent], [50, 95])
        return {
            "camera": self._camera,
            "bodies_per_second": round(len(recent) / RATE_WINDOW_S, 1),
            "latency_p50_ms": round(float(p50), 1),
            "latency_p95_ms": round(float(p95), 1),
            "people": recent[-1][2],
        }

    def idle_text(self, now: float) -> str:
        """Why there are no bodies."""
        playing = self._facts.playing if self._facts else None
        if playing and playing.paused:
            return f"paused at {playing.position_s:.1f} of {playing.length_s:.1f} s"
        state = self.presence.text(now)
        return "live, no bodies" if state == "live" else state


class RunTotals:
    """What a run did from its start to its end."""

    def __init__(self, now: float) -> None:
        self._started_at = now
        self._first_at = self._last_at = 0.0
        self._captured: dict[tuple[str, int], int] = {}
        self._people: set[tuple[str, int]] = set()
        self._latencies_ms: Counter[int] = Counter()
        """Bodies by latency: few values, however long the run."""

    def add(self, message: Bodies | CameraFacts, now: float) -> None:
        """Count a message that arrived now."""
        if isinstance(message, CameraFacts):
            self._captured[message.camera, message.epoch] = message.captured
            return
        self._first_at, self._last_at = self._first_at or now, now
        self._captured[message.camera, message.epoch] = max(
            message.frame_id + 1, self._captured.get((message.camera, message.epoch), 0)
        )
        self._people.update((message.camera, person.track_id) for person in message.people)
        self._latencies_ms[round(latency_s(message) * 1000)] += 1

    def text(self, now: float, record: str | None) -> str:
        """The totals in one line; "" if there was not one frame. record: folder of the recordings."""
        frames, bodies = sum(self._captured.values()), self._latencies_ms.total()
        if not frames:
            return ""
        rate = (bodies - 1) / (self._last_at - self._first_at) if bodies > 1 and self._last_at > self._first_at else 0.0
        at = np.repeat(list(self._latencies_ms), list(self._latencies_ms.values()))
        parts = [f"{count_text(frames, 'frame')}, bodies of {bodies}"]
        if bodies:
            parts += [f"mean {rate:.1f} per second", f"latency p95 {np.percentile(at, 95):.0f} ms"]
        parts.append(count_text(len(self._people), "person", "people"))
        recorded = f"; recordings: remi-stream recordings {record}" if record else ""
        return f"ran {duration_text(now - self._started_at)}: {', '.join(parts)}{recorded}"


def latency_s(bodies: Bodies) -> float:
    """Time from capture to the relay, s."""
    return bodies.stamps.get("relay", bodies.captured_at) - bodies.captured_at


class StatusLine:
    """Subscribes to the bus and shows bodies per second, latency, people and the state of cameras and stages."""

    def __init__(self, config: Config, style: str, live: bool) -> None:
        now = time.monotonic()
        self._config, self._style = config, style
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if live else None
        self._context = LinkContext()
        self._daemon = daemon_address(config.name)
        self._bus = Subscriber(self._context, self._daemon, ["bodies/", "camera/"], config.camera_names)
        self._cameras = {camera.name: CameraRates(camera.name, now) for camera in config.cameras}
        self._totals = RunTotals(now)
        self._logged_at = now
        self._drawn_at = 0.0
        self._has_messages = self._has_bodies = False

    @property
    def has_camera(self) -> bool:
        """Whether a camera has sent a message."""
        return self._has_messages

    def __enter__(self) -> StatusLine:
        if self._live:
            self._live.start()
        configure_logging("remi", self._style, write=self.log)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live:
            self._live.stop()
        configure_logging("remi", self._style)
        if totals := self._totals.text(time.monotonic(), self._config.record):
            log.info("%s", totals)
        self._context.close()

    def log(self, line: str) -> None:
        """Print a stage's log line, above the live lines."""
        if self._live:
            self._console.print(Text(line, overflow="fold"))
        else:
            print(line, file=sys.stderr, flush=True)

    def tick(self, stages: list[Health]) -> None:
        """Read the bus; redraw the live lines four times a second, or log a line per camera every `LOG_INTERVAL_S`."""
        for _ in range(MAX_MESSAGES_PER_TICK):
            if (item := self._bus.receive(0)) is None:
                break
            self._handle(item[1])
        now = time.monotonic()
        if self._live and now - self._drawn_at > REDRAW_INTERVAL_S:
            self._drawn_at = now
            self._live.update(self._text(stages, now), refresh=True)
        elif not self._live and self._has_messages and now - self._logged_at >= LOG_INTERVAL_S:
            self._logged_at = now
            self._log_status(now)

    def _handle(self, message: Bodies | CameraFacts) -> None:
        now = time.monotonic()
        if not self._has_messages:
            self._has_messages, self._logged_at = True, now
        if isinstance(message, Bodies) and not self._has_bodies:
            self._has_bodies = True
            self._log_addresses()
        if message.camera in self._cameras:
            self._cameras[message.camera].add(message, now)
            self._totals.add(message, now)

    def _log_addresses(self) -> None:
        host = self._config.metrics_bind or "127.0.0.1"
        page = f"http://{f'[{host}]' if ':' in host else host}:{self._config.port(METRICS_SERVICE)}/metrics"
        metrics = f", metrics {page}" if self._config.metrics else ""
        log.info("bodies on %s%s", self._daemon.bus, metrics)

    def _log_status(self, now: float) -> None:
        for name, camera in self._cameras.items():
            statistics = camera.statistics(now)
            if self._style == "json":
                fields = {"time": time.time(), "level": "info", "stage": "remi", "message": "status", "camera": name}
                fields["state"] = camera.presence.text(now)
                print(json.dumps({**fields, **(statistics or {})}), file=sys.stderr, flush=True)
            else:
                log.info("%s: %s", name, format_statistics(statistics) if statistics else camera.idle_text(now))

    def _text(self, stages: list[Health], now: float) -> Text:
        """The live lines: the stages that are not ready, then a line for each camera that fits the terminal's width."""
        text = Text(" remi-stream ", style="bold reverse", no_wrap=True, overflow="ellipsis")
        restarts = sum(health.restarts for health in stages)
        if restarts:
            text.append(f"  {count_text(restarts, 'restart')}", style="not bold not reverse yellow")
        processes: dict[str, str] = {}
        for health in stages:
            stage, _, camera = health.stage.partition("/")
            if camera:
                processes[camera] = health.state
            elif health.state != "ready":
                colour = "red" if health.state == "failed" else "yellow"
                text.append(f"  {stage} {health.state}", style=f"not bold not reverse {colour}")
        for line, colour in camera_lines(self._cameras, processes, self._console.width, now):
            text.append(f"\n{line}", style=f"not bold not reverse {colour}".strip())
        return text


def camera_lines(cameras: dict[str, CameraRates], processes: dict[str, str], width: int, now: float) -> list[tuple[str, str]]:
    """A line and its colour for each camera, in columns; names that are too long for the width lose their middle.

    processes: state of each camera's process.
    """
    rows = []
    for name, camera in cameras.items():
        statistics, process = camera.statistics(now), processes.get(name)
        if process in ("restarting", "failed"):
            rows.append((name, f"its process: {process}", "red" if process == "failed" else "yellow"))
            continue
        rows.append((name, short_statistics(statistics) if statistics else camera.idle_text(now), "" if statistics else "yellow"))
    room = max(MIN_NAME_WIDTH, width - 2 - max(len(text) for _, text, _ in rows))
    longest = min(room, max(len(name) for name, _, _ in rows))
    return [(f"{shorten(name, longest):<{longest}}  {text}"[:width], colour) for name, text, colour in rows]


def shorten(name: str, width: int) -> str:
    """A name without its middle, if it is longer than the width."""
    kept = width - 1
    return name if len(name) <= width else f"{name[: kept - kept // 2]}…{name[-(kept // 2) :]}"


def format_statistics(statistics: dict[str, Any]) -> str:
    """Rate, latency and people of a camera."""
    p50, p95 = statistics["latency_p50_ms"], statistics["latency_p95_ms"]
    people = count_text(statistics["people"], "person", "people")
    return f"{statistics['bodies_per_second']:.0f} bodies/s, latency p50 {p50:.0f} ms p95 {p95:.0f} ms, {people}"


def short_statistics(statistics: dict[str, Any]) -> str:
    """The same in 37 columns, so that a name of 40 letters has room beside it in a terminal of 80."""
    p50, p95 = statistics["latency_p50_ms"], statistics["latency_p95_ms"]
    people = count_text(statistics["people"], "person", "people")
    return f"{statistics['bodies_per_second']:.0f} bodies/s, {p50:.0f} ms (p95 {p95:.0f}), {people}"
