"""Which bodies belong to which picture."""

from __future__ import annotations

from collections import OrderedDict, deque

from remi_stream.messages import Bodies, Frame

BODIES_KEPT = 90
PICTURES_KEPT = 16
PATIENCE_S = 0.5
"""How long a picture waits for its bodies before it is shown without."""

Key = tuple[int, int]


class Pairs:
    """The last pictures and bodies of one camera. A picture is shown with the bodies of exactly that frame, or with none."""

    def __init__(self) -> None:
        self._bodies: OrderedDict[Key, Bodies] = OrderedDict()
        self._pictures: deque[Frame] = deque(maxlen=PICTURES_KEPT)

    def take(self, message: Bodies | Frame) -> None:
        """Keep a message for a while."""
        if isinstance(message, Frame):
            self._pictures.append(message)
            return
        self._bodies[message.epoch, message.frame_id] = message
        if len(self._bodies) > BODIES_KEPT:
            self._bodies.popitem(last=False)

    def next(self, now: float) -> tuple[Frame, Bodies | None] | None:
        """Give the newest picture that has its bodies, or one that has waited long enough; each picture once."""
        for index in reversed(range(len(self._pictures))):
            picture = self._pictures[index]
            bodies = self._bodies.get((picture.epoch, picture.frame_id))
            if bodies is not None or now - picture.captured_at > PATIENCE_S:
                for _ in range(index + 1):
                    self._pictures.popleft()
                return picture, bodies
        return None
