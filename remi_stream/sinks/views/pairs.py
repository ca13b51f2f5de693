"""Pairing of preview images with the bodies of the same frame."""

from __future__ import annotations

from collections import OrderedDict, deque

from remi_stream.messages import Bodies, Frame

MAX_BODIES = 90
"""Bodies that wait for their preview: 3 s at 30 a second."""
MAX_PREVIEWS = 16
"""Previews that wait for their bodies; the oldest is dropped."""
UNPAIRED_AFTER_S = 1.0
"""Time without a pair after which a preview is shown alone, s: a slow engine skips frames."""

FrameKey = tuple[int, int]
"""(epoch, frame id)."""


class PreviewPairs:
    """The last previews and bodies of one camera. A preview is shown with the bodies of exactly that frame, or with none."""

    def __init__(self) -> None:
        self._bodies: OrderedDict[FrameKey, Bodies] = OrderedDict()
        self._previews: deque[Frame] = deque(maxlen=MAX_PREVIEWS)
        self._paired_at = float("-inf")

    def add(self, message: Bodies | Frame) -> None:
        """Add a message; a full buffer drops its oldest."""
        if isinstance(message, Frame):
            # The wait for a pair starts with the first preview.
            if not self._previews and self._paired_at == float("-inf"):
                self._paired_at = message.captured_at
            self._previews.append(message)
            return
        self._bodies[message.epoch, message.frame_id] = message
        if len(self._bodies) > MAX_BODIES:
            self._bodies.popitem(last=False)

    def pop_newest(self, now: float) -> tuple[Frame, Bodies | None] | None:
        """Pop the newest preview that has its bodies; after UNPAIRED_AFTER_S without one, the newest alone. now: monotonic s."""
        for index in reversed(range(len(self._previews))):
            preview = self._previews[index]
            bodies = self._bodies.get((preview.epoch, preview.frame_id))
            if bodies is not None:
                self._paired_at = now
                self._drop(index + 1)
                return preview, bodies
        if not self._previews or now - self._paired_at < UNPAIRED_AFTER_S:
            return None
        newest = self._previews[-1]
        self._drop(len(self._previews))
        return newest, None

    def _drop(self, count: int) -> None:
        for _ in range(count):
            self._previews.popleft()
