"""A person in one frame as PARE and POCO write it: a SMPL body and the weak-perspective camera of the square crop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from remi_stream.body.joints49 import joints_49
from remi_stream.body.retarget import Retarget
from remi_stream.body.smpl import Body, load_open_body
from remi_stream.body.smpl_file import EXTRA, SMPL, load_extra_regressor, load_smpl
from remi_stream.errors import RemiError
from remi_stream.formats.frame_numbers import numbered
from remi_stream.formats.take import Take
from remi_stream.geometry import Intrinsics, project, rotation_matrices
from remi_stream.messages import Bodies, Person, Smpl
from remi_stream.models.catalogue import known_file
from remi_stream.models.store import fault, place, what_to_bring
from remi_stream.offline.results import DETECTED_BOX
from remi_stream.pose.poco import VAR, VAR_GLOBAL
from remi_stream.pose.regressor import CROP_TRANSL, SQUARE
from remi_stream.pose.square import square_around
from remi_stream.pose.weak_camera import (
    CROP_FOCAL_PX,
    CROP_PX,
    crop_translation,
    picture_from_square,
    weak_camera,
    whole_picture,
)

BOX_SCALE = 1.2
"""Scale of the square around a person whose engine uses no square crop."""


class Figure(NamedTuple):
    """The imported SMPL body that files are written with."""

    body: Body
    extra: np.ndarray
    """(9, 6890) regressor of the additional joints from vertices."""
    onto: Retarget
    """Retargets poses of the open body."""


class Sighting(NamedTuple):
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
    of_crop: bool
    """Whether joints are projected with the crop's own camera, as the network's authors do."""
    var: np.ndarray
    """(24,) uncertainty of each joint's rotation."""
    var_global: float
    """Uncertainty of the whole person."""


class Posed(NamedTuple):
    """A posed body about its origin, and its joints in the image."""

    vertices: np.ndarray
    """(6890, 3) m."""
    joints: np.ndarray
    """(49, 3) m."""
    joints_px: np.ndarray
    """(49, 2) px, full image."""


def require_figure() -> None:
    """Raise RemiError, with what to import, unless SMPL and its additional joints have been imported."""
    missing = [file for file in map(known_file, (SMPL, EXTRA)) if fault(file)]
    if missing:
        raise RemiError("PARE's and POCO's files contain SMPL's mesh. " + "; ".join(map(what_to_bring, missing)))


def load_figure() -> Figure:
    """Load the imported SMPL body. Raises RemiError without it."""
    require_figure()
    body = load_smpl(place(known_file(SMPL)))
    return Figure(body, load_extra_regressor(place(known_file(EXTRA))), Retarget(load_open_body(), body))


def sightings(take: Take, figure: Figure) -> Iterator[tuple[Person, Sighting]]:
    """Yield all people with a SMPL pose, frame by frame."""
    for frame, bodies in numbered(take):
        for person in bodies.people:
            if person.smpl is not None:
                yield person, sighting(frame, bodies, person, person.smpl, figure)


def sighting(frame: int, bodies: Bodies, person: Person, smpl: Smpl, figure: Figure) -> Sighting:
    """Convert a person; all cameras are derived from the (filtered) SMPL pose, so filtering applies to them too."""
    own = smpl if smpl.body == "smpl" else figure.onto.smpl(smpl)
    square = square_of(person)
    camera = weak_camera(own.transl, square[:2], square[2], bodies.intrinsics)
    return Sighting(
        frame=frame,
        smpl=own,
        square=square,
        pred_cam=camera,
        orig_cam=whole_picture(camera, square[:2], square[2], bodies.size),
        intrinsics=bodies.intrinsics,
        of_crop=CROP_TRANSL in person.native,
        var=person.native.get(VAR, 1 - own.joint_confidence),
        var_global=float(person.native.get(VAR_GLOBAL, np.array([1 - person.score]))[0]),
    )


def square_of(person: Person) -> np.ndarray:
    """Return the engine's square crop, (4,) float64 px; else a square around the detection, or around the body."""
    if SQUARE in person.native:
        return person.native[SQUARE].astype(np.float64)
    x, y, side = square_around(person.native.get(DETECTED_BOX, person.box_xyxy), BOX_SCALE)
    return np.array([x, y, side, side])


def rotations_of(smpl: Smpl) -> np.ndarray:
    """Return rotation matrices of the joints in their parents, (24, 3, 3) float32."""
    vectors = np.concatenate([smpl.global_orient, smpl.body_pose]).reshape(24, 3)
    return rotation_matrices(vectors.astype(np.float64)).astype(np.float32)


def posed(seen: Sighting, figure: Figure) -> Posed:
    """Pose the body: vertices, joints and their projection."""
    pose = seen.smpl.global_orient, seen.smpl.body_pose, seen.smpl.betas, np.zeros(3)
    vertices = figure.body.vertices(*pose)
    joints = joints_49(figure.body.joints(*pose), vertices, figure.extra)
    return Posed(vertices, joints.astype(np.float32), drawn(joints, seen).astype(np.float32))


def drawn(joints: np.ndarray, seen: Sighting) -> np.ndarray:
    """Project joints (49, 3) m about the body's origin to (49, 2) px, with the crop's or the full image's camera."""
    if not seen.of_crop:
        return project(joints + away(seen), seen.intrinsics)
    crop = CROP_FOCAL_PX * 2 / CROP_PX
    points = project(joints + away(seen), (crop, crop, 0.0, 0.0))
    return picture_from_square(points, seen.square[:2], seen.square[2])


def away(seen: Sighting) -> np.ndarray:
    """Return the body's origin in that camera's frame, (3,) m."""
    return crop_translation(seen.pred_cam) if seen.of_crop else seen.smpl.transl.astype(np.float64)
