"""What has happened to a camera since somebody watches: frames dropped, connections lost."""

from __future__ import annotations

from collections import Counter

from remi_stream.messages import CameraFacts


class Incidents:
    """Counts over all epochs of one camera.

    reconnects: how often its picture went away. restarts: how often its process was started anew.
    """

    def __init__(self) -> None:
        self.reconnects = self.restarts = 0
        self._past: Counter[str] = Counter()
        self._last: CameraFacts | None = None

    @property
    def dropped(self) -> dict[str, int]:
        """Frames by "stage/reason"; what was most is first."""
        total = self._past + Counter(self._last.dropped if self._last else {})
        return dict(total.most_common())

    def take(self, facts: CameraFacts) -> None:
        """Note facts that came now."""
        last, self._last = self._last, facts
        if last is None:
            return
        if facts.epoch != last.epoch:
            self.restarts += 1
            self._past += Counter(last.dropped)
        elif facts.state == "reconnecting" and last.state != "reconnecting":
            self.reconnects += 1
