"""The number of each frame of a take, as files name it."""

from __future__ import annotations

from collections.abc import Iterator

from remi_stream.formats.take import Take
from remi_stream.messages import Bodies


def numbered(take: Take) -> Iterator[tuple[int, Bodies]]:
    """Each frame with its number in the film; of pictures, its place in `images`.

    Where a camera of a recording was started again, its frames are numbered on after the last one.
    """
    if take.images:
        yield from enumerate(take.frames)
        return
    epoch, shift, number = None, 0, -1
    for bodies in take.frames:
        if epoch not in (None, bodies.epoch):
            shift = number + 1 - bodies.frame_id
        epoch, number = bodies.epoch, bodies.frame_id + shift
        yield number, bodies
