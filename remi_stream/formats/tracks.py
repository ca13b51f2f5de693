"""SMPL tracks of a take: the poses of each person over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from remi_stream.body.retarget import Retarget, onto_known_body
from remi_stream.body.smpl import load_open_body
from remi_stream.errors import RemiError
from remi_stream.formats.take import Take
from remi_stream.messages import Smpl

Key = tuple[int, str]
"""track_id, and the body model of the poses: after a change of engine a person has one track per body."""


class Track(NamedTuple):
    """SMPL poses of one person, as published."""

    name: str
    """Stem of exported files."""
    track_id: int
    body: str
    """The body model: "open" or "smpl"."""
    times_s: np.ndarray
    """(n,) float64, rising, s from the take's first frame."""
    poses: Sequence[Smpl]
    """One per time."""


def tracks(take: Take, form: str) -> list[Track]:
    """Return the tracks of all people with SMPL poses. form: name of the export format. Raises RemiError if there are none."""
    if take.images:
        raise RemiError(f"{take.name} is a folder of images, which has no motion: no {form}. Use obj, csv or npz")
    rows, people, start_s = dict[Key, list[tuple[float, Smpl]]](), 0, 0.0
    for number, bodies in enumerate(take.frames):
        start_s = start_s if number else bodies.captured_at
        people += len(bodies.people)
        for person in bodies.people:
            if person.smpl is not None:
                _add(rows.setdefault((person.track_id, person.smpl.body), []), bodies.captured_at - start_s, person.smpl)
    if people and not rows:
        raise no_pose(take, form)
    return [_track(key, track_rows, list(rows)) for key, track_rows in rows.items()]


def no_pose(take: Take, form: str) -> RemiError:
    """Return the error for a take with people but without SMPL poses."""
    engine = take.frames[0].engine
    return RemiError(f"No one in {take.name} has a SMPL pose (engine {engine}), which {form} needs. Use csv or npz")


def drawing(body: str) -> Retarget:
    """Return the retarget from a body to an available one: its own, or the open body if SMPL was not imported."""
    return Retarget(load_open_body(), load_open_body()) if body == "open" else onto_known_body(body)


def _add(rows: list[tuple[float, Smpl]], time_s: float, smpl: Smpl) -> None:
    if not rows or time_s > rows[-1][0]:
        rows.append((time_s, smpl))


def _track(key: Key, rows: list[tuple[float, Smpl]], keys: list[Key]) -> Track:
    track_id, body = key
    earlier = sum(other == track_id for other, _ in keys[: keys.index(key)])
    name = f"track-{track_id:06d}" + (f"-{earlier + 1}" if earlier else "")
    return Track(name, track_id, body, np.array([time_s for time_s, _ in rows]), [smpl for _, smpl in rows])
