"""Which bodies belong to which picture."""

from __future__ import annotations

from collections import OrderedDict, deque

from remi_stream.messages import Bodies, Frame

BODIES_KEPT = 90
PICTURES_KEPT = 16
PATIENCE_S = 1.0
"""How long pictures wait for one that has its bodies (a slow engine skips frames) before they are shown without."""

Key = tuple[int, int]


class Pairs:
    """The last pictures and bodies of one camera. A picture is shown with the bodies of exactly that frame, or with none."""

    def __init__(self) -> None:
        self._bodies: OrderedDict[Key, Bodies] = OrderedDict()
        self._pictures: deque[Frame] = deque(maxlen=PICTURES_KEPT)
        self._paired_at = float("-inf")

    def take(self, message: Bodies | Frame) -> None:
        """Keep a message for a while."""
        if isinstance(message, Frame):
            if not self._pictures and self._paired_at == float("-inf"):
                self._paired_at = message.captured_at
            self._pictures.append(message)
            return
        self._bodies[message.epoch, message.frame_id] = message
        if len(self._bodies) > BODIES_KEPT:
            self._bodies.popitem(last=False)

    def next(self, now: float) -> tuple[Frame, Bodies | None] | None:
        """Give the newest picture that has its bodies; if none had any for a while, the newest alone. Each picture once."""
        for index in reversed(range(len(self._pictures))):
            picture = self._pictures[index]
            bodies = self._bodies.get((picture.epoch, picture.frame_id))
            if bodies is not None:
                self._paired_at = now
                self._drop(index + 1)
                return picture, bodies
        if not self._pictures or now - self._paired_at < PATIENCE_S:
            return None
        newest = self._pictures[-1]
        self._drop(len(self._pictures))
        return newest, None

    def _drop(self, count: int) -> None:
        for _ in range(count):
            self._pictures.popleft()
