"""Frame numbers of a take, as exported files use them."""

from __future__ import annotations

from collections.abc import Iterator

from remi_stream.formats.take import Take
from remi_stream.messages import Bodies


def numbered_frames(take: Take) -> Iterator[tuple[int, Bodies]]:
    """Yield each frame with its number in the video; for an image folder, its index in `images`.

    After a restart of the camera (a new epoch) numbering continues after the last frame.
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
