"""Everybody in the scene: who comes, who stays, who has gone."""

from __future__ import annotations

from dataclasses import dataclass

import viser

from remi_stream.messages import Bodies
from remi_stream.sinks.web.figure import Figure
from remi_stream.sinks.web.floor import Floor

GONE_S = 0.5
"""A body that is not seen for so long is removed; from the half of it on it fades."""


@dataclass
class Presence:
    """A track in the scene. seen_at: monotonic seconds."""

    figure: Figure
    seen_at: float


class Crowd:
    """The figures of one camera's people. Places that are free are used again."""

    def __init__(self, scene: viser.SceneApi, parent: str) -> None:
        self._scene, self._parent = scene, parent
        self._present: dict[int, Presence] = {}
        self._free: list[Figure] = []

    @property
    def track_ids(self) -> list[int]:
        """Who is in the scene."""
        return sorted(self._present)

    def move(self, bodies: Bodies, floor: Floor, now: float, *, skin: bool, bones: bool) -> None:
        """Take the poses of a frame."""
        for person in bodies.people:
            presence = self._present.get(person.track_id) or self._enter(person.track_id)
            presence.seen_at = now
            presence.figure.move(person, floor, bodies.captured_at, skin=skin, bones=bones)

    def forget(self, now: float) -> None:
        """Let those fade who have not been seen for a while, and remove them."""
        for track_id, presence in list(self._present.items()):
            left = min(1.0, 2 * (1 - (now - presence.seen_at) / GONE_S))
            if left < 1:
                presence.figure.fade(max(0.0, left))
            if left <= 0:
                self._free.append(self._present.pop(track_id).figure)

    def clear(self) -> None:
        """Remove everybody."""
        self.forget(float("inf"))

    def _enter(self, track_id: int) -> Presence:
        number = len(self._present) + len(self._free)
        figure = self._free.pop() if self._free else Figure(self._scene, f"{self._parent}/person-{number}")
        figure.enter(track_id)
        self._present[track_id] = Presence(figure, 0.0)
        return self._present[track_id]
