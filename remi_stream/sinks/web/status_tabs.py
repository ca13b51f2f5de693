"""Content of the tabs Live and State: list of people, state of cameras and stages, plots of rate and latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np
import viser
from viser import uplot

from remi_stream.body.known_bodies import known_body
from remi_stream.messages import CameraFacts, Health, Person
from remi_stream.render.colours import css_colour, track_colour
from remi_stream.sinks.live_view import RATE_WINDOW_S, CameraIncidents, HopMedians, RateHistory
from remi_stream.sinks.web import html
from remi_stream.sinks.web.html import (
    BAD,
    GOOD,
    PENDING,
    QUIET,
    count_noun,
    format_count,
    format_number,
    hop_waterfall,
    panel_box,
    panel_row,
    progress_bar,
    round_mark,
    square_mark,
)


class PersonRow(NamedTuple):
    """One row of the list."""

    track_id: int
    distance_m: float
    """From the camera; NaN where unknown."""
    score: float


def person_row(person: Person) -> PersonRow:
    """The row of a person, rounded: viser does not send unchanged HTML again."""
    return PersonRow(person.track_id, round(camera_distance_m(person), 1), round(person.score * 20) / 20)


def camera_distance_m(person: Person) -> float:
    """Distance of the pelvis, or of the mean joint, from the camera, m; NaN where unknown."""
    if person.smpl is not None:
        return float(np.linalg.norm(person.smpl.transl + known_body().rest_joints(person.smpl.betas)[0]))
    known = person.joints_m[np.isfinite(person.joints_m).all(1)]
    return float(np.linalg.norm(known.mean(0))) if len(known) else float("nan")


def people_html(rows: Sequence[PersonRow], none: str = "no one in view") -> str:
    """HTML of the list, with the colour of each track. none: what to show for an empty list."""
    return panel_box("".join(_person_line(row) for row in rows) or escape(none), "remi-people")


def _person_line(row: PersonRow) -> str:
    colour = css_colour(track_colour(row.track_id))
    right = '<span class="right">{}</span>'
    return panel_row(
        f"{square_mark(colour)}person {row.track_id}",
        right.format(f"{format_number(row.distance_m, 1)} m"),
        progress_bar(row.score, colour),
        right.format(format_number(row.score, 2)),
    )


# State of cameras and stages

STAGE_STATE_COLOURS = {"ready": GOOD, "starting": PENDING, "restarting": PENDING, "stopping": QUIET, "done": QUIET, "failed": BAD}
MAX_DROP_REASONS = 6


class CameraSummary(NamedTuple):
    """A camera's last facts and its incidents."""

    facts: CameraFacts
    incidents: CameraIncidents


class CameraRow(NamedTuple):
    """One row of the list of cameras."""

    name: str
    text: str
    """Its state in words."""
    is_away: bool
    """Whether it gives no images."""
    facts: CameraFacts | None
    """Its last status, if it has sent one."""


def cameras_html(rows: Sequence[CameraRow]) -> str:
    """HTML of each camera's state, size and frame rate."""
    return panel_box("".join(_camera(each) for each in rows), "remi-cameras")


def losses_html(summaries: Sequence[CameraSummary]) -> str:
    """HTML of each camera's dropped frames by reason, reconnects and restarts."""
    return panel_box("".join(_losses(each, len(summaries) > 1) for each in summaries), "remi-losses")


def stages_html(health: Mapping[str, Health], away: Mapping[str, str] | None = None) -> str:
    """HTML of each stage's state, restarts and reason of failure. away: the cameras that are away, with their state in words."""
    lines = [_stage(each, (away or {}).get(name.partition("/")[2], "")) for name, each in sorted(health.items())]
    return panel_box("".join(lines) or "no heartbeat received yet", "remi-stages")


def engine_html(health: Mapping[str, Health], engine: str) -> str:
    """HTML of engine, runtime and detector. engine: from the bodies, for pipelines without a pose stage."""
    pose, detect = (health[stage].facts if stage in health else {} for stage in ("pose", "detect"))
    names = {"engine": pose.get("engine") or engine, "runtime": pose.get("runtime", ""), "detector": detect.get("detector", "")}
    return panel_box("".join(panel_row(name, f"<b>{escape(value)}</b>") for name, value in names.items() if value), "remi-works")


def _camera(row: CameraRow) -> str:
    width, height = row.facts.size if row.facts else (0, 0)
    size = f"{width}&times;{height} {row.facts.fps:.0f} fps" if row.facts and width and not row.is_away else ""
    colour = PENDING if row.is_away else QUIET if row.text == "ended" else GOOD
    text = f'<span class="pending">{escape(row.text)}</span>' if row.is_away else escape(row.text)
    return (
        f'<div class="row cam"><span>{round_mark(colour)}<b>{escape(row.name)}</b> {text}</span>'
        f'<span class="dim">{size}</span></div>'
    )


def _losses(summary: CameraSummary, several: bool) -> str:
    name = f'<div class="head">{escape(summary.facts.camera)}</div>' if several else ""
    dropped = summary.incidents.dropped
    rows = [
        panel_row(f'<span class="dim">{escape(reason)}</span>', format_count(count))
        for reason, count in list(dropped.items())[:MAX_DROP_REASONS]
    ]
    total = panel_row("frames dropped", f"<b>{format_count(sum(dropped.values()))}</b>")
    reconnects = panel_row("reconnects", f"<b>{format_count(summary.incidents.reconnects)}</b>")
    restarts = (
        panel_row("camera restarts", f"<b>{format_count(summary.incidents.restarts)}</b>") if summary.incidents.restarts else ""
    )
    return name + total + "".join(rows) + reconnects + restarts


def _stage(health: Health, away: str) -> str:
    """away: the state of its camera, if that is away; a stage that waits for it is ready."""
    state = f" {away}" if away and health.state == "ready" else "" if health.state == "ready" else f" {health.state}"
    colour = PENDING if away and health.state == "ready" else STAGE_STATE_COLOURS[health.state]
    restarts = count_noun(health.restarts, "restart", "restarts") if health.restarts else ""
    reason = f'<div class="error">{escape(health.reason)}</div>' if health.reason else ""
    name = f"{round_mark(colour)}{escape(health.stage)}{escape(state)}"
    return f'<div class="row cam"><span>{name}</span><span>{restarts}</span></div>' + reason


# Plots

RATE_COLOUR, P50_COLOUR, P95_COLOUR = "#3fb6b0", "#5b9be6", "#f08a5d"
PLOT_PX = 70

AXIS_FROM_ZERO = {"min": {"pad": 0, "soft": 0, "mode": 1}, "max": {"pad": 0.15, "soft": 10, "mode": 2}}
"""uPlot's range setting: from 0 to at least 10."""


class RatePlots:
    """Body rate and latency over the last minute with their current values, and the latency of each hop."""

    def __init__(self, gui: viser.GuiApi) -> None:
        self._gui = gui
        self._rate_html = gui.add_html("")
        self._rate_plot = self._plot("bodies/s", RATE_COLOUR)
        self._latency_html = gui.add_html("")
        self._hops_html = gui.add_html("")
        self._latency_plot = self._plot("p50 ms", P50_COLOUR, "p95 ms", P95_COLOUR)

    def show(self, rates: RateHistory, medians: HopMedians) -> None:
        """Show the last minute, and the hops of the last seconds."""
        ago, fps, p50, p95 = rates.series()
        received = np.isfinite(p50)
        self._rate_plot.data = (ago, fps)
        self._latency_plot.data = (ago[received], p50[received], p95[received])
        now = rates.samples[-1]
        self._rate_html.content = html.large_numbers(("bodies/s", now.fps, RATE_COLOUR))
        self._latency_html.content = html.large_numbers(
            ("ms latency p50", now.p50_ms, P50_COLOUR), ("ms p95", now.p95_ms, P95_COLOUR)
        )
        self._hops_html.content = hop_waterfall(medians)

    def _plot(self, *lines: str) -> viser.GuiUplotHandle:
        """lines: label, colour, label, colour, ..."""
        labels, colours = lines[::2], lines[1::2]
        drawn = [uplot.Series(label=label, stroke=colour, width=2) for label, colour in zip(labels, colours)]
        return self._gui.add_uplot(
            tuple(np.zeros(1) for _ in range(len(drawn) + 1)),
            (uplot.Series(label="s"), *drawn),
            scales={"x": uplot.Scale(time=False, range=(-RATE_WINDOW_S, 0)), "y": uplot.Scale(range=AXIS_FROM_ZERO)},
            axes=(uplot.Axis(show=False), uplot.Axis(size=48)),
            legend=uplot.Legend(show=False),
            height=PLOT_PX,
            padding=(8, 10, 8, 0),
        )
