"""What the panel says, as HTML. The colours of text are the theme's, so that it reads in the dark and in the light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from remi_stream.messages import Bodies, CameraFacts, Frame
from remi_stream.sinks.views.palette import colour_of, css

STATES = {"live": "#3fa34d", "starting": "#d99a1c", "reconnecting": "#d99a1c", "ended": "#8a919c"}
BOX = "padding:0 0.75em 0.5em;font-size:0.8rem;line-height:1.5;color:var(--mantine-color-text)"
STYLE = (
    "<style>:root[data-mantine-color-scheme=dark]{--mantine-color-dimmed:#b4bac4!important}"
    ":root[data-mantine-color-scheme=light]{--mantine-color-dimmed:#565d66!important}"
    "@media (max-width:36em){.uplot-container{display:none!important}img{max-height:7.5em!important}}</style>"
)
"""The theme's own grey is too close to the background to be read with ease, and a phone has no room for the plots."""
FIGURE = "font-size:1.2rem;font-weight:600;font-variant-numeric:tabular-nums"


def figures(*shown: tuple[str, float, str]) -> str:
    """Numbers, large, with their names and the colours of their lines in the plot below: (name, value, colour)."""
    cells = "".join(
        f'<span style="margin-right:1.2em">{_dot(colour)} <span style="{FIGURE}">{_number(value)}</span> {name}</span>'
        for name, value, colour in shown
    )
    return f'<div class="remi-figures" style="{BOX};padding-bottom:0">{cells}</div>'


def caption(picture: Frame, bodies: Bodies | None) -> str:
    """What the picture is, and whether the skeletons on it are those of the same frame."""
    return f"{picture.camera}, frame {picture.frame_id}" + ("" if bodies else " (no bodies)")


def people(track_ids: Sequence[int]) -> str:
    """Who is there, each with the colour of their body."""
    shown = (f"{_dot(css(colour_of(track)))}&thinsp;person {track}" for track in track_ids)
    found = " ".join(f'<span style="white-space:nowrap;margin-right:0.6em">{person}</span>' for person in shown)
    return f'<div class="remi-people" style="{BOX}">{found or "nobody there"}</div>'


def cameras(engine: str, facts: Sequence[CameraFacts]) -> str:
    """How each camera is, and which engine looks."""
    rows = "".join(_camera(each) for each in facts)
    return f'<div class="remi-cameras" style="{BOX}">{rows}engine {escape(engine or "-")}</div>'


def _camera(facts: CameraFacts) -> str:
    width, height = facts.size
    size = f"{width}&times;{height} {facts.fps:.0f} fps" if width else ""
    name = f"<b>{escape(facts.camera)}</b>"
    return f"<div>{_dot(STATES[facts.state])}&thinsp;{name} {facts.state} {size}</div>"


def _dot(colour: str) -> str:
    return f'<span style="display:inline-block;width:0.65em;height:0.65em;border-radius:50%;background:{colour}"></span>'


def _number(value: float) -> str:
    return "&ndash;" if math.isnan(value) else f"{value:.0f}"
