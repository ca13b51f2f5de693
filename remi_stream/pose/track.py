"""One person who is followed from frame to frame by the boxes of their poses."""

from __future__ import annotations

import numpy as np

from remi_stream.messages import Person
from remi_stream.pose.engine import Pose
from remi_stream.pose.identity import Identity, depth_of

KEEP_S = 2.0
BLEND = 0.2
SURE_POSES = 5
LASTING_POSES = 5


class Track:
    """box_xyxy: (4,) float32 px, where to look next. state: what the engine remembers. identity: known after the first pose.

    person: as of the last pose that did not fail. cover: (H, W) uint8, set where
    somebody is in front of them in the newest frame; None if nobody is.
    """

    def __init__(self, box_xyxy: np.ndarray, identity: Identity | None = None) -> None:
        self.box_xyxy = box_xyxy
        self.state: object | None = None
        self.identity = identity
        self.person: Person | None = None
        self.cover: np.ndarray | None = None
        self.poses = self.failures = self.misses = 0
        self._history: dict[int, tuple[float, np.ndarray]] = {}

    @property
    def track_id(self) -> int:
        """Its person's id; 0 until the first pose says who it is."""
        return self.identity.track_id if self.identity else 0

    @property
    def sure(self) -> bool:
        """Whether it has a pose by now, and its last ones did not fail."""
        return self.poses >= SURE_POSES and not self.failures and not self.misses

    @property
    def lasting(self) -> bool:
        """Whether its person is worth remembering when they are out of sight."""
        return self.poses >= LASTING_POSES

    @property
    def depth_m(self) -> float | None:
        """How far away its person is, if that is known."""
        if self.identity is not None:
            return self.identity.depth_m
        return depth_of(self.person) if self.person else None

    def box_at(self, frame_id: int) -> np.ndarray | None:
        """The box it had in a frame of the last two seconds."""
        entry = self._history.get(frame_id)
        return entry[1] if entry else None

    def posed(self, frame_id: int, captured_at: float, pose: Pose) -> None:
        """Take the engine's answer for a frame."""
        self._history = {key: entry for key, entry in self._history.items() if captured_at - entry[0] <= KEEP_S}
        self._history[frame_id] = (captured_at, pose.person.box_xyxy if pose.person else self.box_xyxy)
        if pose.person is None:
            self.failures += 1
            return
        self.poses, self.failures, self.person = self.poses + 1, 0, pose.person
        self.box_xyxy, self.state = pose.next_box_xyxy, pose.state

    def confirmed(self, box_xyxy: np.ndarray, box_then: np.ndarray) -> None:
        """Take a detection that matched the box of its frame: move a little towards it, entirely after a failed pose."""
        self.misses = 0
        weight = 1.0 if self.failures else BLEND
        self.box_xyxy = (self.box_xyxy + weight * (box_xyxy - box_then)).astype(np.float32)
