"""HTML of the state of cameras and stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from remi_stream.messages import CameraFacts, Health
from remi_stream.sinks.views.incidents import Incidents
from remi_stream.sinks.web.style import BAD, GOOD, PENDING, QUIET
from remi_stream.sinks.web.words import box, count, dot, row, times

CAMERA_STATES = {"live": GOOD, "starting": PENDING, "reconnecting": PENDING, "ended": QUIET}
STAGE_STATES = {"ready": GOOD, "starting": PENDING, "restarting": PENDING, "stopping": QUIET, "done": QUIET, "failed": BAD}
REASONS_SHOWN = 6


class Seen(NamedTuple):
    """A camera's last facts and its incidents."""

    facts: CameraFacts
    incidents: Incidents


def cameras(facts: Sequence[CameraFacts]) -> str:
    """HTML of each camera's state, size and frame rate."""
    return box("".join(_camera(each) for each in facts), "remi-cameras")


def losses(seen: Sequence[Seen]) -> str:
    """HTML of each camera's dropped frames by reason, reconnects and restarts."""
    return box("".join(_losses(each, len(seen) > 1) for each in seen), "remi-losses")


def stages(health: Mapping[str, Health]) -> str:
    """HTML of each stage's state, restarts and reason of failure."""
    return box("".join(_stage(each) for _, each in sorted(health.items())) or "no heartbeat received yet", "remi-stages")


def works(health: Mapping[str, Health], engine: str) -> str:
    """HTML of engine, runtime and detector. engine: from the bodies, for pipelines without a pose stage."""
    pose, detect = (health[stage].facts if stage in health else {} for stage in ("pose", "detect"))
    names = {"engine": pose.get("engine") or engine, "runtime": pose.get("runtime", ""), "detector": detect.get("detector", "")}
    return box("".join(row(name, f"<b>{escape(value)}</b>") for name, value in names.items() if value), "remi-works")


def _camera(facts: CameraFacts) -> str:
    width, height = facts.size
    size = f"{width}&times;{height} {facts.fps:.0f} fps" if width else ""
    return row(
        f"{dot(CAMERA_STATES[facts.state])}<b>{escape(facts.camera)}</b> {facts.state}", f'<span class="dim">{size}</span>'
    )


def _losses(seen: Seen, several: bool) -> str:
    name = f'<div class="head">{escape(seen.facts.camera)}</div>' if several else ""
    dropped = seen.incidents.dropped
    rows = [row(f'<span class="dim">{escape(why)}</span>', count(many)) for why, many in list(dropped.items())[:REASONS_SHOWN]]
    total = row("frames dropped", f"<b>{count(sum(dropped.values()))}</b>")
    reconnects = row("reconnects", f"<b>{count(seen.incidents.reconnects)}</b>")
    restarts = row("camera restarts", f"<b>{count(seen.incidents.restarts)}</b>") if seen.incidents.restarts else ""
    return name + total + "".join(rows) + reconnects + restarts


def _stage(health: Health) -> str:
    state = "" if health.state == "ready" else f" {health.state}"
    restarts = times(health.restarts, "restart", "restarts") if health.restarts else ""
    reason = f'<div class="error">{escape(health.reason)}</div>' if health.reason else ""
    return row(f"{dot(STAGE_STATES[health.state])}{escape(health.stage)}{state}", restarts) + reason
