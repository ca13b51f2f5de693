"""`remi-stream status`: shows the state of a running pipeline."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import deque
from types import TracebackType
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from remi_stream.cli.control import format_lag
from remi_stream.config import BUS_SERVICE, CONTROL_SERVICE, METRICS_SERVICE, Config, daemon_port
from remi_stream.log import configure_logging
from remi_stream.messages import Bodies, CameraFacts, Health, PlaybackStatus
from remi_stream.transport.link import LinkContext, Subscriber, send_control_request

MIN_WIDTH = 100
STATE_COLOURS = {"ready": "green", "live": "green", "failed": "red", "restarting": "yellow", "reconnecting": "yellow"}


def status(
    name: Annotated[str, typer.Option(help="Name of the daemon.")] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Show the state of a running pipeline: its stages and cameras."""
    answer = send_control_request(daemon_port(name, CONTROL_SERVICE), {"ask": "status"})
    if as_json:
        print(json.dumps(answer))
        return 0
    console = Console()
    console = console if console.is_terminal else Console(width=max(console.width, MIN_WIDTH))
    console.print(f"{answer['name']}: remi-stream {answer['version']}, {_engine_label(answer)}")
    console.print(stage_table(answer["stages"]), camera_table(answer["cameras"]), sep="\n")
    return 0


def _engine_label(answer: dict[str, Any]) -> str:
    """The engine, and the detector if there is a detection stage."""
    boxes = f" on {answer['detector']} boxes" if "detect" in answer["stages"] else ""
    return f"{answer['engine']}{boxes}"


def stage_table(found: dict[str, dict[str, Any]]) -> Table:
    """Table of the stages: process, state, restarts, CPU time and memory."""
    table = _table("stage", "state", "pid", "restarts", "cpu s", "memory MB")
    for name, health in sorted(found.items()):
        cells = (health["pid"], health["restarts"], f"{health['cpu_s']:.1f}", f"{health['memory_bytes'] / 1e6:.0f}")
        table.add_row(name, _state(health["state"]), *map(str, cells))
    return table


def camera_table(found: dict[str, dict[str, Any]]) -> Table:
    """Table of the cameras; the counts are those of the current epoch."""
    table = _table("camera", "state", "fps", "captured", "published", "dropped", "filter", "lag")
    for name, facts in sorted(found.items()):
        filter_cells = facts["filter"], format_lag(facts["filter_lag_s"])
        cells = (f"{facts['fps']:g}", facts["captured"], facts["published"], _drops(facts["dropped"]), *filter_cells)
        table.add_row(name, _state(facts["state"]) + _position(facts.get("playing")), *map(str, cells))
    return table


def _position(playing: dict[str, Any] | None) -> str:
    """Position of a recording that is played; "" for a camera."""
    if not playing:
        return ""
    return f"{', paused' if playing['paused'] else ''} at {playing['position_s']:.1f} of {playing['length_s']:.1f} s"


def _table(first: str, second: str, *numeric: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first)
    table.add_column(second)
    for name in numeric:
        table.add_column(name, justify="right", overflow="fold")
    return table


def _state(state: str) -> str:
    colour = STATE_COLOURS.get(state)
    return f"[{colour}]{state}[/{colour}]" if colour else state


def _drops(dropped: dict[str, int]) -> str:
    reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
    return f"{sum(dropped.values())} ({reasons})" if reasons else "0"


# Status of a pipeline in the foreground: a live line on a terminal, else a log line every few seconds.


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
