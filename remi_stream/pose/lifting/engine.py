"""Lifting engine: a 2D engine with a lifter behind it, which adds 3D joints and a SMPL body."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import msgspec
import numpy as np

from remi_stream.geometry import Intrinsics
from remi_stream.messages import Person, Smpl
from remi_stream.pose.engine import Engine
from remi_stream.skeletons import JOINT_NAMES, joint_indices
from remi_stream.tracking.crop import Crop, Pose

INPUT_SKELETON, OUTPUT_SKELETON = "coco17", "h36m17"
"""Skeletons of the network's input and output."""


class LiftedPose(NamedTuple):
    """A lifter's output for one person."""

    joints_m: np.ndarray
    """(J, 3) float32 m, camera frame, absolute; J = 0 while too few key points are confident."""
    smpl: Smpl | None
    """The fitted body, if there are joints."""
    state: object | None
    """The lifter's state of this track, for the next frame."""


class Lifter(Protocol):
    """Lifts one person at a time; the state of a track is passed in and out."""

    def lift(
        self,
        track_state: object | None,
        keypoints_px: np.ndarray,
        scores: np.ndarray,
        size: tuple[int, int],
        intrinsics: Intrinsics,
        captured_at: float,
    ) -> LiftedPose:
        """Lift key points (K, 2) float32 px of the full image of (width, height) px, with scores (K,) float32 in [0, 1].

        track_state: `LiftedPose.state` of this track's last frame (None for a new person). captured_at: s.
        """
        ...


class LiftingEngineState(NamedTuple):
    """State of a track between frames."""

    engine_state: object | None
    """The engine's."""
    lifter_state: object | None
    """The lifter's."""


class LiftingEngine:
    """Runs an engine, then the lifter on each person; the engine's skeleton must contain COCO's joints."""

    is_stateless = False

    def __init__(self, engine: Engine, lifter: Lifter) -> None:
        self.name, self.runtime_name, self.has_gates = engine.name, engine.runtime_name, engine.has_gates
        self._engine, self._lifter = engine, lifter

    def infer(self, crops: list[Crop]) -> list[Pose]:
        """Estimate a pose per crop, in order."""
        states = [
            crop.state if isinstance(crop.state, LiftingEngineState) else LiftingEngineState(crop.state, None) for crop in crops
        ]
        poses = self._engine.infer([crop._replace(state=state.engine_state) for crop, state in zip(crops, states)])
        return [self._lift(crop, state, pose) for crop, state, pose in zip(crops, states, poses)]

    def _lift(self, crop: Crop, state: LiftingEngineState, pose: Pose) -> Pose:
        """Add the lifter's 3D joints and SMPL pose, once it has some; a rejected pose keeps the lifter's state."""
        if pose.person is None:
            return pose._replace(state=LiftingEngineState(pose.state, state.lifter_state))
        points, scores = coco_keypoints(pose.person)
        size = crop.image.shape[1], crop.image.shape[0]
        found = self._lifter.lift(state.lifter_state, points, scores, size, crop.intrinsics, crop.captured_at)
        person = pose.person
        if len(found.joints_m):
            person = msgspec.structs.replace(person, joints_m=found.joints_m, joints_skeleton=OUTPUT_SKELETON, smpl=found.smpl)
        return pose._replace(person=person, state=LiftingEngineState(pose.state, found.state))


def coco_keypoints(person: Person) -> tuple[np.ndarray, np.ndarray]:
    """Return COCO's key points (17, 2) px and scores (17,), by their names in the person's skeleton."""
    coco = joint_indices(person.skeleton, JOINT_NAMES[INPUT_SKELETON])
    return person.keypoints_px[coco], person.keypoint_scores[coco]
