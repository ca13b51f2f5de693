"""Building blocks of the panel's HTML. Callers escape text that comes from outside."""

from __future__ import annotations

import math

from remi_stream.messages import Bodies, Frame


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
