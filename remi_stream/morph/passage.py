"""Interpolation between two meshes: linear, or slerp of the joint rotations between two poses of one body."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from remi_stream.filters.quaternion import difference, from_vectors, to_vectors, turned
from remi_stream.messages import Smpl
from remi_stream.morph.files import read_mesh
from remi_stream.morph.mesh import Mesh
from remi_stream.morph.person import Pose, parted, read_pose, skin

End = Mesh | Pose
Passage = Callable[[float], np.ndarray]
"""Gives the vertices (V, 3) at a share of the morph, 0 to 1."""


def read_end(text: str) -> End:
    """Read one end of a morph: a mesh file, or a person of a recording. Raises RemiError."""
    return read_pose(text) if parted(text)[0].is_dir() else read_mesh(Path(text))


def mesh_of(end: End) -> Mesh:
    """Return the mesh at one end."""
    return end.mesh if isinstance(end, Pose) else end


def called(end: End) -> str:
    """Return the name of one end, for folder names."""
    return end.name if isinstance(end, Pose) else Path(end.name).stem


def passage(a: End, b: End) -> Passage:
    """Choose the interpolation: slerp for two poses of one body, else linear."""
    if isinstance(a, Pose) and isinstance(b, Pose) and a.body is b.body:
        return turning(a, b)
    return straight(mesh_of(a), mesh_of(b))


def straight(a: Mesh, b: Mesh) -> Passage:
    """Interpolate vertices linearly."""
    return lambda share: a.vertices * (1 - share) + b.vertices * share


def turning(a: Pose, b: Pose) -> Passage:
    """Interpolate joint rotations by slerp, and translation and betas linearly."""
    first = from_vectors(_vectors(a.smpl))
    rotation = difference(first, from_vectors(_vectors(b.smpl)))

    def at(share: float) -> np.ndarray:
        vectors = to_vectors(turned(first, rotation * share)).astype(np.float32)
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
        return skin(a.body, smpl)

    return at


def _vectors(smpl: Smpl) -> np.ndarray:
    return np.concatenate([smpl.global_orient, smpl.body_pose]).astype(float).reshape(-1, 3)
