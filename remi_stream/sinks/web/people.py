"""The list of tracked people with distance and score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from remi_stream.body.retarget import known_body
from remi_stream.messages import Person
from remi_stream.sinks.views.palette import css_colour, track_colour
from remi_stream.sinks.web.words import format_number, panel_box, panel_row, progress_bar, square_mark


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


def people_html(rows: Sequence[PersonRow]) -> str:
    """HTML of the list, with the colour of each track."""
    return panel_box("".join(_line(each) for each in rows) or "no one in view", "remi-people")


def _line(each: PersonRow) -> str:
    colour = css_colour(track_colour(each.track_id))
    right = '<span class="right">{}</span>'
    return panel_row(
        f"{square_mark(colour)}person {each.track_id}",
        right.format(f"{format_number(each.distance_m, 1)} m"),
        progress_bar(each.score, colour),
        right.format(format_number(each.score, 2)),
    )
