"""The people of one camera in the viser scene: add, update, fade and remove them by track."""

from __future__ import annotations

from dataclasses import dataclass

import viser

from remi_stream.messages import Bodies, Person
from remi_stream.sinks.views.floor import FloorEstimator
from remi_stream.sinks.web.figure import PersonNode

REMOVE_AFTER_S = 0.5
"""A track without bodies for longer is removed, s; it fades over the second half of this time."""


@dataclass
class ScenePerson:
    """A track in the scene."""

    node: PersonNode
    person: Person
    """As last received."""
    last_seen_at: float
    """Monotonic s."""


class ScenePeople:
    """Scene nodes of one camera's people. Nodes of removed tracks are reused: a skinned mesh is costly to send."""

    def __init__(self, scene: viser.SceneApi, parent: str) -> None:
        self._scene, self._parent = scene, parent
        self._by_track: dict[int, ScenePerson] = {}
        self._free: list[PersonNode] = []

    @property
    def track_ids(self) -> list[int]:
        """The tracks in the scene, sorted."""
        return sorted(self._by_track)

    @property
    def people(self) -> list[Person]:
        """The people in the scene, as last received, sorted by track."""
        return [self._by_track[track_id].person for track_id in self.track_ids]

    def update(
        self,
        bodies: Bodies,
        floor: FloorEstimator,
        now: float,
        *,
        skin: bool,
        bones: bool,
        by_confidence: bool = False,
        trail: bool = False,
    ) -> None:
        """Update with the bodies of a frame. now: monotonic s. skin, bones, by_confidence, trail: see PersonNode.update."""
        for person in bodies.people:
            entry = self._by_track.get(person.track_id) or self._add(person)
            entry.person, entry.last_seen_at = person, now
            entry.node.update(person, floor, bodies.captured_at, skin=skin, bones=bones, by_confidence=by_confidence, trail=trail)

    def keep_visible(self, bodies: Bodies, now: float) -> None:
        """Keep the people of these bodies from fading, while playback is paused. now: monotonic s."""
        for person in bodies.people:
            if person.track_id in self._by_track:
                self._by_track[person.track_id].last_seen_at = now

    def remove_stale(self, now: float) -> None:
        """Fade and remove tracks without recent bodies. now: monotonic s."""
        for track_id, entry in list(self._by_track.items()):
            opacity = min(1.0, 2 * (1 - (now - entry.last_seen_at) / REMOVE_AFTER_S))
            if opacity < 1:
                entry.node.set_opacity(max(0.0, opacity))
            if opacity <= 0:
                self._free.append(self._by_track.pop(track_id).node)

    def clear(self) -> None:
        """Remove all people."""
        self.remove_stale(float("inf"))

    def _add(self, person: Person) -> ScenePerson:
        number = len(self._by_track) + len(self._free)
        figure = self._free.pop() if self._free else PersonNode(self._scene, f"{self._parent}/person-{number}")
        figure.assign(person.track_id)
        entry = self._by_track[person.track_id] = ScenePerson(figure, person, 0.0)
        return entry
