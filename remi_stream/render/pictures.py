"""Pairs the frames of a take with their source images, as far as the video or folder still exists."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from remi_stream.formats.take import Take
from remi_stream.messages import Bodies, Frame
from remi_stream.offline.ahead import prefetch
from remi_stream.offline.film import VideoFootage
from remi_stream.offline.footage import Footage, FrameSelection
from remi_stream.offline.pictures import ImageFootage

DECODED_AHEAD = 4

log = logging.getLogger("remi_stream")


class SourceFrame(NamedTuple):
    """A frame of a take with its source image."""

    image: np.ndarray | None
    """(H, W, 3) uint8 BGR, upright; None if the source is missing."""
    bodies: Bodies


def source_frames(take: Take) -> Iterator[SourceFrame]:
    """Iterate over the frames of a take with their images, in order. Raises RemiError if the video exists but is unreadable."""
    footage = source_footage(take)
    if footage is None:
        yield from (SourceFrame(None, bodies) for bodies in take.frames)
        return
    footage.open()
    try:
        with contextlib.closing(prefetch(footage.frames(0), DECODED_AHEAD)) as frames:
            yield from _pair_by_number(frames, take)
    finally:
        footage.close()


def source_footage(take: Take) -> Footage | None:
    """Open the source of a take with the reader that the offline run used, so that frame numbers agree; None if missing."""
    if take.source is None or not take.source.exists():
        return None
    if take.source.is_dir():
        return ImageFootage(take.source, take.name, None) if take.images else None
    return VideoFootage(take.source, take.name, FrameSelection(), None)


def _pair_by_number(frames: Iterator[Frame], take: Take) -> Iterator[SourceFrame]:
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
        yield SourceFrame(newest.image if exists and newest else None, bodies)
