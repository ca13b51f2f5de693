"""Colour palette of tracks."""

from __future__ import annotations

Rgb = tuple[int, int, int]

TRACK_COLOURS: tuple[Rgb, ...] = (
    (63, 176, 178),
    (240, 138, 93),
    (155, 126, 222),
    (228, 182, 76),
    (91, 155, 230),
    (228, 120, 170),
    (126, 190, 92),
    (190, 150, 130),
)
"""RGB, of medium lightness: visible on white and on black; neighbours differ in hue."""


def track_colour(track_id: int) -> Rgb:
    """The colour of a track; it depends on the id alone."""
    return TRACK_COLOURS[(track_id - 1) % len(TRACK_COLOURS)]


def css_colour(colour: Rgb) -> str:
    """A colour in CSS notation (#rrggbb)."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
