"""The colours people are drawn in."""

from __future__ import annotations

Rgb = tuple[int, int, int]

COLOURS: tuple[Rgb, ...] = (
    (63, 176, 178),
    (240, 138, 93),
    (155, 126, 222),
    (228, 182, 76),
    (91, 155, 230),
    (228, 120, 170),
    (126, 190, 92),
    (190, 150, 130),
)
"""Of middling lightness: they stand out from a white and from a black background, and neighbours differ in hue."""


def colour_of(track_id: int) -> Rgb:
    """The colour of a track, always the same."""
    return COLOURS[(track_id - 1) % len(COLOURS)]


def css(colour: Rgb) -> str:
    """A colour as a style sheet wants it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
