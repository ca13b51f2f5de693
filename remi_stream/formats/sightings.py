"""Somebody in one frame as PARE's and POCO's files have them: a SMPL body, and the weak camera of the square around them."""

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
"""Of the square around people that an engine did not look at in a square."""


class Figure(NamedTuple):
    """The SMPL body that files are written with. extra: (9, 6890), of its vertices. onto: from the open body."""

    body: Body
    extra: np.ndarray
    onto: Retarget


class Sighting(NamedTuple):
    """One person in one frame.

    frame: its number. smpl: of the SMPL body. square: (4,) px cx, cy, side, side. pred_cam: (3,) of the square. orig_cam: (4,) of
    the picture. of_crop: the network's authors draw it with the crop's own camera. var: (24,); var_global: of the whole person.
    """

    frame: int
    smpl: Smpl
    square: np.ndarray
    pred_cam: np.ndarray
    orig_cam: np.ndarray
    intrinsics: Intrinsics
    of_crop: bool
    var: np.ndarray
    var_global: float


class Posed(NamedTuple):
    """A sighting's body around its origin, and in the picture: vertices (6890, 3) m, joints (49, 3) m, joints_px (49, 2)."""

    vertices: np.ndarray
    joints: np.ndarray
    joints_px: np.ndarray


def require_figure() -> None:
    """Raise RemiError, which says what to bring, unless SMPL and its further joints have been imported."""
    missing = [file for file in map(known_file, (SMPL, EXTRA)) if fault(file)]
    if missing:
        raise RemiError("Files as PARE and POCO write them hold SMPL's mesh. " + "; ".join(map(what_to_bring, missing)))


def load_figure() -> Figure:
    """The imported SMPL body. Raises RemiError without it."""
    require_figure()
    body = load_smpl(place(known_file(SMPL)))
    return Figure(body, load_extra_regressor(place(known_file(EXTRA))), Retarget(load_open_body(), body))


def sightings(take: Take, figure: Figure) -> Iterator[tuple[Person, Sighting]]:
    """Everybody who has a SMPL body, frame by frame."""
    for frame, bodies in numbered(take):
        for person in bodies.people:
            if person.smpl is not None:
                yield person, sighting(frame, bodies, person, person.smpl, figure)


def sighting(frame: int, bodies: Bodies, person: Person, smpl: Smpl, figure: Figure) -> Sighting:
    """Somebody as the files have them; what was smoothed is smooth in all of it."""
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
    """The square that the engine looked at, (4,) float64 px; else one around what the detector saw, or around the body."""
    if SQUARE in person.native:
        return person.native[SQUARE].astype(np.float64)
    x, y, side = square_around(person.native.get(DETECTED_BOX, person.box_xyxy), BOX_SCALE)
    return np.array([x, y, side, side])


def rotations_of(smpl: Smpl) -> np.ndarray:
    """Each joint's rotation in its parent, (24, 3, 3) float32."""
    vectors = np.concatenate([smpl.global_orient, smpl.body_pose]).reshape(24, 3)
    return rotation_matrices(vectors.astype(np.float64)).astype(np.float32)


def posed(seen: Sighting, figure: Figure) -> Posed:
    """The body of a sighting."""
    pose = seen.smpl.global_orient, seen.smpl.body_pose, seen.smpl.betas, np.zeros(3)
    vertices = figure.body.vertices(*pose)
    joints = joints_49(figure.body.joints(*pose), vertices, figure.extra)
    return Posed(vertices, joints.astype(np.float32), drawn(joints, seen).astype(np.float32))


def drawn(joints: np.ndarray, seen: Sighting) -> np.ndarray:
    """Where joints (49, 3), m, around the body's origin are in the picture, (49, 2) px: by the camera that the engine knows."""
    if not seen.of_crop:
        return project(joints + away(seen), seen.intrinsics)
    crop = CROP_FOCAL_PX * 2 / CROP_PX
    points = project(joints + away(seen), (crop, crop, 0.0, 0.0))
    return picture_from_square(points, seen.square[:2], seen.square[2])


def away(seen: Sighting) -> np.ndarray:
    """Where the body's origin is before that camera, (3,) m."""
    return crop_translation(seen.pred_cam) if seen.of_crop else seen.smpl.transl.astype(np.float64)
