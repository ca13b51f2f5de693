"""The panel's own HTML: its CSS, building blocks, and the bar of hop latencies. Callers escape text that comes from outside."""

from __future__ import annotations

import math
from html import escape

from remi_stream.messages import Bodies, Frame
from remi_stream.sinks.live_view import VIEWER_HOP, HopMedians

GOOD, PENDING, BAD, QUIET = "#3fa34d", "#d99a1c", "#cc333f", "#8a919c"

STYLE = """<style>
:root[data-mantine-color-scheme=dark]{--mantine-color-dimmed:#b4bac4!important;--remi-groove:#3a3d42;--remi-error:#ff9d92;--remi-pending:#f0b95a}
:root[data-mantine-color-scheme=light]{--mantine-color-dimmed:#565d66!important;--remi-groove:#dfe3e8;--remi-error:#b3261e;--remi-pending:#8a5a00}
.remi{padding:0 .75em .5em;font-size:.8rem;line-height:1.5;color:var(--mantine-color-text);font-variant-numeric:tabular-nums}
.remi b{font-weight:600}
.remi i{display:inline-block;width:.65em;height:.65em;border-radius:50%;margin-right:.35em}
.remi s{display:inline-block;width:.65em;height:.65em;border-radius:.15em;margin-right:.35em}
.remi .big{font-size:1.2rem;font-weight:600}
.remi .row{display:flex;gap:.6em;align-items:center;white-space:nowrap}
.remi .row>:first-child{flex:1 1 auto;overflow:hidden;text-overflow:ellipsis}
.remi .cam{white-space:normal;align-items:baseline}
.remi .cam>:first-child{overflow-wrap:anywhere}
.remi .cam>:last-child{white-space:nowrap}
.remi .pending{color:var(--remi-pending)}
.remi .right{text-align:right;min-width:3.4em}
.remi .groove{width:3.6em;height:.4em;border-radius:.2em;background:var(--remi-groove);overflow:hidden}
.remi .groove>div{height:100%}
.remi .stack{display:flex;height:.8em;border-radius:.2em;overflow:hidden;gap:1px;margin:.2em 0 .35em}
.remi .legend{display:grid;grid-template-columns:1fr 1fr 1fr;column-gap:.6em;font-size:.75rem}
.remi .legend>div{display:flex;white-space:nowrap;align-items:center}
.remi .legend>div>:last-child{margin-left:auto;padding-left:.3em}
.remi .head{margin-top:.35em;font-weight:600}
.remi .dim{color:var(--mantine-color-dimmed)}
.remi .wrap{overflow-wrap:anywhere}
.remi .error{color:var(--remi-error);overflow-wrap:anywhere}
.remi .scale{height:.5em;border-radius:.25em;margin:.1em 0}
.mantine-Flex-root:has(.mantine-Select-root)>div:first-child{width:5em!important}
[role=tablist] button{padding:.5em .62em!important}
[role=tablist]{flex-wrap:nowrap!important}
[role=tab][aria-selected=true]{color:var(--mantine-color-text)!important}
@media (max-width:36em){.mantine-Paper-root[style*="position: fixed"]{width:100%!important;max-height:45%!important}
.mantine-Paper-root[style*="position: fixed"] div[style="width: 20em;"]{width:100%!important}
.mantine-Paper-root[style*="position: fixed"] .remi{padding-bottom:.3em}
.uplot-container{display:none!important}img{max-height:7.5em!important}
[role=tablist] button{padding:.5em .4em!important}.remi .legend{grid-template-columns:1fr 1fr}.remi .groove{width:2em}}
</style>"""
"""Text colours are the theme's, to be readable in dark and light.

Overrides the theme's grey, whose contrast is too low, and makes room for long names of cameras.
On phones the panel is as wide as the screen and less than half as high, and the plots are hidden.
"""


def panel_box(content: str, css_class: str = "") -> str:
    """A box of the panel with a CSS class."""
    return f'<div class="remi {css_class}">{content}</div>'


def panel_row(*cells: str) -> str:
    """A row of cells; the first takes the remaining width and is truncated."""
    return '<div class="row">' + "".join(f"<span>{cell}</span>" for cell in cells) + "</div>"


def round_mark(colour: str) -> str:
    """A round mark."""
    return f'<i style="background:{colour}"></i>'


def square_mark(colour: str) -> str:
    """A square mark."""
    return f'<s style="background:{colour}"></s>'


def progress_bar(share: float, colour: str) -> str:
    """A progress bar, filled to share (0 to 1)."""
    percent = 100 * min(1.0, max(0.0, share)) if math.isfinite(share) else 0.0
    return f'<div class="groove"><div style="width:{percent:.0f}%;background:{colour}"></div></div>'


def large_numbers(*shown: tuple[str, float, str]) -> str:
    """Large numbers with name and colour of their line in the plot: (name, value, colour)."""
    cells = "".join(
        f'<span style="margin-right:1.2em">{round_mark(colour)}<span class="big">{format_number(value)}</span> {name}</span>'
        for name, value, colour in shown
    )
    return f'<div class="remi" style="padding-bottom:0">{cells}</div>'


def preview_caption(preview: Frame, bodies: Bodies | None) -> str:
    """The caption of a preview; it says when it is shown without bodies."""
    return f"{preview.camera}, frame {preview.frame_id}" + ("" if bodies else " (no bodies)")


def format_number(value: float, decimals: int = 0) -> str:
    """A number, or a dash if it is not finite."""
    return f"{value:.{decimals}f}" if math.isfinite(value) else "&ndash;"


def format_count(value: int) -> str:
    """An integer with narrow spaces between thousands."""
    return f"{value:,}".replace(",", "&#8239;")


def count_noun(number: int, singular: str, plural: str) -> str:
    """A count with its noun in singular or plural."""
    return f"{format_count(number)} {singular if number == 1 else plural}"


# The bar of hop latencies

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
