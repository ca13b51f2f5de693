"""The latency of each hop as a stacked bar with a legend."""

from __future__ import annotations

from html import escape

from remi_stream.sinks.views.hops import HERE, Medians
from remi_stream.sinks.web.words import box, number, swatch

HOPS = {
    "capture": ("wait", "#8a919c"),
    "replay": ("wait", "#8a919c"),
    "remi_source": ("wait", "#8a919c"),
    "pose_in": ("to pose", "#5b9be6"),
    "pose": ("pose", "#3fb6b0"),
    "relay_in": ("to relay", "#9b7ede"),
    "relay": ("filter", "#e4b64c"),
    HERE: ("to here", "#f08a5d"),
}
"""Label and colour of each hop. "wait" is for a free pose engine: capture stamps a frame when it is requested."""
OTHER = "#be968a"
"""Colour of hops of plug-ins."""


def waterfall(medians: Medians) -> str:
    """HTML of a bar with each hop's median latency, ms, and its legend."""
    if not medians:
        return box('<span class="dim">no bodies, no latency</span>', "remi-hops")
    named = [(*HOPS.get(hop, (escape(hop), OTHER)), median_ms) for hop, median_ms in medians]
    bar = "".join(f'<div style="flex:{median_ms:.1f};background:{colour}"></div>' for _, colour, median_ms in named)
    legend = "".join(
        f"<div>{swatch(colour)}<span>{name}</span><span>{number(median_ms, 1)}</span></div>" for name, colour, median_ms in named
    )
    return box(f'<div class="stack">{bar}</div><div class="legend">{legend}</div>', "remi-hops")
