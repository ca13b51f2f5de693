"""Any engine, with joints in space from its key points over time instead of its own."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np

from remi_stream.messages import Person
from remi_stream.pose.engine import Crop, Engine, Pose
from remi_stream.pose.lift import KEYPOINTS, LIFTED
from remi_stream.pose.lifter import Lifter
from remi_stream.skeletons import JOINTS, indices


class State(NamedTuple):
    """What a track carries from frame to frame: the engine's, and the lifter's."""

    own: object | None
    lifted: object | None


class LiftedEngine:
    """The engine's people, each with the lifter's joints and SMPL pose as soon as it has some.

    The engine's skeleton must have COCO's joints among its own.
    """

    def __init__(self, engine: Engine, lifter: Lifter) -> None:
        self.name, self.runtime_name = engine.name, engine.runtime_name
        self._engine, self._lifter = engine, lifter

    def infer(self, crops: list[Crop]) -> list[Pose]:
        """Estimate a pose per crop, in order."""
        states = [crop.state if isinstance(crop.state, State) else State(crop.state, None) for crop in crops]
        poses = self._engine.infer([crop._replace(state=state.own) for crop, state in zip(crops, states)])
        return [self._lift(crop, state, pose) for crop, state, pose in zip(crops, states, poses)]

    def _lift(self, crop: Crop, state: State, pose: Pose) -> Pose:
        """The pose with joints in space; where nobody was found, what is remembered of them is kept."""
        if pose.person is None:
            return pose._replace(state=State(pose.state, state.lifted))
        points, scores = coco_of(pose.person)
        size = crop.image.shape[1], crop.image.shape[0]
        found = self._lifter.lift(state.lifted, points, scores, size, crop.intrinsics, crop.captured_at)
        person = pose.person
        if len(found.joints_m):
            person = msgspec.structs.replace(person, joints_m=found.joints_m, joints_skeleton=LIFTED, smpl=found.smpl)
        return pose._replace(person=person, state=State(pose.state, found.state))


def coco_of(person: Person) -> tuple[np.ndarray, np.ndarray]:
    """Key points (17, 2) px and scores (17,) of COCO's joints, by their names in the person's skeleton."""
    where = indices(person.skeleton, JOINTS[KEYPOINTS])
    return person.keypoints_px[where], person.keypoint_scores[where]
