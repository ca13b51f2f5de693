"""Runs a pipeline in the foreground and shows its status: a live line on a terminal, else a log line every few seconds."""

from __future__ import annotations

import enum
import json
import logging
import re
import sys
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import numpy as np
from rich.console import Console
from rich.live import Live
from rich.text import Text

from remi_stream import config as configuration
from remi_stream.cli.options import LogFormat
from remi_stream.config import METRICS_SERVICE, Config
from remi_stream.errors import RemiError
from remi_stream.log import configure_logging
from remi_stream.messages import Bodies, CameraFacts, Health, PlaybackStatus
from remi_stream.redaction import redact
from remi_stream.sinks.web.access import read_viewer_link, shown_link
from remi_stream.transport.address import daemon_address
from remi_stream.transport.link import LinkContext, Subscriber

RATE_WINDOW_S = 3.0
"""Rate and latency are averaged over this time."""
MAX_MESSAGES_PER_TICK = 1000
"""Messages read between two ticks of the supervisor, which must never wait for the bus."""
LOG_INTERVAL_S = 5.0
"""Between two status lines in a log."""

log = logging.getLogger("remi_stream")


def run_source(options: dict[str, Any], camera: dict[str, Any]) -> int:
    """Build the configuration of a command's options and camera, and run the pipeline."""
    values = {key: value.value if isinstance(value, enum.Enum) else value for key, value in options.items()}
    log_format, frames = options["log_format"], values.pop("frames")
    values["duration_s"] = values.pop("duration")
    values["viewer_hosts"] = values.pop("viewer_host", None) or []
    return run_pipeline(
        configuration.parse_config({**values, "log_format": "text", "cameras": [{**camera, "frames": frames}]}), log_format
    )


def camera_name(file: Path) -> str:
    """Camera name of a file: its stem, with letters that a name may not have replaced."""
    kept = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_.-") else "-" for letter in file.stem)
    return re.sub(r"\.{2,}", ".", kept).lstrip(".-")[:40] or "video"


def run_pipeline(config: Config, log_format: LogFormat = LogFormat.auto) -> int:
    """Run a pipeline in the foreground; return the exit code."""
    from remi_stream.cli.ready import prepare_pipeline
    from remi_stream.paths import run_folder
    from remi_stream.process.supervisor import Supervisor
    from remi_stream.process.systemd import SystemdNotifier

    style = "json" if log_format is LogFormat.json else "text"
    config = msgspec.structs.replace(config, log_format=style)
    manager = SystemdNotifier()
    configure_logging("remi", style)
    prepare_pipeline(config)
    live_line = log_format is LogFormat.auto and sys.stderr.isatty()
    with run_folder(config.name) as folder, StatusLine(config, style, live_line) as line:
        link_printer = LinkPrinter(
            folder.path if config.viewer == "web" else None,
            line.log if live_line else partial(print, flush=True),
            private=live_line or sys.stdout.isatty(),
        )

        def tick(stages: list[Health]) -> None:
            line.tick(stages)
            link_printer.tick()
            manager.notify(stages, supervisor.is_ready, supervisor.is_stopping, time.monotonic())

        supervisor = Supervisor(config, folder, on_log=lambda text: line.log(_redacted(text)), on_tick=tick)
        code = supervisor.run()
    if supervisor.reason:  # raised after the live line is cleared, so that it is the last line
        raise _failure(code, supervisor.reason)
    return code


def _redacted(line: str) -> str:
    """A stage's log line with credentials masked: C libraries write there too. A line of JSON was masked when it was made."""
    return line if line.startswith("{") else redact(line)


def _failure(code: int, reason: str) -> RemiError:
    error = RemiError(reason)
    error.exit_code = code
    return error


class StatusLine:
    """Subscribes to the bus and shows bodies per second, latency, people and the state of the stages."""

    def __init__(self, config: Config, style: str, live: bool) -> None:
        self._config, self._style = config, style
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if live else None
        self._context = LinkContext()
        self._daemon = daemon_address(config.name)
        self._bus = Subscriber(self._context, self._daemon, ["bodies/", "camera/"], config.camera_names)
        self._playing: dict[str, PlaybackStatus | None] = {}
        self._received: dict[str, deque[tuple[float, float, int]]] = {}
        """Of each camera the last bodies: time of arrival, latency (both s), number of people."""
        self._logged_at = time.monotonic()
        self._drawn_at = 0.0
        self._has_bodies = False

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
        for _ in range(MAX_MESSAGES_PER_TICK):
            if (item := self._bus.receive(0)) is None:
                break
            self._handle(item[1])
        now = time.monotonic()
        if self._live and now - self._drawn_at > 0.25:
            self._drawn_at = now
            self._live.update(self._line(stages, now), refresh=True)
        elif not self._live and self._has_bodies and now - self._logged_at >= LOG_INTERVAL_S:
            self._logged_at = now
            self._log_status(now)

    def _handle(self, message: Bodies | CameraFacts) -> None:
        if isinstance(message, Bodies):
            self._count(message)
        else:
            self._playing[message.camera] = message.playing

    def _count(self, bodies: Bodies) -> None:
        if not self._has_bodies:
            self._has_bodies = True
            self._logged_at = time.monotonic()
            self._log_addresses()
        # 1000 are more than RATE_WINDOW_S of any camera.
        received = self._received.setdefault(bodies.camera, deque(maxlen=1000))
        received.append((time.monotonic(), bodies.stamps["relay"] - bodies.captured_at, len(bodies.people)))

    def _log_addresses(self) -> None:
        host = self._config.metrics_bind or "127.0.0.1"
        page = f"http://{f'[{host}]' if ':' in host else host}:{self._config.port(METRICS_SERVICE)}/metrics"
        metrics = f", metrics {page}" if self._config.metrics else ""
        log.info("bodies on %s%s", self._daemon.bus, metrics)

    def _statistics(self, camera: str, now: float) -> dict[str, Any] | None:
        recent = [entry for entry in self._received[camera] if now - entry[0] <= RATE_WINDOW_S]
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
        for camera in self._received:
            statistics = self._statistics(camera, now)
            if self._style == "json":
                fields = {"time": time.time(), "level": "info", "stage": "remi", "message": "status", "camera": camera}
                print(json.dumps({**fields, **(statistics or {})}), file=sys.stderr, flush=True)
            else:
                log.info("%s", _format(statistics) if statistics else self._idle_text(camera))

    def _line(self, stages: list[Health], now: float) -> Text:
        text = Text(" remi-stream ", style="bold reverse")
        for camera in self._received:
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


class LinkPrinter:
    """Prints the viewer's link once it exists, with its token only to a terminal (private)."""

    def __init__(self, folder: Path | None, write: Callable[[str], object], private: bool) -> None:
        self._folder, self._write, self._private = folder, write, private

    def tick(self) -> None:
        """Print the link if the viewer is up; folder None: no viewer is expected."""
        link = read_viewer_link(self._folder) if self._folder else ""
        if self._folder and link:
            self._write(f"viewer {shown_link(link, self._folder, self._private)}")
            self._folder = None
