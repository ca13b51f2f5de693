"""Read a sequence of 3DPW.

von Marcard et al., "Recovering Accurate 3D Human Pose in The Wild Using IMUs and a Moving Camera" (2018).

A Python 2 pickle: a dict of lists with one array per person. Poses and joints are in world coordinates; cam_poses (F, 4, 4) is
camera_from_world. A frame counts if campose_valid is set and poses2d is not all zero. Frame n is image_{n:05d}.jpg.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.body.smpl import rotate_body
from remi_stream.evaluate.dataset import missing_body_notes, number_field, parse_gender, smpl_body_for_gender, to_numbers
from remi_stream.evaluate.truth import GroundTruth, intrinsics_from_matrix, make_smpl, make_true_frame, make_true_person
from remi_stream.formats.take import Take
from remi_stream.geometry import Intrinsics
from remi_stream.messages import Person

THREEDPW_FPS = 30.0
"""3DPW's frame rate, which its files do not contain."""
THREEDPW_KEYS = {"poses", "trans", "betas", "jointPositions", "cam_poses", "cam_intrinsics"}


def read_threedpw(content: Mapping[str, Any], name: str, bodies: Path | None) -> GroundTruth:
    """Read the truth of a sequence. Raises ValueError with the invalid field."""
    cameras = number_field(content, "cam_poses", None, 4, 4)
    intrinsics = intrinsics_from_matrix(number_field(content, "cam_intrinsics", 3, 3))
    # The files have no image size: it is estimated from the principal point.
    size = (round(2 * intrinsics[2]), round(2 * intrinsics[3]))
    actors = [ThreeDpwPerson(content, index, len(cameras)) for index in range(len(content["poses"]))]
    frames = []
    for number, camera in enumerate(cameras):
        people = [person for actor in actors if (person := actor.person_at(number, camera, intrinsics))]
        frames.append(make_true_frame(number, THREEDPW_FPS, size, intrinsics, people))
    own = {actor.track_id: smpl_body_for_gender(actor.gender, bodies) for actor in actors}
    missing = {actor.gender for actor in actors if own[actor.track_id] is None}
    return GroundTruth(Take(str(content.get("sequence", name)), size, THREEDPW_FPS, frames), own, missing_body_notes(missing))


class ThreeDpwPerson:
    """One person of a sequence; track_id is the index in it, from 1."""

    def __init__(self, content: Mapping[str, Any], index: int, count: int) -> None:
        def of_person(key: str, *shape: int | None) -> np.ndarray:
            rows = content[key]
            if len(rows) <= index:
                raise ValueError(f"{key} has {len(rows)} people, poses has {index + 1} or more")
            return number_field({key: rows[index]}, key, *shape)

        self.track_id = index + 1
        self._poses, self._trans = of_person("poses", None, 72), of_person("trans", None, 3)
        self._joints = of_person("jointPositions", None, 72).reshape(-1, 24, 3)
        self._betas = to_numbers(content["betas"][index], "betas").ravel()[:10]
        genders = content.get("genders", content.get("gender"))
        self.gender = parse_gender("n" if genders is None else genders[index])
        self._valid = self._valid_frames(content, index, count)
        shortest = min(map(len, (self._poses, self._trans, self._joints, self._valid)))
        if shortest < count or len(self._betas) != 10:
            raise ValueError(
                f"person {self.track_id} has {shortest} frames and {len(self._betas)} betas, expected {count} and 10"
            )

    @staticmethod
    def _valid_frames(content: Mapping[str, Any], index: int, count: int) -> np.ndarray:
        """Return the frames (F,) bool that 3DPW's own evaluation uses: valid camera pose, and the person visible in the image."""
        valid, points = content.get("campose_valid"), content.get("poses2d")
        mask = np.ones(count, bool) if valid is None else to_numbers(valid[index], "campose_valid").ravel() > 0
        if points is not None and len(points[index]) == len(mask):
            mask = mask & (to_numbers(points[index], "poses2d") != 0).reshape(len(mask), -1).any(1)
        return mask

    def person_at(self, number: int, camera: np.ndarray, intrinsics: Intrinsics) -> Person | None:
        """Return the person in a frame, in camera axes; None if unknown."""
        pose, trans, joints = self._poses[number], self._trans[number], self._joints[number]
        if not (self._valid[number] and np.isfinite(camera).all() and np.isfinite(joints).all()):
            return None
        rotation, translation = camera[:3, :3], camera[:3, 3]
        orient, transl = rotate_body(rotation, joints[0] - trans, pose[:3], trans)  # SMPL's pelvis rests at joints[0] - trans
        smpl = make_smpl(np.concatenate([orient, pose[3:]]), self._betas, transl + translation)
        return make_true_person(self.track_id, joints @ rotation.T + translation, smpl, intrinsics, None)
