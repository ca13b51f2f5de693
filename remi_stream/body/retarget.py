"""A pose that was published for one body, on another body.

Two bodies at rest hold their limbs a little differently, and turn about a pelvis that is elsewhere. So each joint of the arms
and legs is turned by a constant, the shortest rotation from the other body's resting bone to the own one, and transl is chosen
so that the pelvis stays where it was. Trunk and head keep their attitude: there the joints lie differently inside the same
shape. Betas mean nothing on another body, which takes its mean shape.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np

from remi_stream.body.smpl import Body, joint_rotations, load_open_body
from remi_stream.body.smpl_file import body_for_engines
from remi_stream.geometry import rotation_vectors, swing
from remi_stream.messages import Smpl
from remi_stream.skeletons import JOINTS, SMPL_PARENTS

SMPL_PELVIS_M = np.array([-0.002, -0.223, 0.028])
"""J0 of the neutral SMPL body at its mean shape, to a millimetre: what is needed of SMPL as long as its file is not there."""
CHAINS = ("hip knee ankle foot", "shoulder elbow wrist hand")
MEAN_SHAPE = np.zeros(10, np.float32)


class Retarget:
    """From one body to another. source: None for a SMPL body whose file is not there, of which only the pelvis is known."""

    def __init__(self, source: Body | None, target: Body) -> None:
        self.source, self.target = source, target
        self._same = source is not None and source.name == target.name
        self._turns = None if source is None or self._same else limb_turns(rest(source), rest(target))

    def smpl(self, smpl: Smpl) -> Smpl:
        """The same pose for the other body; unchanged if it is the same one."""
        if self._same:
            return smpl
        vectors = np.concatenate([smpl.global_orient, smpl.body_pose])
        if self._turns is not None:
            vectors = rotation_vectors(self._turned(smpl)).astype(np.float32).ravel()
        return Smpl(
            body=named(self.target),
            global_orient=vectors[:3],
            body_pose=vectors[3:],
            betas=MEAN_SHAPE,
            transl=(self.pelvis(smpl) - rest(self.target)[0]).astype(np.float32),
            joint_confidence=smpl.joint_confidence,
        )

    def pelvis(self, smpl: Smpl) -> np.ndarray:
        """Where the pelvis of a body of the source is, (3,) m, in transl's frame."""
        resting = SMPL_PELVIS_M if self.source is None else self.source.rest_joints(smpl.betas)[0]
        return resting + smpl.transl

    def _turned(self, smpl: Smpl) -> np.ndarray:
        """Each joint's rotation in its parent, (24, 3, 3): with G' = G C for each world rotation, R' = C(parent)^T R C."""
        assert self._turns is not None
        above = self._turns[[0, *SMPL_PARENTS[1:]]]
        return above.swapaxes(1, 2) @ joint_rotations(smpl.global_orient, smpl.body_pose) @ self._turns


def limb_turns(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """For each joint (24, 3, 3): the rotation C from the target's resting bone to the source's; rest joints (24, 3), m.

    The identity for trunk and head; toes and fingers take that of the foot and the hand.
    """
    turns = np.broadcast_to(np.eye(3), (24, 3, 3)).copy()
    for joints in limbs():
        starts, ends = joints[:-1], joints[1:]
        turns[starts] = swing(target[ends] - target[starts], source[ends] - source[starts])
        turns[joints[-1]] = turns[joints[-2]]
    return turns


def limbs() -> list[list[int]]:
    """The joints of each arm and leg, from the trunk outwards."""
    names = JOINTS["smpl24"]
    return [[names.index(f"{side}_{joint}") for joint in chain.split()] for chain in CHAINS for side in ("left", "right")]


def rest(body: Body) -> np.ndarray:
    """Rest joints (24, 3), m, of the mean shape."""
    return body.rest_joints(MEAN_SHAPE)


def named(body: Body) -> Literal["smpl", "open"]:
    """What messages call a body."""
    return "smpl" if body.name == "smpl" else "open"


@cache
def known_body() -> Body:
    """The body that engines and viewers use: SMPL if it was imported when this process first asked, else the open body."""
    return body_for_engines()


@cache
def onto_known_body(source: str) -> Retarget:
    """To that body from the one of this name ("smpl", "open")."""
    sources = {body.name: body for body in (load_open_body(), known_body())}
    return Retarget(sources.get(source), known_body())
