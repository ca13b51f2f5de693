"""The way from one mesh to another: where each vertex is on it."""

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
"""Vertices (V, 3) of a share of the way, 0 to 1."""


def read_end(text: str) -> End:
    """A mesh's file, or a recorded person. Raises RemiError."""
    return read_pose(text) if parted(text)[0].is_dir() else read_mesh(Path(text))


def mesh_of(end: End) -> Mesh:
    """The mesh at an end of the way."""
    return end.mesh if isinstance(end, Pose) else end


def called(end: End) -> str:
    """Its name in the names of folders."""
    return end.name if isinstance(end, Pose) else Path(end.name).stem


def passage(a: End, b: End) -> Passage:
    """Poses of one body turn about their joints; everything else goes straight."""
    if isinstance(a, Pose) and isinstance(b, Pose) and a.body is b.body:
        return turning(a, b)
    return straight(mesh_of(a), mesh_of(b))


def straight(a: Mesh, b: Mesh) -> Passage:
    """Each vertex on a line."""
    return lambda share: a.vertices * (1 - share) + b.vertices * share


def turning(a: Pose, b: Pose) -> Passage:
    """Each joint by the shorter way about one axis, evenly; place and shape on a line."""
    begin = from_vectors(_vectors(a.smpl))
    way = difference(begin, from_vectors(_vectors(b.smpl)))

    def at(share: float) -> np.ndarray:
        vectors = to_vectors(turned(begin, way * share)).astype(np.float32)
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
