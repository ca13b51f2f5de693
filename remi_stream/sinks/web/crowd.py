"""Everybody in the scene: who comes, who stays, who has gone."""

from __future__ import annotations

from dataclasses import dataclass

import viser

from remi_stream.messages import Bodies, Person
from remi_stream.sinks.views.floor import Floor
from remi_stream.sinks.web.figure import Figure

GONE_S = 0.5
"""A body that is not seen for so long is removed; from the half of it on it fades."""


@dataclass
class Presence:
    """A track in the scene, and how it was last seen. seen_at: monotonic seconds."""

    figure: Figure
    person: Person
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

    @property
    def people(self) -> list[Person]:
        """Everybody in the scene, as they were last seen."""
        return [self._present[track_id].person for track_id in self.track_ids]

    def move(
        self, bodies: Bodies, floor: Floor, now: float, *, skin: bool, bones: bool, rated: bool = False, trail: bool = False
    ) -> None:
        """Take the poses of a frame; the rest is Figure.move's."""
        for person in bodies.people:
            presence = self._present.get(person.track_id) or self._enter(person)
            presence.person, presence.seen_at = person, now
            presence.figure.move(person, floor, bodies.captured_at, skin=skin, bones=bones, rated=rated, trail=trail)

    def hold(self, bodies: Bodies, now: float) -> None:
        """Time stands still: who is in these bodies is still seen."""
        for person in bodies.people:
            if person.track_id in self._present:
                self._present[person.track_id].seen_at = now

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

    def _enter(self, person: Person) -> Presence:
        number = len(self._present) + len(self._free)
        figure = self._free.pop() if self._free else Figure(self._scene, f"{self._parent}/person-{number}")
        figure.enter(person.track_id)
        presence = self._present[person.track_id] = Presence(figure, person, 0.0)
        return presence
