"""What viewers keep of each camera: its newest messages, rate and latency, hops, incidents, previews and tracks in view."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, deque
from typing import NamedTuple

import numpy as np

from remi_stream.messages import Bodies, CameraFacts, Frame

HOP_WINDOW_S = 3.0
"""The medians are over the last seconds, s."""
VIEWER_HOP = "viewer"
"""The last hop: from the last stamp to the viewer's reception."""

HopMedians = list[tuple[str, float]]
"""Hops in order of time, each with its median duration, ms."""


class HopLatencies:
    """Hop latencies of one camera's last bodies. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, Bodies]] = deque(maxlen=256)

    def add(self, bodies: Bodies, now: float) -> None:
        """Add bodies that arrived now."""
        self._recent.append((now, bodies))

    def medians(self, now: float) -> HopMedians:
        """The median duration of each hop, ms, over the bodies that took the same hops as the newest."""
        recent = [hop_durations(bodies, at) for at, bodies in self._recent if now - at <= HOP_WINDOW_S]
        if not recent:
            return []
        hops = list(recent[-1])
        same_hops = [[seconds[hop] for hop in hops] for seconds in recent if list(seconds) == hops]
        return list(zip(hops, (np.median(same_hops, axis=0) * 1000).tolist()))


def hop_durations(bodies: Bodies, now: float) -> dict[str, float]:
    """The duration of each hop, s, of bodies that arrived now. A stamp before `captured_at` gives 0."""
    durations, last = {}, bodies.captured_at
    for hop, at in sorted(bodies.stamps.items(), key=lambda stamp: stamp[1]):
        durations[hop], last = max(0.0, at - last), max(last, at)
    return {**durations, VIEWER_HOP: max(0.0, now - last)}


class CameraIncidents:
    """Dropped frames, reconnects and restarts of one camera since the viewer started."""

    def __init__(self) -> None:
        self.reconnects = 0
        """How often the camera's signal was lost."""
        self.restarts = 0
        """How often its process was restarted."""
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


RATE_WINDOW_S = 60.0
"""Length of the history, s."""
RATE_INTERVAL_S = 0.5
"""Time between two samples, s."""
RATE_AVERAGING_S = 2.0
"""Each sample covers the last seconds, s."""


class RateSample(NamedTuple):
    """A sample of one camera's rate and latency."""

    at: float
    """Monotonic s."""
    fps: float
    """Bodies per second."""
    p50_ms: float
    """Median latency from capture to here; NaN without bodies."""
    p95_ms: float
    """95th percentile of the latency; NaN without bodies."""


class RateHistory:
    """Rate and latency of one camera's bodies over the last minute, sampled every half second. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._latencies: deque[tuple[float, float]] = deque(maxlen=1000)
        self.samples: deque[RateSample] = deque(maxlen=int(RATE_WINDOW_S / RATE_INTERVAL_S) + 1)

    def add(self, captured_at: float, now: float) -> None:
        """Add bodies that arrived now."""
        self._latencies.append((now, (now - captured_at) * 1000))

    def sample_if_due(self, now: float) -> bool:
        """Take the next sample if it is due; return whether it was."""
        if self.samples and now - self.samples[-1].at < RATE_INTERVAL_S:
            return False
        recent = np.array([latency for at, latency in self._latencies if now - at <= RATE_AVERAGING_S])
        p50, p95 = np.percentile(recent, [50, 95]) if len(recent) else (np.nan, np.nan)
        self.samples.append(RateSample(now, len(recent) / RATE_AVERAGING_S, float(p50), float(p95)))
        return True

    def series(self) -> np.ndarray:
        """The history (4, N): seconds ago (negative), bodies per second, p50 and p95 latency in ms."""
        rows = np.array(self.samples).T
        rows[0] -= rows[0, -1]
        return rows


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


# Whether a camera is there, in words

SILENT_AFTER_S = 2.5
"""Without a status for longer the camera's process is dead or hangs, s: it sends one twice a second."""


def state_text(state: str, state_s: float, captured: int) -> str:
    """The state of a camera: "live", "reconnecting since 7 s", "never came, trying since 7 s". state_s: time in it, s."""
    if state in ("live", "ended"):
        return state
    if state == "reconnecting" and not captured:
        return f"never came, trying since {duration_text(state_s)}"
    return f"{state} since {duration_text(state_s)}"


def duration_text(seconds: float) -> str:
    """A duration in its largest units: "7 s", "3 min", "2 h 5 min"."""
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min" if minutes else f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min"


def count_text(count: int, singular: str, plural: str = "") -> str:
    """A number with its noun: "1 person", "2 people"."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


class CameraPresence:
    """Whether a camera is there, from the messages about it. Times are monotonic seconds; now: when watching began."""

    def __init__(self, now: float) -> None:
        self.has_come = False
        """Whether there was ever an image, of this or an earlier process of the camera."""
        self._facts: CameraFacts | None = None
        self._heard_at = now

    def update(self, facts: CameraFacts, now: float) -> None:
        """Update with the camera's status."""
        self._facts, self._heard_at = facts, now
        self.has_come = self.has_come or facts.captured > 0

    def mark_image(self, now: float) -> None:
        """Record that an image of it, or its bodies, came."""
        self.has_come, self._heard_at = True, now

    def is_away(self, now: float) -> bool:
        """Whether it gives no images: what it last showed is not what is there now."""
        state = self._facts.state if self._facts else "live" if self.has_come else "starting"
        return state not in ("live", "ended") or (now - self._heard_at > SILENT_AFTER_S and state != "ended")

    def text(self, now: float) -> str:
        """Its state in words."""
        silent_s = now - self._heard_at
        if self._facts is None:
            return "live" if not self.is_away(now) else f"starting since {duration_text(silent_s)}"
        if silent_s > SILENT_AFTER_S and self._facts.state != "ended":
            return f"its process is silent since {duration_text(silent_s)}"
        return state_text(self._facts.state, self._facts.state_s + silent_s, int(self.has_come))

    def away_text(self, now: float) -> str:
        """What stands on its last image: "" while it is there, "away since 7 s" while it is away; on an empty one its state."""
        if not self.is_away(now):
            return ""
        if not self.has_come or self._facts is None:
            return self.text(now)
        silent_s = now - self._heard_at
        return f"away since {duration_text(silent_s + (self._facts.state_s if self._facts.state == 'reconnecting' else 0))}"


MAX_AGE_S = 1.0
"""Older bodies are not shown, s: they were delayed in a queue."""


class ViewedCamera:
    """The newest messages of one camera, selected or not, and the rate of its bodies."""

    def __init__(self) -> None:
        self.rates = RateHistory()
        self.newest: Bodies | None = None
        self.facts: CameraFacts | None = None
        self._taken: Bodies | None = None

    @property
    def is_paused(self) -> bool:
        """Whether it is a paused recording, whose newest frame is shown at any age."""
        return self.facts is not None and self.facts.playing is not None and self.facts.playing.paused

    def next_bodies(self, now: float) -> Bodies | None:
        """Return the newest bodies once, unless they are too old to be shown. now: monotonic s."""
        bodies = self.newest
        if bodies is None or bodies is self._taken or not (self.is_paused or now - bodies.captured_at < MAX_AGE_S):
            return None
        self._taken = bodies
        return bodies

    def repeat(self) -> None:
        """Let `next_bodies` return the newest bodies again: the camera was selected."""
        self._taken = None


REMOVE_AFTER_S = 0.5
"""A track without bodies for longer is removed from the view, s."""


class TrackTimes:
    """When each track in view was last seen. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._last_seen_at: dict[int, float] = {}

    def mark_seen(self, track_id: int, now: float) -> None:
        """Record that a track is seen now."""
        self._last_seen_at[track_id] = now

    def visibility(self, track_id: int, now: float) -> float:
        """The share of its time that a track has left before it is removed, in [0, 1]."""
        return max(0.0, 1 - (now - self._last_seen_at[track_id]) / REMOVE_AFTER_S)

    def pop_stale(self, now: float) -> list[int]:
        """Forget the tracks that are to be removed, and return them."""
        stale = [track_id for track_id in self._last_seen_at if self.visibility(track_id, now) <= 0]
        for track_id in stale:
            del self._last_seen_at[track_id]
        return stale


# Tiling of several cameras' images into one

BACKGROUND = (24, 26, 31)
"""Background colour, RGB."""
PLACEHOLDER_SIZE = (360, 640)
"""Height and width of the placeholder, px."""


def placeholder_image() -> np.ndarray:
    """The placeholder for a camera before its first image: (h, w, 3) uint8."""
    return np.full((*PLACEHOLDER_SIZE, 3), BACKGROUND, np.uint8)


def greyed_image(image: np.ndarray) -> np.ndarray:
    """An image (h, w, 3) uint8 without colours, half as bright: what a camera showed before it went away."""
    grey = (image.mean(axis=2, keepdims=True) * 0.5).astype(np.uint8)
    return np.broadcast_to(grey, image.shape).copy()


class TileGrid(NamedTuple):
    """Places of images in a grid of equal cells, row by row."""

    columns: int
    rows: int
    width: int
    """Of a cell, px."""
    height: int
    """Of a cell, px."""

    def corner(self, number: int) -> tuple[int, int]:
        """Left and top edge of a cell, px."""
        row, column = divmod(number, self.columns)
        return column * self.width, row * self.height


def tile_grid(images: list[np.ndarray]) -> TileGrid:
    """The grid of images (h, w, 3)."""
    height, width = (max(image.shape[axis] for image in images) for axis in (0, 1))
    columns = math.ceil(math.sqrt(len(images)))
    return TileGrid(columns, math.ceil(len(images) / columns), width, height)


def tile_images(images: list[np.ndarray]) -> np.ndarray:
    """Tile images (h, w, 3) uint8 in a grid of equal cells, row by row, each centred in its cell."""
    if len(images) == 1:
        return images[0]
    grid = tile_grid(images)
    tiled = np.full((grid.rows * grid.height, grid.columns * grid.width, 3), BACKGROUND, np.uint8)
    for number, image in enumerate(images):
        left, top = grid.corner(number)
        top, left = top + (grid.height - image.shape[0]) // 2, left + (grid.width - image.shape[1]) // 2
        tiled[top : top + image.shape[0], left : left + image.shape[1]] = image
    return tiled
