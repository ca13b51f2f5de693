"""Read a sequence of EMDB.

Kaufmann et al., "EMDB: The Electromagnetic Database of Global 3D Human Pose and Shape in the Wild" (2023).

One person: smpl {poses_root (F, 3), poses_body (F, 69), trans (F, 3), betas (10,)} in the world; camera {intrinsics (3, 3),
extrinsics (F, 4, 4) from the world, width, height}; bboxes {bboxes (F, 4) px, x0 y0 x1 y1, invalid_idxs}; good_frames_mask (F,).
The files have no joints: they are computed from SMPL's body of the gender. 30 frames per second.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.body.retarget import SMPL_PELVIS_M
from remi_stream.body.smpl import rotate_body
from remi_stream.evaluate.dataset import missing_body_notes, number_field, parse_gender, smpl_body_for_gender, to_numbers
from remi_stream.evaluate.truth import GroundTruth, intrinsics_from_matrix, make_smpl, make_true_frame, make_true_person
from remi_stream.formats.take import Take

EMDB_FPS = 30.0
"""EMDB's frame rate, which its files do not contain."""
EMDB_KEYS = {"smpl", "camera", "bboxes", "good_frames_mask", "gender"}


def read_emdb(content: Mapping[str, Any], name: str, bodies: Path | None) -> GroundTruth:
    """Read the truth of a sequence. Raises ValueError with the invalid field."""
    smpl, camera, boxes = (mapping_field(content, key) for key in ("smpl", "camera", "bboxes"))
    extrinsics = number_field(camera, "extrinsics", None, 4, 4)
    count = len(extrinsics)
    intrinsics = intrinsics_from_matrix(number_field(camera, "intrinsics", 3, 3))
    size = int(camera["width"]), int(camera["height"])
    poses = np.concatenate([number_field(smpl, "poses_root", count, 3), number_field(smpl, "poses_body", count, 69)], 1)
    trans, betas = number_field(smpl, "trans", count, 3), to_numbers(smpl.get("betas"), "betas").ravel()[:10]
    is_good, has_box = number_field(content, "good_frames_mask", count) > 0, valid_box_mask(boxes, count)
    boxes_xyxy = number_field(boxes, "bboxes", count, 4)
    gender = parse_gender(content["gender"])
    body = smpl_body_for_gender(gender, bodies)
    pelvis = body.rest_joints(betas)[0] if body else SMPL_PELVIS_M
    frames = []
    for number, matrix in enumerate(extrinsics):
        orient, transl = rotate_body(matrix[:3, :3], pelvis, poses[number, :3], trans[number])
        pose = make_smpl(np.concatenate([orient, poses[number, 3:]]), betas, transl + matrix[:3, 3])
        joints = body.joints(pose.global_orient, pose.body_pose, betas, pose.transl) if body else None
        box = boxes_xyxy[number] if has_box[number] else None
        visible = is_good[number] and (box is not None or joints is not None)
        people = [make_true_person(1, joints, pose, intrinsics, box)] if visible else []
        frames.append(make_true_frame(number, EMDB_FPS, size, intrinsics, people))
    notes = missing_body_notes(set() if body else {gender})
    return GroundTruth(Take(str(content.get("name", name)), size, EMDB_FPS, frames), {1: body}, notes)


def mapping_field(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a field that is a dict. Raises ValueError."""
    value = content.get(key)
    if not isinstance(value, dict):
        raise ValueError(f"{key} is a {type(value).__name__}, expected named arrays")
    return value


def valid_box_mask(boxes: Mapping[str, Any], count: int) -> np.ndarray:
    """Return where the box is valid, (F,) bool; elsewhere a box is put around the joints."""
    valid = np.ones(count, bool)
    invalid = to_numbers(boxes.get("invalid_idxs", []), "invalid_idxs").astype(int).ravel()
    valid[invalid[(invalid >= 0) & (invalid < count)]] = False
    return valid
