"""The SMPL poses of each person of a take."""

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
"""track_id, and whose body the poses are meant for: somebody whose engine changes has a track for each."""


class Track(NamedTuple):
    """One person as published. name: of files. times_s: (n,) float64, rising, s from the take's first frame; a pose for each."""

    name: str
    track_id: int
    body: str
    times_s: np.ndarray
    poses: Sequence[Smpl]


def tracks(take: Take, form: str) -> list[Track]:
    """Everybody with SMPL poses; none if nobody was seen. form: its name. Raises RemiError if it cannot be made of this take."""
    if take.images:
        raise RemiError(f"{take.name} is a folder of pictures, in which nobody moves: no {form}. Take obj, csv or npz")
    found, people, start_s = dict[Key, list[tuple[float, Smpl]]](), 0, 0.0
    for number, bodies in enumerate(take.frames):
        start_s = start_s if number else bodies.captured_at
        people += len(bodies.people)
        for person in bodies.people:
            if person.smpl is not None:
                _add(found.setdefault((person.track_id, person.smpl.body), []), bodies.captured_at - start_s, person.smpl)
    if people and not found:
        raise no_pose(take, form)
    return [_track(key, rows, list(found)) for key, rows in found.items()]


def no_pose(take: Take, form: str) -> RemiError:
    """What to say of a take with people and without a SMPL pose."""
    engine = take.frames[0].engine
    return RemiError(f"Nobody in {take.name} has a SMPL pose (engine {engine}), which {form} is made of. Take csv or npz")


def drawing(body: str) -> Retarget:
    """How poses for a body get onto one that is there: its own, or the open body if SMPL was not imported."""
    return Retarget(load_open_body(), load_open_body()) if body == "open" else onto_known_body(body)


def _add(rows: list[tuple[float, Smpl]], time_s: float, smpl: Smpl) -> None:
    if not rows or time_s > rows[-1][0]:
        rows.append((time_s, smpl))


def _track(key: Key, rows: list[tuple[float, Smpl]], keys: list[Key]) -> Track:
    track_id, body = key
    earlier = sum(other == track_id for other, _ in keys[: keys.index(key)])
    name = f"track-{track_id:06d}" + (f"-{earlier + 1}" if earlier else "")
    return Track(name, track_id, body, np.array([time_s for time_s, _ in rows]), [smpl for _, smpl in rows])
