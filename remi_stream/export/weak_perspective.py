"""A person in one frame as PARE and POCO write it: a SMPL body, and the weak-perspective camera of the square crop.

Their 49 joints are those of SPIN, 25 in OpenPose's order, then 24 of LSP, MPII, Human3.6M and COCO: SMPL's own joints, single
vertices of its skin, and weighted means of vertices (`J_regressor_extra.npy`). Kolotouros et al., "Learning to reconstruct 3D
human pose and shape via model-fitting in the loop" (2019).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from remi_stream.body.known_bodies import Retargeter, load_extra_regressor, load_smpl
from remi_stream.body.smpl import Body, load_default_body
from remi_stream.errors import RemiError
from remi_stream.geometry import Intrinsics, matrices_from_axis_angle, project
from remi_stream.messages import Bodies, Person, Smpl
from remi_stream.models.manifest import find_model_file
from remi_stream.models.smpl_pickle import EXTRA_REGRESSOR_FILE, SMPL_FILE
from remi_stream.models.store import file_fault, missing_file_hint, model_path
from remi_stream.pose.crop import (
    CROP_CAMERA_FOCAL_PX,
    CROP_CAMERA_SIDE_PX,
    crop_camera_transl,
    full_image_weak_camera,
    square_crop,
    square_to_image,
    weak_camera_from_transl,
)
from remi_stream.pose.smpl_regressor import CROP_TRANSL_KEY, PERSON_VARIANCE_KEY, SQUARE_KEY, VARIANCE_KEY
from remi_stream.recordings.results import DETECTED_BOX_KEY
from remi_stream.recordings.take import Take, numbered_frames
from remi_stream.skeletons import JOINT_NAMES

VERTEX_JOINTS = {
    "nose": 332,
    "right_eye": 6260,
    "left_eye": 2800,
    "right_ear": 4071,
    "left_ear": 583,
    "left_big_toe": 3216,
    "left_small_toe": 3226,
    "left_heel": 3387,
    "right_big_toe": 6617,
    "right_small_toe": 6624,
    "right_heel": 6787,
}
"""Vertices of SMPL's skin (6890) that serve as joints; the same as in smplx' vertex_ids.py."""
EXTRA_JOINTS = (
    "right_hip_lsp",
    "left_hip_lsp",
    "neck_lsp",
    "head_top_lsp",
    "pelvis_mpii",
    "thorax_mpii",
    "spine_h36m",
    "jaw_h36m",
    "head_h36m",
)
"""The rows of J_regressor_extra.npy."""
_OPENPOSE25 = (
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist pelvis right_hip right_knee "
    "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear left_big_toe left_small_toe left_heel "
    "right_big_toe right_small_toe right_heel"
)
_FURTHER24 = (
    "right_ankle right_knee right_hip_lsp left_hip_lsp left_knee left_ankle right_wrist right_elbow right_shoulder "
    "left_shoulder left_elbow left_wrist neck_lsp head_top_lsp pelvis_mpii thorax_mpii spine_h36m jaw_h36m head_h36m nose "
    "left_eye right_eye left_ear right_ear"
)
JOINTS49 = tuple(f"{_OPENPOSE25} {_FURTHER24}".split())
_KNOWN = (*JOINT_NAMES["smpl24"], *VERTEX_JOINTS, *EXTRA_JOINTS)
JOINTS49_SOURCES = [_KNOWN.index(name) for name in JOINTS49]
FALLBACK_BOX_SCALE = 1.2
"""Scale of the square around a person whose engine uses no square crop: PARE's and POCO's, box_scale in engines/*.toml."""


class ExportBody(NamedTuple):
    """The imported SMPL body that files are written with."""

    body: Body
    extra_regressor: np.ndarray
    """(9, 6890) regressor of the additional joints from vertices."""
    from_open_body: Retargeter
    """Retargets poses of the open body."""


class WeakPerspectivePerson(NamedTuple):
    """One person in one frame."""

    frame: int
    """Frame number."""
    smpl: Smpl
    """Pose of the SMPL body."""
    square: np.ndarray
    """(4,) px: cx, cy, side, side."""
    pred_cam: np.ndarray
    """(3,) weak-perspective camera of the square: s, tx, ty."""
    orig_cam: np.ndarray
    """(4,) weak-perspective camera of the full image: sx, sy, tx, ty."""
    intrinsics: Intrinsics
    uses_crop_camera: bool
    """Whether joints are projected with the crop's own camera, as the network's authors do."""
    var: np.ndarray
    """(24,) uncertainty of each joint's rotation."""
    var_global: float
    """Uncertainty of the whole person."""


class PosedBody(NamedTuple):
    """A posed body about its origin, and its joints in the image."""

    vertices: np.ndarray
    """(6890, 3) m."""
    joints: np.ndarray
    """(49, 3) m."""
    joints_px: np.ndarray
    """(49, 2) px, full image."""


def require_export_body() -> None:
    """Raise RemiError, with what to import, unless SMPL and its additional joints have been imported."""
    # all missing files in one message, so that one attempt shows them all
    missing = [file for file in map(find_model_file, (SMPL_FILE, EXTRA_REGRESSOR_FILE)) if file_fault(file)]
    if missing:
        raise RemiError("PARE's and POCO's files contain SMPL's mesh. " + "; ".join(map(missing_file_hint, missing)))


def load_export_body() -> ExportBody:
    """Load the imported SMPL body. Raises RemiError without it."""
    require_export_body()
    body = load_smpl(model_path(find_model_file(SMPL_FILE)))
    return ExportBody(
        body, load_extra_regressor(model_path(find_model_file(EXTRA_REGRESSOR_FILE))), Retargeter(load_default_body(), body)
    )


def weak_perspective_people(take: Take, export_body: ExportBody) -> Iterator[tuple[Person, WeakPerspectivePerson]]:
    """Yield all people with a SMPL pose, frame by frame."""
    for frame, bodies in numbered_frames(take):
        for person in bodies.people:
            if person.smpl is not None:
                yield person, weak_perspective_person(frame, bodies, person, person.smpl, export_body)


def weak_perspective_person(
    frame: int, bodies: Bodies, person: Person, smpl: Smpl, export_body: ExportBody
) -> WeakPerspectivePerson:
    """Convert a person; all cameras are derived from the (filtered) SMPL pose, so filtering applies to them too."""
    own = smpl if smpl.body == "smpl" else export_body.from_open_body.retarget(smpl)
    square = crop_square(person)
    camera = weak_camera_from_transl(own.transl, square[:2], square[2], bodies.intrinsics)
    return WeakPerspectivePerson(
        frame=frame,
        smpl=own,
        square=square,
        pred_cam=camera,
        orig_cam=full_image_weak_camera(camera, square[:2], square[2], bodies.size),
        intrinsics=bodies.intrinsics,
        uses_crop_camera=CROP_TRANSL_KEY in person.native,
        # engines without an uncertainty: 1 - confidence takes its place
        var=person.native.get(VARIANCE_KEY, 1 - own.joint_confidence),
        var_global=float(person.native.get(PERSON_VARIANCE_KEY, np.array([1 - person.score]))[0]),
    )


def crop_square(person: Person) -> np.ndarray:
    """Return the engine's square crop, (4,) float64 px; else a square around the detection, or around the body."""
    if SQUARE_KEY in person.native:
        return person.native[SQUARE_KEY].astype(np.float64)
    x, y, side = square_crop(person.native.get(DETECTED_BOX_KEY, person.box_xyxy), FALLBACK_BOX_SCALE)
    return np.array([x, y, side, side])


def smpl_rotation_matrices(smpl: Smpl) -> np.ndarray:
    """Return rotation matrices of the joints in their parents, (24, 3, 3) float32."""
    vectors = np.concatenate([smpl.global_orient, smpl.body_pose]).reshape(24, 3)
    return matrices_from_axis_angle(vectors.astype(np.float64)).astype(np.float32)


def pose_body(person: WeakPerspectivePerson, export_body: ExportBody) -> PosedBody:
    """Pose the body: vertices, joints and their projection."""
    # PARE's and POCO's meshes are about the body's origin; the translation is in the camera
    pose = person.smpl.global_orient, person.smpl.body_pose, person.smpl.betas, np.zeros(3)
    vertices = export_body.body.vertices(*pose)
    joints = spin_joints49(export_body.body.joints(*pose), vertices, export_body.extra_regressor)
    return PosedBody(vertices, joints.astype(np.float32), project_joints(joints, person).astype(np.float32))


def project_joints(joints: np.ndarray, person: WeakPerspectivePerson) -> np.ndarray:
    """Project joints (49, 3) m about the body's origin to (49, 2) px, with the crop's or the full image's camera."""
    if not person.uses_crop_camera:
        return project(joints + camera_translation(person), person.intrinsics)
    # in units in which the edges of the crop are -1 and 1, as `square_to_image` takes them
    crop = CROP_CAMERA_FOCAL_PX * 2 / CROP_CAMERA_SIDE_PX
    points = project(joints + camera_translation(person), (crop, crop, 0.0, 0.0))
    return square_to_image(points, person.square[:2], person.square[2])


def camera_translation(person: WeakPerspectivePerson) -> np.ndarray:
    """Return the body's origin in that camera's frame, (3,) m."""
    return crop_camera_transl(person.pred_cam) if person.uses_crop_camera else person.smpl.transl.astype(np.float64)


def spin_joints49(joints: np.ndarray, vertices: np.ndarray, extra: np.ndarray) -> np.ndarray:
    """Return the 49 joints, (49, 3) m, of a posed SMPL body: joints (24, 3), vertices (6890, 3); extra: (9, 6890)."""
    known = np.concatenate([joints, vertices[list(VERTEX_JOINTS.values())], extra @ vertices])
    joints49: np.ndarray = known[JOINTS49_SOURCES]
    return joints49
