"""HTML of the state of cameras and stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from remi_stream.messages import CameraFacts, Health
from remi_stream.sinks.views.incidents import CameraIncidents
from remi_stream.sinks.web.style import BAD, GOOD, PENDING, QUIET
from remi_stream.sinks.web.words import count_noun, format_count, panel_box, panel_row, round_mark

CAMERA_STATE_COLOURS = {"live": GOOD, "starting": PENDING, "reconnecting": PENDING, "ended": QUIET}
STAGE_STATE_COLOURS = {"ready": GOOD, "starting": PENDING, "restarting": PENDING, "stopping": QUIET, "done": QUIET, "failed": BAD}
MAX_DROP_REASONS = 6


class CameraSummary(NamedTuple):
    """A camera's last facts and its incidents."""

    facts: CameraFacts
    incidents: CameraIncidents


def cameras_html(facts: Sequence[CameraFacts]) -> str:
    """HTML of each camera's state, size and frame rate."""
    return panel_box("".join(_camera(each) for each in facts), "remi-cameras")


def losses_html(summaries: Sequence[CameraSummary]) -> str:
    """HTML of each camera's dropped frames by reason, reconnects and restarts."""
    return panel_box("".join(_losses(each, len(summaries) > 1) for each in summaries), "remi-losses")


def stages_html(health: Mapping[str, Health]) -> str:
    """HTML of each stage's state, restarts and reason of failure."""
    return panel_box("".join(_stage(each) for _, each in sorted(health.items())) or "no heartbeat received yet", "remi-stages")


def engine_html(health: Mapping[str, Health], engine: str) -> str:
    """HTML of engine, runtime and detector. engine: from the bodies, for pipelines without a pose stage."""
    pose, detect = (health[stage].facts if stage in health else {} for stage in ("pose", "detect"))
    names = {"engine": pose.get("engine") or engine, "runtime": pose.get("runtime", ""), "detector": detect.get("detector", "")}
    return panel_box("".join(panel_row(name, f"<b>{escape(value)}</b>") for name, value in names.items() if value), "remi-works")


def _camera(facts: CameraFacts) -> str:
    width, height = facts.size
    size = f"{width}&times;{height} {facts.fps:.0f} fps" if width else ""
    return panel_row(
        f"{round_mark(CAMERA_STATE_COLOURS[facts.state])}<b>{escape(facts.camera)}</b> {facts.state}",
        f'<span class="dim">{size}</span>',
    )


def _losses(seen: CameraSummary, several: bool) -> str:
    name = f'<div class="head">{escape(seen.facts.camera)}</div>' if several else ""
    dropped = seen.incidents.dropped
    rows = [
        panel_row(f'<span class="dim">{escape(why)}</span>', format_count(many))
        for why, many in list(dropped.items())[:MAX_DROP_REASONS]
    ]
    total = panel_row("frames dropped", f"<b>{format_count(sum(dropped.values()))}</b>")
    reconnects = panel_row("reconnects", f"<b>{format_count(seen.incidents.reconnects)}</b>")
    restarts = panel_row("camera restarts", f"<b>{format_count(seen.incidents.restarts)}</b>") if seen.incidents.restarts else ""
    return name + total + "".join(rows) + reconnects + restarts


def _stage(health: Health) -> str:
    state = "" if health.state == "ready" else f" {health.state}"
    restarts = count_noun(health.restarts, "restart", "restarts") if health.restarts else ""
    reason = f'<div class="error">{escape(health.reason)}</div>' if health.reason else ""
    return panel_row(f"{round_mark(STAGE_STATE_COLOURS[health.state])}{escape(health.stage)}{state}", restarts) + reason
