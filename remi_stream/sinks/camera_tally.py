"""Prometheus counters and gauges of one camera: frames, drops, tracks, latency per hop, outages."""

from __future__ import annotations

from collections import deque

from remi_stream.messages import Bodies, CameraFacts
from remi_stream.pipeline import STAGES
from remi_stream.relay.books import LOST_IN_CRASH, Ledger
from remi_stream.sinks.figures import MetricRegistry

CAMERA_STATES = ("starting", "live", "reconnecting", "ended")
"""States of a camera; `remi_camera_state` is 1 for one of them and 0 for the others."""
MEASURED_HOPS = frozenset(f"{row.name}{end}" for row in STAGES for end in ("_in", ""))
"""Stamps that become a `hop` label: arrival at a stage (`_in`) and departure. Other stamps would grow the number of series."""
INITIAL_DROP_REASONS = ("capture/superseded", "pose/unasked", "pose/overflow", LOST_IN_CRASH)
"""Drop reasons that are exported as 0 from the start: `increase()` misses the first step of a series that appears at 3."""
RECENT_TRACKS = 256
"""Recent track ids that are remembered, to count each track once."""


class CameraCounters:
    """Metrics of one camera, updated from its `CameraFacts` and `Bodies` messages."""

    def __init__(self, registry: MetricRegistry, ledger: Ledger, camera: str) -> None:
        self._registry, self._ledger, self._camera = registry, ledger, camera
        self._outages = OutageCounter(registry, camera)
        self._exported: dict[str, int] = {}
        self._recent_tracks: deque[int] = deque(maxlen=RECENT_TRACKS)
        self._filter = ""
        self._last_captured_at: float | None = None
        # Series exist from the start: rate() and increase() need a value before the first event.
        self._export_ledger()
        self._export_drops(dict.fromkeys(INITIAL_DROP_REASONS, 0))
        registry.set("remi_people", 0, camera=camera)
        registry.increment("remi_tracks_total", 0, camera=camera)

    def update_facts(self, facts: CameraFacts, now: float) -> None:
        """Update captured frames, state, playback, filter and outages. now: monotonic s."""
        self._ledger.record_captured(facts)
        self._export_ledger()
        for state in CAMERA_STATES:
            self._registry.set("remi_camera_state", state == facts.state, camera=self._camera, state=state)
        if facts.playing:
            self._registry.set("remi_camera_paused", facts.playing.paused, camera=self._camera)
        self._registry.set("remi_camera_nominal_fps", facts.fps, camera=self._camera)
        self._outages.update_state(facts.state, now)
        self._export_filter(facts)
        if facts.state != "live":  # no bodies will come that set it to 0
            self._registry.set("remi_people", 0, camera=self._camera)

    def count_bodies(self, bodies: Bodies) -> None:
        """Count a published frame, its people and tracks, and observe its latency per hop."""
        self._ledger.record_published(bodies)
        self._export_ledger()
        self._last_captured_at = bodies.captured_at
        self._registry.set("remi_people", len(bodies.people), camera=self._camera)
        self._count_tracks([person.track_id for person in bodies.people])
        self._observe_hops(bodies)
        at_relay = bodies.stamps["relay"] - bodies.captured_at
        self._registry.observe("remi_relay_latency_seconds", at_relay, camera=self._camera)

    def update_time(self, now: float) -> None:
        """Update the metrics that grow without messages: outage time and age of the last frame. now: monotonic s."""
        self._outages.update_time(now)
        if self._last_captured_at is not None:
            self._registry.set("remi_frame_age_seconds", now - self._last_captured_at, camera=self._camera)

    def _export_ledger(self) -> None:
        total = self._ledger.total(self._camera)
        self._add_growth("remi_frames_captured_total", total.captured)
        self._add_growth("remi_frames_published_total", total.published)
        self._export_drops(total.dropped)

    def _export_drops(self, dropped: dict[str, int]) -> None:
        for key, count in dropped.items():
            stage, _, reason = key.rpartition("/")
            self._add_growth("remi_frames_dropped_total", count, stage=stage or "relay", reason=reason)

    def _add_growth(self, name: str, total: int, **labels: str) -> None:
        # The ledger holds totals, the registry wants increments: a counter is never set.
        key = "/".join([name, *labels.values()])
        self._registry.increment(name, total - self._exported.get(key, 0), camera=self._camera, **labels)
        self._exported[key] = total

    def _count_tracks(self, track_ids: list[int]) -> None:
        fresh = [track_id for track_id in track_ids if track_id not in self._recent_tracks]
        self._recent_tracks.extend(fresh)
        self._registry.increment("remi_tracks_total", len(fresh), camera=self._camera)

    def _observe_hops(self, bodies: Bodies) -> None:
        before = bodies.captured_at
        # Stamps are an unordered map: sorted by time, each hop lasts from the one before.
        for hop, at in sorted(bodies.stamps.items(), key=lambda stamp: stamp[1]):
            if hop in MEASURED_HOPS:
                self._registry.observe("remi_hop_latency_seconds", at - before, camera=self._camera, hop=hop)
                before = at

    def _export_filter(self, facts: CameraFacts) -> None:
        # An info metric has the value as a label: the series of the previous filter must go.
        if facts.filter != self._filter:
            self._registry.remove("remi_filter_info", camera=self._camera)
            self._registry.set("remi_filter_info", 1, camera=self._camera, filter=facts.filter)
            self._filter = facts.filter
        if facts.filter_lag_s is None:
            self._registry.remove("remi_filter_lag_seconds", camera=self._camera)
        else:
            self._registry.set("remi_filter_lag_seconds", facts.filter_lag_s, camera=self._camera)


class OutageCounter:
    """Counts a camera's reconnects and outage seconds. An outage in progress is added at each update.

    A restart of the capture process during an outage does not end it: only `live` or `ended` does.
    """

    def __init__(self, registry: MetricRegistry, camera: str) -> None:
        self._registry, self._camera = registry, camera
        self._outage_since: float | None = None
        registry.increment("remi_camera_reconnects_total", 0, camera=camera)
        registry.increment("remi_camera_outage_seconds_total", 0, camera=camera)

    def update_state(self, state: str, now: float) -> None:
        """Update with the camera's state. now: monotonic s."""
        self.update_time(now)
        if state == "reconnecting" and self._outage_since is None:
            self._outage_since = now
        elif state in ("live", "ended") and self._outage_since is not None:
            self._outage_since = None
            self._registry.increment("remi_camera_reconnects_total", state == "live", camera=self._camera)

    def update_time(self, now: float) -> None:
        """Add the outage time since the last update, if the camera is reconnecting. now: monotonic s."""
        if self._outage_since is not None:
            self._registry.increment("remi_camera_outage_seconds_total", now - self._outage_since, camera=self._camera)
            self._outage_since = now
