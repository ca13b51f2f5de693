"""The list of who is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from remi_stream.body.retarget import known_body
from remi_stream.messages import Person
from remi_stream.sinks.views.palette import colour_of, css
from remi_stream.sinks.web.words import box, groove, number, row, swatch


class Somebody(NamedTuple):
    """One line of the list. distance_m: from the camera, NaN where it is not known."""

    track_id: int
    distance_m: float
    score: float


def somebody(person: Person) -> Somebody:
    """The line of a person, rounded as it is shown: what did not change is not sent again."""
    return Somebody(person.track_id, round(distance_m(person), 1), round(person.score * 20) / 20)


def distance_m(person: Person) -> float:
    """How far the pelvis, or the middle of the joints, is from the camera."""
    if person.smpl is not None:
        return float(np.linalg.norm(person.smpl.transl + known_body().rest_joints(person.smpl.betas)[0]))
    known = person.joints_m[np.isfinite(person.joints_m).all(1)]
    return float(np.linalg.norm(known.mean(0))) if len(known) else float("nan")


def people(shown: Sequence[Somebody]) -> str:
    """A line each, with the colour of their body."""
    return box("".join(_line(each) for each in shown) or "nobody there", "remi-people")


def _line(each: Somebody) -> str:
    colour = css(colour_of(each.track_id))
    right = '<span class="right">{}</span>'
    return row(
        f"{swatch(colour)}person {each.track_id}",
        right.format(f"{number(each.distance_m, 1)} m"),
        groove(each.score, colour),
        right.format(number(each.score, 2)),
    )
