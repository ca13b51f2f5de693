"""Track of one person: bounding box, engine state, identity and counters of poses and misses."""

from __future__ import annotations

import numpy as np

from remi_stream.messages import Person
from remi_stream.pose.engine import Pose
from remi_stream.pose.identity import Identity, person_depth_m

BOX_HISTORY_S = 2.0
"""How long boxes are kept for detections, which arrive later than the poses of their frame."""
DETECTION_WEIGHT = 0.2
"""Weight of a detection's box against the box from the pose."""
STABLE_POSES = 5
"""Poses after which a track is stable."""
ESTABLISHED_POSES = 5
"""Poses after which a lost track is kept for re-identification."""


class Track:
    """A person who is followed from frame to frame by the boxes of their poses."""

    def __init__(self, box_xyxy: np.ndarray, identity: Identity | None = None) -> None:
        self.box_xyxy = box_xyxy
        """(4,) float32 px: the crop's box in the next frame."""
        self.state: object | None = None
        """The engine's state."""
        self.identity = identity
        """Known after the first pose."""
        self.person: Person | None = None
        """The last accepted pose."""
        self.occlusion_mask: np.ndarray | None = None
        """(H, W) uint8: occlusion mask in the newest frame; None if no one is in front."""
        self.poses = self.failures = self.misses = 0
        """Accepted poses in all, and consecutive rejected poses and missed detections."""
        self._history: dict[int, tuple[float, np.ndarray]] = {}

    @property
    def track_id(self) -> int:
        """Id of the identity; 0 before the first pose."""
        return self.identity.track_id if self.identity else 0

    @property
    def is_stable(self) -> bool:
        """Whether it has had enough poses, and no failure or miss since."""
        return self.poses >= STABLE_POSES and not self.failures and not self.misses

    @property
    def is_established(self) -> bool:
        """Whether it is kept for re-identification when it is lost."""
        return self.poses >= ESTABLISHED_POSES

    @property
    def depth_m(self) -> float | None:
        """Depth of the person, m; None before the first pose."""
        if self.identity is not None:
            return self.identity.depth_m
        return person_depth_m(self.person) if self.person else None

    def box_at(self, frame_id: int) -> np.ndarray | None:
        """Return the track's box in a frame of the last BOX_HISTORY_S seconds."""
        entry = self._history.get(frame_id)
        return entry[1] if entry else None

    def update_pose(self, frame_id: int, captured_at: float, pose: Pose) -> None:
        """Update with the engine's pose for a frame."""
        self._history = {key: entry for key, entry in self._history.items() if captured_at - entry[0] <= BOX_HISTORY_S}
        self._history[frame_id] = (captured_at, pose.person.box_xyxy if pose.person else self.box_xyxy)
        if pose.person is None:
            self.failures += 1
            return
        self.poses, self.failures, self.person = self.poses + 1, 0, pose.person
        self.box_xyxy, self.state = pose.next_box_xyxy, pose.state

    def update_detection(self, box_xyxy: np.ndarray, track_box_xyxy: np.ndarray) -> None:
        """Update with a matched detection: move the box by part of the difference, by all of it after a rejected pose.

        track_box_xyxy: (4,) px, the track's box in the detection's frame.
        """
        self.misses = 0
        weight = 1.0 if self.failures else DETECTION_WEIGHT
        self.box_xyxy = (self.box_xyxy + weight * (box_xyxy - track_box_xyxy)).astype(np.float32)
