"""Known bodies: the imported SMPL model, the default body, and retargeting of poses from one to another.

The imported model is plain arrays in the model store, converted from SMPL's pickles by models/smpl_pickle.py.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from remi_stream.body.smpl import Body, joint_rotations, load_default_body
from remi_stream.geometry import axis_angle_from_matrices, shortest_rotation
from remi_stream.messages import Smpl
from remi_stream.models.array_files import read_npy, read_npz
from remi_stream.models.manifest import find_model_file
from remi_stream.models.safe_pickle import damage_errors
from remi_stream.models.smpl_pickle import EXTRA_REGRESSOR_FILE, SMPL_ARRAYS, SMPL_FILE
from remi_stream.models.store import file_fault, model_path
from remi_stream.skeletons import JOINT_NAMES, SMPL_PARENTS

SMPL_PELVIS_M = np.array([-0.002, -0.223, 0.028])
"""J0 of the neutral SMPL body at its mean shape, to a millimetre: all that is needed of SMPL before its file is imported."""
LIMB_CHAINS = ("hip knee ankle foot", "shoulder elbow wrist hand")
MEAN_SHAPE = np.zeros(10, np.float32)


@cache
def load_smpl(path: Path) -> Body:
    """Load the body from a file of `save_smpl`: 6890 vertices, 10 betas, posedirs (6890, 3, 207)."""
    with damage_errors(path.name, "SMPL's arrays", advice="Import it again."):
        packed = read_npz(path)
        for name in SMPL_ARRAYS.keys() & packed.keys():
            if not np.isfinite(packed[name]).all():
                raise ValueError(f"{name} has non-finite numbers")
        floats = {ours: packed[theirs] for theirs, ours in SMPL_ARRAYS.items()}
        return Body(name="smpl", faces=packed["f"], parents=np.array(SMPL_PARENTS, np.int32), **floats)


def load_extra_regressor(path: Path) -> np.ndarray:
    """Load the regressor of nine more joints from SMPL's vertices: (9, 6890) float64, rows sum to 1.

    In order: right and left hip, neck and top of the head of LSP; pelvis and thorax of MPII; spine, jaw and head of Human3.6M.
    """
    with damage_errors(path.name, "J_regressor_extra", advice="Import it again."):
        return read_npy(path).astype(np.float64)


def load_engine_body() -> Body:
    """Return SMPL if it has been imported and is intact, else the default body."""
    file = find_model_file(SMPL_FILE)
    return load_default_body() if file_fault(file) else load_smpl(model_path(file))


def find_extra_regressor() -> np.ndarray | None:
    """Return the regressor of nine more joints, or None if it is not imported; it fits SMPL's vertices only."""
    file = find_model_file(EXTRA_REGRESSOR_FILE)
    return None if file_fault(file) else load_extra_regressor(model_path(file))


class Retargeter:
    """Retargets poses from one body to another. source: None for SMPL before its file is imported; only its pelvis is known.

    The rest poses of two bodies differ a little in the limbs' directions and in the position of the pelvis. So each joint of arms
    and legs is corrected by a constant, the shortest rotation between the two rest bones, and transl is chosen so that the pelvis
    keeps its position. Trunk and head are not corrected: there the joints lie differently inside the same shape. Betas are not
    transferable, so the target has its mean shape.
    """

    def __init__(self, source: Body | None, target: Body) -> None:
        self.source, self.target = source, target
        self._same = source is not None and source.name == target.name
        self._corrections = (
            None if source is None or self._same else limb_corrections(mean_rest_joints(source), mean_rest_joints(target))
        )

    def retarget(self, smpl: Smpl) -> Smpl:
        """Retarget a pose; unchanged if source and target are the same body."""
        if self._same:
            return smpl
        vectors = np.concatenate([smpl.global_orient, smpl.body_pose])
        if self._corrections is not None:
            vectors = axis_angle_from_matrices(self._corrected(smpl)).astype(np.float32).ravel()
        return Smpl(
            body=message_body_name(self.target),
            global_orient=vectors[:3],
            body_pose=vectors[3:],
            betas=MEAN_SHAPE,
            transl=(self.source_pelvis(smpl) - mean_rest_joints(self.target)[0]).astype(np.float32),
            joint_confidence=smpl.joint_confidence,
        )

    def source_pelvis(self, smpl: Smpl) -> np.ndarray:
        """Return the position of the source's pelvis, (3,) m, in transl's frame."""
        rest_pelvis = SMPL_PELVIS_M if self.source is None else self.source.rest_joints(smpl.betas)[0]
        return rest_pelvis + smpl.transl

    def _corrected(self, smpl: Smpl) -> np.ndarray:
        """Return local rotations (24, 3, 3) on the target: with G' = G C for each world rotation, R' = C(parent)^T R C."""
        assert self._corrections is not None
        above = self._corrections[[0, *SMPL_PARENTS[1:]]]
        return above.swapaxes(1, 2) @ joint_rotations(smpl.global_orient, smpl.body_pose) @ self._corrections


def limb_corrections(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the corrections C (24, 3, 3): rotations from the target's rest bones to the source's; rest joints (24, 3), m.

    Identity for trunk and head; toes and fingers have the correction of the bone before them.
    """
    turns = np.broadcast_to(np.eye(3), (24, 3, 3)).copy()
    for joints in limb_chains():
        starts, ends = joints[:-1], joints[1:]
        turns[starts] = shortest_rotation(target[ends] - target[starts], source[ends] - source[starts])
        turns[joints[-1]] = turns[joints[-2]]
    return turns


def limb_chains() -> list[list[int]]:
    """Return the joints of each arm and leg, from the trunk outwards."""
    names = JOINT_NAMES["smpl24"]
    return [[names.index(f"{side}_{joint}") for joint in chain.split()] for chain in LIMB_CHAINS for side in ("left", "right")]


def mean_rest_joints(body: Body) -> np.ndarray:
    """Return the rest joints (24, 3), m, of the mean shape."""
    return body.rest_joints(MEAN_SHAPE)


def message_body_name(body: Body) -> Literal["smpl", "open"]:
    """Return the name of a body in messages."""
    return "smpl" if body.name == "smpl" else "open"


@cache
def known_body() -> Body:
    """Return the body of engines and viewers: SMPL if it was imported before this process's first call, else the default body."""
    return load_engine_body()


@cache
def retargeter_to_known_body(source: str) -> Retargeter:
    """Return the retargeting to `known_body` from the body of this name ("smpl", "open")."""
    sources = {body.name: body for body in (load_default_body(), known_body())}
    return Retargeter(sources.get(source), known_body())
