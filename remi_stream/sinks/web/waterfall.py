"""The hops of the latency, as a bar."""

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
"""The names of hops for people, and their colours. "wait" is for the pose engine to be free: capture stamps when it is asked."""
OTHER = "#be968a"


def waterfall(medians: Medians) -> str:
    """Each hop as long as it took, ms; what each is stands below."""
    if not medians:
        return box('<span class="dim">no bodies, no latency</span>', "remi-hops")
    named = [(*HOPS.get(hop, (escape(hop), OTHER)), took_ms) for hop, took_ms in medians]
    bar = "".join(f'<div style="flex:{took_ms:.1f};background:{colour}"></div>' for _, colour, took_ms in named)
    legend = "".join(
        f"<div>{swatch(colour)}<span>{name}</span><span>{number(took_ms, 1)}</span></div>" for name, colour, took_ms in named
    )
    return box(f'<div class="stack">{bar}</div><div class="legend">{legend}</div>', "remi-hops")
