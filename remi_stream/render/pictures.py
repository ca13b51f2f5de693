"""Pairs the frames of a take with their source images, as far as the video or folder still exists."""

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
    """A frame of a take with its source image."""

    picture: np.ndarray | None
    """(H, W, 3) uint8 BGR, upright; None if the source is missing."""
    bodies: Bodies


def shots(take: Take) -> Iterator[Shot]:
    """Iterate over the frames of a take with their images, in order. Raises RemiError if the video exists but is unreadable."""
    footage = footage_of(take)
    if footage is None:
        yield from (Shot(None, bodies) for bodies in take.frames)
        return
    footage.open()
    try:
        with contextlib.closing(ahead(footage.frames(0), DECODED_AHEAD)) as frames:
            yield from _pair_by_number(frames, take)
    finally:
        footage.close()


def footage_of(take: Take) -> Footage | None:
    """Open the source of a take with the reader that the offline run used, so that frame numbers agree; None if missing."""
    if take.source is None or not take.source.exists():
        return None
    if take.source.is_dir():
        return Pictures(take.source, take.name, None) if take.images else None
    return Film(take.source, take.name, Selection(), None)


def _pair_by_number(frames: Iterator[Frame], take: Take) -> Iterator[Shot]:
    """Pair each Bodies with the image of the same frame number."""
    newest: Frame | None = None
    warned = False
    for bodies in take.frames:
        while newest is None or newest.frame_id < bodies.frame_id:
            following = next(frames, None)
            if following is None:
                break
            newest = following
        exists = newest is not None and newest.frame_id == bodies.frame_id
        if not exists and not warned:
            log.warning("%s no longer has frame %d; missing frames are drawn without an image", take.source, bodies.frame_id)
            warned = True
        yield Shot(newest.image if exists and newest else None, bodies)
