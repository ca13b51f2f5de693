"""Interpolation between two meshes: linear, or slerp of the joint rotations between two poses of one body."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from remi_stream.filters.quaternion import (
    quaternion_difference,
    quaternions_from_rotation_vectors,
    rotate_quaternions,
    rotation_vectors_from_quaternions,
)
from remi_stream.messages import Smpl
from remi_stream.morph.files import read_mesh
from remi_stream.morph.mesh import TriangleMesh
from remi_stream.morph.person import RecordedPose, parse_person_reference, posed_vertices, read_recorded_pose

MorphEnd = TriangleMesh | RecordedPose
MorphPath = Callable[[float], np.ndarray]
"""Gives the vertices (V, 3) at a share of the morph, 0 to 1."""


def read_morph_end(text: str) -> MorphEnd:
    """Read one end of a morph: a mesh file, or a person of a recording. Raises RemiError."""
    return read_recorded_pose(text) if parse_person_reference(text)[0].is_dir() else read_mesh(Path(text))


def end_mesh(end: MorphEnd) -> TriangleMesh:
    """Return the mesh at one end."""
    return end.mesh if isinstance(end, RecordedPose) else end


def end_name(end: MorphEnd) -> str:
    """Return the name of one end, for folder names."""
    return end.name if isinstance(end, RecordedPose) else Path(end.name).stem


def morph_path(a: MorphEnd, b: MorphEnd) -> MorphPath:
    """Choose the interpolation: slerp for two poses of one body, else linear."""
    if isinstance(a, RecordedPose) and isinstance(b, RecordedPose) and a.body is b.body:
        return slerp_path(a, b)
    return linear_path(end_mesh(a), end_mesh(b))


def linear_path(a: TriangleMesh, b: TriangleMesh) -> MorphPath:
    """Interpolate vertices linearly."""
    return lambda share: a.vertices * (1 - share) + b.vertices * share


def slerp_path(a: RecordedPose, b: RecordedPose) -> MorphPath:
    """Interpolate joint rotations by slerp, and translation and betas linearly."""
    first = quaternions_from_rotation_vectors(_vectors(a.smpl))
    rotation = quaternion_difference(first, quaternions_from_rotation_vectors(_vectors(b.smpl)))

    def at(share: float) -> np.ndarray:
        vectors = rotation_vectors_from_quaternions(rotate_quaternions(first, rotation * share)).astype(np.float32)
        betas, transl = (
            (start * (1 - share) + end * share).astype(np.float32)
            for start, end in ((a.smpl.betas, b.smpl.betas), (a.smpl.transl, b.smpl.transl))
        )
        smpl = Smpl(
            body=a.smpl.body,
            global_orient=vectors[0],
            body_pose=vectors[1:].ravel(),
            betas=betas,
            transl=transl,
            joint_confidence=a.smpl.joint_confidence,
        )
        return posed_vertices(a.body, smpl)

    return at


def _vectors(smpl: Smpl) -> np.ndarray:
    return np.concatenate([smpl.global_orient, smpl.body_pose]).astype(float).reshape(-1, 3)
