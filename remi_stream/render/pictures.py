"""The frames of a take, each with the picture that it was seen in, as far as that is still there."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from remi_stream.formats.take import Take
from remi_stream.messages import Bodies, Frame
from remi_stream.offline.ahead import ahead
from remi_stream.offline.film import Film
from remi_stream.offline.footage import Footage, Selection
from remi_stream.offline.pictures import Pictures

DECODED_AHEAD = 4

log = logging.getLogger("remi_stream")


class Shot(NamedTuple):
    """A frame. picture: (H, W, 3) uint8 BGR, upright, or None."""

    picture: np.ndarray | None
    bodies: Bodies


def shots(take: Take) -> Iterator[Shot]:
    """Give each frame of a take once, in order. Raises RemiError if the film is there and cannot be read."""
    footage = footage_of(take)
    if footage is None:
        yield from (Shot(None, bodies) for bodies in take.frames)
        return
    footage.open()
    try:
        with contextlib.closing(ahead(footage.frames(0), DECODED_AHEAD)) as frames:
            yield from _paired(frames, take)
    finally:
        footage.close()


def footage_of(take: Take) -> Footage | None:
    """What the chain has read the take from, to be read again in the same way: frames have the same numbers then."""
    if take.source is None or not take.source.exists():
        return None
    if take.source.is_dir():
        return Pictures(take.source, take.name, None) if take.images else None
    return Film(take.source, take.name, Selection(), None)


def _paired(frames: Iterator[Frame], take: Take) -> Iterator[Shot]:
    """Each Bodies with the picture of its number."""
    newest: Frame | None = None
    told = False
    for bodies in take.frames:
        while newest is None or newest.frame_id < bodies.frame_id:
            following = next(frames, None)
            if following is None:
                break
            newest = following
        found = newest is not None and newest.frame_id == bodies.frame_id
        if not found and not told:
            log.warning("%s has no frame %d any more; what follows is drawn without it", take.source, bodies.frame_id)
            told = True
        yield Shot(newest.image if found and newest else None, bodies)
