"""Who somebody is: how they look and where they were going, so that their id outlasts a moment out of sight."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import cv2
import numpy as np

from remi_stream.messages import Person

MEMORY_S = 0.6
LONGEST_GUESS_S = 1.2
LEARN = 0.1
MOTION_WEIGHT = 1.0
"""What a miss by one body's size costs, beside looks of which nothing agrees."""
BINS = (12, 4, 4)


class Sight(NamedTuple):
    """One look at somebody: captured_at s, box_xyxy (4,) px, looks (K,) sums to 1 (see `looks_of`), depth_m away."""

    captured_at: float
    box_xyxy: np.ndarray
    looks: np.ndarray
    depth_m: float


class Identity:
    """One person over a run.

    hidden_at: since when nobody is seen who could be them, s. rival: who stood before them when they were hidden.
    contested: somebody is hidden behind them, or they are taken for somebody else; nothing is learned meanwhile.
    behind: they were hidden by somebody else, not gone.
    """

    def __init__(self, track_id: int, sight: Sight) -> None:
        self.track_id = track_id
        self.looks = sight.looks
        self.depth_m = sight.depth_m
        self.hidden_at: float | None = None
        self.rival: Identity | None = None
        self.contested = self.behind = False
        self._places: deque[tuple[float, np.ndarray]] = deque()
        self._sides = sight.box_xyxy[2:] - sight.box_xyxy[:2]
        self.seen(sight, clear=True)

    @property
    def _size(self) -> float:
        return float(self._sides.max())

    @property
    def seen_at(self) -> float:
        """When they were seen last, and not mistaken for anybody, s."""
        return self._places[-1][0]

    def seen(self, sight: Sight, clear: bool) -> None:
        """Learn from a look, unless it may be somebody else. clear: nobody is in front, so that the colours are theirs."""
        if self.contested:
            return
        if clear:
            self.looks = (1 - LEARN) * self.looks + LEARN * sight.looks
        if not math.isnan(sight.depth_m):
            known = sight.depth_m if math.isnan(self.depth_m) else self.depth_m
            self.depth_m = (1 - LEARN) * known + LEARN * sight.depth_m
        self._sides = sight.box_xyxy[2:] - sight.box_xyxy[:2]
        self._places.append((sight.captured_at, _middle(sight.box_xyxy)))
        while sight.captured_at - self._places[0][0] > MEMORY_S:
            self._places.popleft()

    def place_at(self, captured_at: float) -> np.ndarray:
        """Where they should be, (2,) px: straight on from where they were last seen, for a while."""
        times = np.array([time for time, _ in self._places])
        places = np.array([place for _, place in self._places])
        if len(times) < 3:
            return places[-1]
        velocity = np.polyfit(times - times[-1], places, 1)[0]
        return places[-1] + velocity * min(captured_at - float(times[-1]), LONGEST_GUESS_S)

    def box_at(self, captured_at: float) -> np.ndarray:
        """The box (4,) float32 px in which they should be."""
        middle = self.place_at(captured_at)
        return np.concatenate([middle - self._sides / 2, middle + self._sides / 2]).astype(np.float32)

    def likely(self, sight: Sight) -> bool:
        """Whether they could be there by now: near where they should be or were last seen, and of about that size."""
        since = sight.captured_at - self.seen_at
        ratio = size_of(sight.box_xyxy) / self._size
        return bool(0.5 < ratio < 2 and self._miss(sight) < 0.5 + since)

    def unlike(self, sight: Sight) -> float:
        """How little a look agrees with them: 0 for the very same, about 1 for somebody else."""
        away = float(np.linalg.norm(_middle(sight.box_xyxy) - self.place_at(sight.captured_at))) / self._size
        return float(self.disguise(sight) + MOTION_WEIGHT * min(away, 1.0))

    def disguise(self, sight: Sight) -> float:
        """The share, [0, 1], of how somebody looks that is not how they look."""
        return float(1 - np.minimum(self.looks, sight.looks).sum())

    def _miss(self, sight: Sight) -> float:
        middle = _middle(sight.box_xyxy)
        places = (self.place_at(sight.captured_at), self._places[-1][1])
        return float(min(np.linalg.norm(middle - place) for place in places) / self._size)


def sight_of(image: np.ndarray, person: Person, captured_at: float) -> Sight:
    """Look at a person in image (H, W, 3) BGR."""
    return Sight(captured_at, person.box_xyxy, looks_of(image, person.box_xyxy), depth_of(person))


def depth_of(person: Person) -> float:
    """How far away somebody is, m; NaN of a person who is only known in the picture."""
    return float(np.median(person.joints_m[:, 2])) if len(person.joints_m) else math.nan


def looks_of(image: np.ndarray, box_xyxy: np.ndarray) -> np.ndarray:
    """Histogram of hue, saturation and value of the trunk in a box (4,) px of image (H, W, 3) BGR: (192,), sums to 1."""
    x0, y0, x1, y1 = box_xyxy
    left, right = int(x0 + 0.3 * (x1 - x0)), int(x0 + 0.7 * (x1 - x0)) + 1
    top, bottom = int(y0 + 0.2 * (y1 - y0)), int(y0 + 0.75 * (y1 - y0)) + 1
    part = image[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    if part.size == 0:
        return np.zeros(int(np.prod(BINS)))
    step = max(1, min(part.shape[:2]) // 32)
    hsv = cv2.cvtColor(np.ascontiguousarray(part[::step, ::step]), cv2.COLOR_BGR2HSV)
    counts = cv2.calcHist([hsv], [0, 1, 2], None, list(BINS), [0, 180, 0, 256, 0, 256]).reshape(-1)
    return counts / counts.sum()


def size_of(box_xyxy: np.ndarray) -> float:
    """The longest side of a box (4,), px."""
    return float((box_xyxy[2:] - box_xyxy[:2]).max())


def _middle(box_xyxy: np.ndarray) -> np.ndarray:
    return (box_xyxy[:2] + box_xyxy[2:]) / 2
