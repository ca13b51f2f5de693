"""The latency of each hop as a stacked bar with a legend."""

from __future__ import annotations

from html import escape

from remi_stream.sinks.views.hops import VIEWER_HOP, HopMedians
from remi_stream.sinks.web.words import format_number, panel_box, square_mark

HOP_LABELS = {
    "capture": ("wait", "#8a919c"),
    "replay": ("wait", "#8a919c"),
    "remi_source": ("wait", "#8a919c"),
    "pose_in": ("to pose", "#5b9be6"),
    "pose": ("pose", "#3fb6b0"),
    "relay_in": ("to relay", "#9b7ede"),
    "relay": ("filter", "#e4b64c"),
    VIEWER_HOP: ("to here", "#f08a5d"),
}
"""Label and colour of each hop. "wait" is for a free pose engine: capture stamps a frame when it is requested."""
OTHER_HOP_COLOUR = "#be968a"
"""Colour of hops of plug-ins."""


def hop_waterfall(medians: HopMedians) -> str:
    """HTML of a bar with each hop's median latency, ms, and its legend."""
    if not medians:
        return panel_box('<span class="dim">no bodies, no latency</span>', "remi-hops")
    named = [(*HOP_LABELS.get(hop, (escape(hop), OTHER_HOP_COLOUR)), median_ms) for hop, median_ms in medians]
    bar = "".join(f'<div style="flex:{median_ms:.1f};background:{colour}"></div>' for _, colour, median_ms in named)
    legend = "".join(
        f"<div>{square_mark(colour)}<span>{name}</span><span>{format_number(median_ms, 1)}</span></div>"
        for name, colour, median_ms in named
    )
    return panel_box(f'<div class="stack">{bar}</div><div class="legend">{legend}</div>', "remi-hops")
