"""What is counted of one camera."""

from __future__ import annotations

from collections import deque

from remi_stream.messages import Bodies, CameraFacts
from remi_stream.pipeline import ROWS
from remi_stream.relay.books import LOST, Books
from remi_stream.sinks.figures import Figures

STATES = ("starting", "live", "reconnecting", "ended")
HOPS = frozenset(f"{row.name}{end}" for row in ROWS for end in ("_in", ""))
DROPS = ("capture/superseded", "pose/unasked", "pose/overflow", LOST)
"""Told as 0 from the start: of a counter that begins at 3 Prometheus sees no increase."""
TRACKS_KEPT = 256


class CameraTally:
    """The counts of one camera."""

    def __init__(self, figures: Figures, books: Books, camera: str) -> None:
        self._figures, self._books, self._camera = figures, books, camera
        self._outages = Outages(figures, camera)
        self._told: dict[str, int] = {}
        self._tracks: deque[int] = deque(maxlen=TRACKS_KEPT)
        self._filter = ""
        self._newest_at: float | None = None
        self._tell_books()
        self._tell_drops(dict.fromkeys(DROPS, 0))
        figures.set("remi_people", 0, camera=camera)
        figures.add("remi_tracks_total", 0, camera=camera)

    def take_facts(self, facts: CameraFacts, now: float) -> None:
        """Count what the camera captured, and tell its state."""
        self._books.capture(facts)
        self._tell_books()
        for state in STATES:
            self._figures.set("remi_camera_state", state == facts.state, camera=self._camera, state=state)
        if facts.playing:
            self._figures.set("remi_camera_paused", facts.playing.paused, camera=self._camera)
        self._figures.set("remi_camera_nominal_fps", facts.fps, camera=self._camera)
        self._outages.take(facts.state, now)
        self._tell_filter(facts)
        if facts.state != "live":
            self._figures.set("remi_people", 0, camera=self._camera)

    def take_bodies(self, bodies: Bodies) -> None:
        """Count a frame, its people and its way."""
        self._books.publish(bodies)
        self._tell_books()
        self._newest_at = bodies.captured_at
        self._figures.set("remi_people", len(bodies.people), camera=self._camera)
        self._tell_tracks([person.track_id for person in bodies.people])
        self._tell_hops(bodies)
        at_relay = bodies.stamps["relay"] - bodies.captured_at
        self._figures.observe("remi_relay_latency_seconds", at_relay, camera=self._camera)

    def tell_time(self, now: float) -> None:
        """Tell what grows while nothing comes."""
        self._outages.tell_time(now)
        if self._newest_at is not None:
            self._figures.set("remi_frame_age_seconds", now - self._newest_at, camera=self._camera)

    def _tell_books(self) -> None:
        total = self._books.total(self._camera)
        self._grow("remi_frames_captured_total", total.captured)
        self._grow("remi_frames_published_total", total.published)
        self._tell_drops(total.dropped)

    def _tell_drops(self, dropped: dict[str, int]) -> None:
        for key, count in dropped.items():
            stage, _, reason = key.rpartition("/")
            self._grow("remi_frames_dropped_total", count, stage=stage or "relay", reason=reason)

    def _grow(self, name: str, total: int, **labels: str) -> None:
        key = "/".join([name, *labels.values()])
        self._figures.add(name, total - self._told.get(key, 0), camera=self._camera, **labels)
        self._told[key] = total

    def _tell_tracks(self, track_ids: list[int]) -> None:
        fresh = [track_id for track_id in track_ids if track_id not in self._tracks]
        self._tracks.extend(fresh)
        self._figures.add("remi_tracks_total", len(fresh), camera=self._camera)

    def _tell_hops(self, bodies: Bodies) -> None:
        before = bodies.captured_at
        for hop, at in sorted(bodies.stamps.items(), key=lambda stamp: stamp[1]):
            if hop in HOPS:
                self._figures.observe("remi_hop_latency_seconds", at - before, camera=self._camera, hop=hop)
                before = at

    def _tell_filter(self, facts: CameraFacts) -> None:
        if facts.filter != self._filter:
            self._figures.forget("remi_filter_info", camera=self._camera)
            self._figures.set("remi_filter_info", 1, camera=self._camera, filter=facts.filter)
            self._filter = facts.filter
        if facts.filter_lag_s is None:
            self._figures.forget("remi_filter_lag_seconds", camera=self._camera)
        else:
            self._figures.set("remi_filter_lag_seconds", facts.filter_lag_s, camera=self._camera)


class Outages:
    """How often a camera came back, and how long it was away; until then the time is added whenever somebody asks.

    A camera whose process is started anew while it is away stays away until it is live.
    """

    def __init__(self, figures: Figures, camera: str) -> None:
        self._figures, self._camera = figures, camera
        self._away_since: float | None = None
        figures.add("remi_camera_reconnects_total", 0, camera=camera)
        figures.add("remi_camera_outage_seconds_total", 0, camera=camera)

    def take(self, state: str, now: float) -> None:
        """Note the camera's state at this moment (monotonic s)."""
        self.tell_time(now)
        if state == "reconnecting" and self._away_since is None:
            self._away_since = now
        elif state in ("live", "ended") and self._away_since is not None:
            self._away_since = None
            self._figures.add("remi_camera_reconnects_total", state == "live", camera=self._camera)

    def tell_time(self, now: float) -> None:
        """Add the time since it was last added, if the camera is away."""
        if self._away_since is not None:
            self._figures.add("remi_camera_outage_seconds_total", now - self._away_since, camera=self._camera)
            self._away_since = now
