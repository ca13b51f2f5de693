"""Dropped frames, reconnects and restarts of a camera since the viewer started."""

from __future__ import annotations

from collections import Counter

from remi_stream.messages import CameraFacts


class CameraIncidents:
    """Counts over all epochs of one camera.

    reconnects: how often the camera's signal was lost. restarts: how often its process was restarted.
    """

    def __init__(self) -> None:
        self.reconnects = self.restarts = 0
        self._earlier_epochs: Counter[str] = Counter()
        self._last: CameraFacts | None = None

    @property
    def dropped(self) -> dict[str, int]:
        """Dropped frames by reason (`stage/reason`), most frequent first."""
        total = self._earlier_epochs + Counter(self._last.dropped if self._last else {})
        return dict(total.most_common())

    def update(self, facts: CameraFacts) -> None:
        """Update with the camera's newest facts."""
        last, self._last = self._last, facts
        if last is None:
            return
        if facts.epoch != last.epoch:
            self.restarts += 1  # each capture process has an epoch of its own, and counts its drops from 0
            self._earlier_epochs += Counter(last.dropped)
        elif facts.state == "reconnecting" and last.state != "reconnecting":
            self.reconnects += 1
