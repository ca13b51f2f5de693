"""Small pieces of the panel's HTML. What comes from outside is escaped where it is put in."""

from __future__ import annotations

import math

from remi_stream.messages import Bodies, Frame


def box(content: str, name: str = "") -> str:
    """A part of the panel; name: for who looks for it in the page."""
    return f'<div class="remi {name}">{content}</div>'


def row(*cells: str) -> str:
    """Cells in a line; the first one takes what is left, and is cut where it has no room."""
    return '<div class="row">' + "".join(f"<span>{cell}</span>" for cell in cells) + "</div>"


def dot(colour: str) -> str:
    """A round mark."""
    return f'<i style="background:{colour}"></i>'


def swatch(colour: str) -> str:
    """A square mark."""
    return f'<s style="background:{colour}"></s>'


def groove(share: float, colour: str) -> str:
    """A small bar, filled so far."""
    percent = 100 * min(1.0, max(0.0, share)) if math.isfinite(share) else 0.0
    return f'<div class="groove"><div style="width:{percent:.0f}%;background:{colour}"></div></div>'


def figures(*shown: tuple[str, float, str]) -> str:
    """Numbers, large, with their names and the colours of their lines in the plot below: (name, value, colour)."""
    cells = "".join(
        f'<span style="margin-right:1.2em">{dot(colour)}<span class="big">{number(value)}</span> {name}</span>'
        for name, value, colour in shown
    )
    return f'<div class="remi" style="padding-bottom:0">{cells}</div>'


def caption(picture: Frame, bodies: Bodies | None) -> str:
    """What the picture is, and whether the skeletons on it are those of the same frame."""
    return f"{picture.camera}, frame {picture.frame_id}" + ("" if bodies else " (no bodies)")


def number(value: float, decimals: int = 0) -> str:
    """A number, or a dash for what is not known."""
    return f"{value:.{decimals}f}" if math.isfinite(value) else "&ndash;"


def count(value: int) -> str:
    """A whole number with its thousands apart."""
    return f"{value:,}".replace(",", "&#8239;")


def times(many: int, one: str, more: str) -> str:
    """So many of something."""
    return f"{count(many)} {one if many == 1 else more}"
