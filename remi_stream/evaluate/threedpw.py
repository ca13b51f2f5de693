"""A sequence of 3DPW: von Marcard et al., "Recovering Accurate 3D Human Pose in The Wild Using IMUs and a Moving Camera" (2018).

A pickle of Python 2: a dict with lists of one array for each person. Poses and joints stand in the world, cam_poses (F, 4, 4)
takes them into the camera. A frame counts where campose_valid says so and poses2d has
anything. Frame n is image_{n:05d}.jpg; there are 30 a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.body.smpl import change_axes
from remi_stream.evaluate.dataset import as_numbers, body_of, gender_of, missing_body, numbers
from remi_stream.evaluate.truth import Truth, intrinsics_of, smpl_of, true_frame, true_person
from remi_stream.formats.take import Take
from remi_stream.geometry import Intrinsics
from remi_stream.messages import Person

FPS = 30.0
KEYS = {"poses", "trans", "betas", "jointPositions", "cam_poses", "cam_intrinsics"}


def read(content: Mapping[str, Any], name: str, bodies: Path | None) -> Truth:
    """The truth of a sequence. Raises ValueError that says what is not as it should be."""
    cameras = numbers(content, "cam_poses", None, 4, 4)
    intrinsics = intrinsics_of(numbers(content, "cam_intrinsics", 3, 3))
    size = (round(2 * intrinsics[2]), round(2 * intrinsics[3]))
    actors = [Actor(content, index, len(cameras)) for index in range(len(content["poses"]))]
    frames = []
    for number, camera in enumerate(cameras):
        people = [person for actor in actors if (person := actor.at(number, camera, intrinsics))]
        frames.append(true_frame(number, FPS, size, intrinsics, people))
    own = {actor.track_id: body_of(actor.gender, bodies) for actor in actors}
    lacking = {actor.gender for actor in actors if own[actor.track_id] is None}
    return Truth(Take(str(content.get("sequence", name)), size, FPS, frames), own, missing_body(lacking))


class Actor:
    """One person of a sequence, whose track_id is their place in it, from 1."""

    def __init__(self, content: Mapping[str, Any], index: int, count: int) -> None:
        def of_person(key: str, *shape: int | None) -> np.ndarray:
            rows = content[key]
            if len(rows) <= index:
                raise ValueError(f"{key} is of {len(rows)} people, poses of {index + 1} or more")
            return numbers({key: rows[index]}, key, *shape)

        self.track_id = index + 1
        self._poses, self._trans = of_person("poses", None, 72), of_person("trans", None, 3)
        self._joints = of_person("jointPositions", None, 72).reshape(-1, 24, 3)
        self._betas = as_numbers(content["betas"][index], "betas").ravel()[:10]
        genders = content.get("genders", content.get("gender"))
        self.gender = gender_of("n" if genders is None else genders[index])
        self._valid = self._known(content, index, count)
        shortest = min(map(len, (self._poses, self._trans, self._joints, self._valid)))
        if shortest < count or len(self._betas) != 10:
            raise ValueError(
                f"person {self.track_id} has {shortest} frames and {len(self._betas)} betas, expected {count} and 10"
            )

    @staticmethod
    def _known(content: Mapping[str, Any], index: int, count: int) -> np.ndarray:
        """As the data set's own evaluation has it: where the camera is right, and somebody is to be seen in the picture."""
        valid, points = content.get("campose_valid"), content.get("poses2d")
        known = np.ones(count, bool) if valid is None else as_numbers(valid[index], "campose_valid").ravel() > 0
        if points is not None and len(points[index]) == len(known):
            known = known & (as_numbers(points[index], "poses2d") != 0).reshape(len(known), -1).any(1)
        return known

    def at(self, number: int, camera: np.ndarray, intrinsics: Intrinsics) -> Person | None:
        """Where they are in a frame; None where that is not known."""
        pose, trans, joints = self._poses[number], self._trans[number], self._joints[number]
        if not (self._valid[number] and np.isfinite(camera).all() and np.isfinite(joints).all()):
            return None
        rotation, away = camera[:3, :3], camera[:3, 3]
        orient, transl = change_axes(rotation, joints[0] - trans, pose[:3], trans)  # SMPL's pelvis rests at joints[0] - trans
        smpl = smpl_of(np.concatenate([orient, pose[3:]]), self._betas, transl + away)
        return true_person(self.track_id, joints @ rotation.T + away, smpl, intrinsics, None)
