"""Inverse kinematics in closed form: BlazePose's 33 landmarks -> the 24 rotations and the translation of a SMPL body.

Landmarks are attached to one joint each, at an offset in the rest pose (m; x to the body's left, y up, z forward). The offsets
were measured: BlazePose's landmarks on rendered bodies, averaged over many poses, shapes and views, made symmetric. They are not
zero since BlazePose's shoulder, hip or ankle is another point than SMPL's.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from remi_stream.body.ik import limbs
from remi_stream.body.ik.limbs import ExtremityState, solve_extremities
from remi_stream.body.smpl import Body, fit_translation, forward_kinematics
from remi_stream.geometry import (
    Intrinsics,
    axis_angle_from_matrices,
    box_with_margin,
    cross_product,
    matrices_from_axis_angle,
    orthonormal_axes,
    shortest_rotation,
    unit_vectors,
    unproject,
)
from remi_stream.messages import Smpl
from remi_stream.skeletons import JOINT_NAMES, LIMB_JOINTS, joint_indices

LEFT_ATTACHMENTS: dict[str, tuple[str, tuple[float, float, float]]] = {
    "left_eye_inner": ("head", (0.015, 0.048, 0.090)),
    "left_eye": ("head", (0.024, 0.048, 0.085)),
    "left_eye_outer": ("head", (0.034, 0.048, 0.078)),
    "left_ear": ("head", (0.050, 0.032, 0.034)),
    "mouth_left": ("head", (0.018, -0.019, 0.099)),
    "left_shoulder": ("left_shoulder", (-0.012, 0.014, 0.003)),
    "left_elbow": ("left_elbow", (-0.015, -0.002, 0.0)),
    "left_wrist": ("left_wrist", (0.008, -0.002, 0.003)),
    "left_pinky": ("left_wrist", (0.085, -0.008, -0.006)),
    "left_index": ("left_wrist", (0.089, -0.013, 0.009)),
    "left_thumb": ("left_wrist", (0.064, -0.015, 0.014)),
    "left_hip": ("left_hip", (-0.014, 0.002, 0.004)),
    "left_knee": ("left_knee", (-0.004, -0.006, -0.006)),
    "left_ankle": ("left_ankle", (0.001, 0.025, 0.007)),
    "left_heel": ("left_ankle", (-0.005, -0.043, -0.030)),
    "left_foot_index": ("left_ankle", (-0.005, -0.056, 0.177)),
}
"""Joint and offset, m, of the landmarks of the left side."""
NOSE_ATTACHMENT = ("head", (0.0, 0.016, 0.110))
HEAD_TOP_RATIO = 1.6
"""Height of the top of the head above the eyes, in distances from eyes to mouth."""
BODY_MARGIN = 0.02
"""Margin of the body around its landmarks, in longest sides of their box."""


def mirror_attachment(name: str) -> tuple[str, tuple[float, float, float]]:
    """Return the attachment of a right landmark: that of the left one, mirrored."""
    joint, (x, y, z) = LEFT_ATTACHMENTS[name.replace("right", "left")]
    return joint.replace("left", "right"), (-x, y, z)


def find_attachment(name: str) -> tuple[str, tuple[float, float, float]]:
    """Return the joint a landmark is attached to, and its offset in the rest pose, m."""
    return NOSE_ATTACHMENT if name == "nose" else LEFT_ATTACHMENTS.get(name) or mirror_attachment(name)


ATTACHMENTS = [find_attachment(name) for name in JOINT_NAMES["blazepose33"]]
LANDMARK_JOINTS = np.array([JOINT_NAMES["smpl24"].index(joint) for joint, _ in ATTACHMENTS])
"""(33,) int, the joint of each landmark."""
LANDMARK_OFFSETS = np.array([offset for _, offset in ATTACHMENTS])
"""(33, 3) float64, m, rest pose, from that joint."""


def body_landmarks(world_rotations: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Return the landmarks (33, 3), m, of a posed body; world rotations (24, 3, 3) and joints (24, 3) give the frame."""
    return joints[LANDMARK_JOINTS] + np.einsum("lab,lb->la", world_rotations[LANDMARK_JOINTS], LANDMARK_OFFSETS)


def landmark_box(pixels: np.ndarray) -> np.ndarray:
    """Return the bounding box (4,) float32 px of a whole body: landmarks (33, 2) px, top of the head, and a margin."""
    eyes, mouth = pixels[[2, 5]].mean(0), pixels[[9, 10]].mean(0)
    return box_with_margin(np.vstack([pixels, eyes + HEAD_TOP_RATIO * (eyes - mouth)]), BODY_MARGIN)


# Fuse 2D and 3D landmarks: points on the rays of their pixels, with the body's bone lengths (Gauss-Newton).
#
# The network's pixels are far better than its depths, and its bone lengths vary by 7-18 % between frames. So every landmark stays
# on its pixel's ray, and the depths of the 12 limb joints are the least-squares solution for the mean body's bone lengths and
# the network's depth differences.

LENGTH_SPREAD_M = 0.02
"""Standard deviation of a bone's length from the mean body's."""
DEPTH_STEP_SPREAD_M = 0.06
"""Standard deviation of the network's depth difference along a bone."""
DEPTH_SPREAD_M = 1.0
"""Standard deviation of the initial depths; weak, it only keeps the system regular."""
ITERATIONS = 3
"""Gauss-Newton iterations."""
FORWARD = np.array([0, 0, 1.0])
TORSO = [11, 12, 23, 24]
MIN_DEPTH_M = 0.2
"""Least depth of a landmark."""

LIMB_LANDMARKS = np.array(joint_indices("blazepose33", LIMB_JOINTS))
_BONES = "11-12 11-23 12-24 23-24 11-24 12-23 11-13 13-15 12-14 14-16 23-25 25-27 24-26 26-28"  # the torso also crosswise
BONE_STARTS, BONE_ENDS = np.array([[int(end) for end in bone.split("-")] for bone in _BONES.split()]).T
_INDEX = {int(landmark): index for index, landmark in enumerate(LIMB_LANDMARKS)}
_STARTS, _ENDS = (np.array([_INDEX[int(landmark)] for landmark in ends]) for ends in (BONE_STARTS, BONE_ENDS))
_DIFFERENCES = np.eye(len(LIMB_LANDMARKS))[_STARTS] - np.eye(len(LIMB_LANDMARKS))[_ENDS]
_ANCHORS = {12: range(11), 15: (17, 19, 21), 16: (18, 20, 22), 27: (29, 31), 28: (30, 32)}
DEPTH_ANCHORS = np.arange(33)
"""(33,) int, the limb joint whose change of depth each landmark takes (the face: the mean of the shoulders)."""
for _limb, _followers in _ANCHORS.items():
    DEPTH_ANCHORS[list(_followers)] = _limb


def bone_lengths(rest_joints: np.ndarray) -> np.ndarray:
    """Return the lengths (14,), m, of the bones between landmarks on a body with rest_joints (24, 3)."""
    rest = body_landmarks(np.broadcast_to(np.eye(3), (24, 3, 3)), rest_joints)
    return np.linalg.norm(rest[BONE_STARTS] - rest[BONE_ENDS], axis=1)


def lift_landmarks(
    world: np.ndarray, pixels: np.ndarray, weights: np.ndarray, intrinsics: Intrinsics, lengths: np.ndarray
) -> np.ndarray:
    """Lift to landmarks (33, 3), m, camera frame, of a person of the mean body's size.

    world: (33, 3) m, any origin, in the frame of a camera that points at the person (the network gets a crop). pixels:
    (33, 2). weights: (33,). lengths: (14,) m, from `bone_lengths`.
    """
    found = np.linalg.norm(world[BONE_STARTS] - world[BONE_ENDS], axis=1)
    middle = unproject(pixels[TORSO].mean(0), intrinsics)
    # from the axes of a camera that points at the person to ours, in the size of the body
    world = world @ shortest_rotation(FORWARD, np.append(middle, 1.0)).T * np.median(lengths / np.maximum(found, 1e-6))
    transl = fit_translation(world[LIMB_LANDMARKS], pixels[LIMB_LANDMARKS], weights[LIMB_LANDMARKS], intrinsics)
    guess = np.maximum(world[:, 2] + transl[2], MIN_DEPTH_M)
    directions = np.concatenate([unproject(pixels, intrinsics), np.ones((len(pixels), 1))], 1)
    # only the limb joints are solved; every other landmark takes the change of depth of its anchor
    moved = solve_depths(guess[LIMB_LANDMARKS], directions[LIMB_LANDMARKS], lengths) - guess[LIMB_LANDMARKS]
    change = np.zeros(len(pixels))
    change[LIMB_LANDMARKS] = moved
    depths = guess + change[DEPTH_ANCHORS]
    # the face has no bone to the limb joints: it moves with the shoulders
    depths[:11] = guess[:11] + moved[:2].mean()
    return directions * np.maximum(depths, MIN_DEPTH_M)[:, None]


def solve_depths(guess: np.ndarray, directions: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Solve for depths (12,) along directions (12, 3), near guess (12,), that give the bone lengths (14,), by Gauss-Newton."""
    depths, steps = guess, _DIFFERENCES @ guess
    for _ in range(ITERATIONS):
        bones = _DIFFERENCES @ (directions * depths[:, None])
        long = np.maximum(np.sqrt((bones**2).sum(1)), 1e-6)
        slopes = (bones / long[:, None]) @ directions.T * _DIFFERENCES
        jacobian = np.concatenate(
            [slopes / LENGTH_SPREAD_M, _DIFFERENCES / DEPTH_STEP_SPREAD_M, np.eye(len(guess)) / DEPTH_SPREAD_M]
        )
        residuals = np.concatenate(
            [
                (long - lengths) / LENGTH_SPREAD_M,
                (_DIFFERENCES @ depths - steps) / DEPTH_STEP_SPREAD_M,
                (depths - guess) / DEPTH_SPREAD_M,
            ]
        )
        depths = depths - np.linalg.solve(jacobian.T @ jacobian, jacobian.T @ residuals)
    return depths


# Inverse kinematics in closed form: 33 landmarks in 3D -> the 24 rotations of a SMPL body.
#
# Unobservable rotations are not guessed: collars, toes and fingers keep their rest pose, and the spine's three joints share the
# rotation between pelvis and chest; head, hands and feet keep theirs if their landmarks are unknown. Bones follow directions, not
# positions, so that a body of other proportions takes the same pose.

PELVIS, HEAD, NECK, SPINE = 0, 15, 12, [3, 6, 9]
UPPER_JOINTS, MIDDLE_JOINTS, END_JOINTS = [16, 17, 1, 2], [18, 19, 4, 5], [20, 21, 7, 8]
ROOTS, HINGES, TIPS = [11, 12, 23, 24], [13, 14, 25, 26], [15, 16, 27, 28]
"""Landmarks of the limbs: left arm, right arm, left leg, right leg."""
FACE, HANDS, FEET = slice(0, 11), slice(17, 23), slice(29, 33)
MAX_SPINE_ANGLE, MAX_HEAD_ANGLE = np.radians(80), np.radians(90)
"""Limits of the rotation of the chest relative to the pelvis, and of the head relative to the chest."""
TWINS = np.array([0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(11 + (index ^ 1) for index in range(22))])
"""(33,) int: the landmark of the other side, of each landmark."""
REVERSED_TORSO = np.radians(100)
"""Larger turns of the torso between two frames are not people's."""
REVERSAL_S = 1.0
"""Time for which a reversed torso must be seen, in every frame, before it is believed. On real footage the network confuses front
and back for up to 0.8 s; at 0.2 s a bent man's limbs lay beside him meanwhile (PA-MPJPE of the mesh 97 mm, at 1 s 70)."""
FOOT_WEIGHT = 0.5
"""Weight of the foot against the pelvis for the twist of a straight leg."""


class IkState(NamedTuple):
    """State between frames."""

    limbs: limbs.HingeState
    """Hinge axes of arms and legs."""
    extremities: ExtremityState | None
    """Hands and feet; None if their landmarks were unknown."""
    torso: TorsoState


class TorsoState(NamedTuple):
    """State of the torso between frames."""

    frames: np.ndarray
    """(2, 3, 3), rotations of pelvis and chest in the landmarks' frame."""
    reversed_s: float
    """For how long the landmarks have shown the person the other way round."""


class IkSolution(NamedTuple):
    """The pose of one frame."""

    rotations: np.ndarray
    """(24, 3, 3), each relative to its parent, the first in the landmarks' frame."""
    joint_confidence: np.ndarray
    """(24,) in [0, 1]."""
    ik_state: IkState
    """State for the next frame."""
    is_swapped: bool = False
    """Whether left and right landmarks were exchanged, since they had changed sides from one frame to the next."""


class IkSolver:
    """The inverse-kinematics solver of one body: its rest pose, immutable.

    exchanges_sides: a torso that turns round within a frame is taken for exchanged left and right (`IkSolution.is_swapped`); the
    caller exchanges its key points too.
    """

    def __init__(self, rest_joints: np.ndarray, exchanges_sides: bool = False) -> None:
        self._exchanges_sides = exchanges_sides
        rest = body_landmarks(np.broadcast_to(np.eye(3), (24, 3, 3)), rest_joints)
        self.torso = torso_frames(rest)
        self.limbs = limbs.limb_rest(rest[HINGES] - rest[ROOTS], rest[TIPS] - rest[HINGES])
        self.rest_face = LANDMARK_OFFSETS[LANDMARK_JOINTS == HEAD] - LANDMARK_OFFSETS[LANDMARK_JOINTS == HEAD].mean(0)
        self.rest_landmarks = rest

    def solve(
        self, points: np.ndarray, visibility: np.ndarray, ik_state: IkState | None = None, elapsed: float = 0.0
    ) -> IkSolution:
        """Solve the pose of landmarks (33, 3), m; visibility (33,) in [0, 1]; ik_state: state of the frame elapsed s ago.

        The face, or hands and feet, may be unknown: NaN, with visibility 0.
        """
        torso, is_swapped = self._torso(points, ik_state.torso if ik_state else None, elapsed)
        if is_swapped:
            points, visibility = points[TWINS], visibility[TWINS]
        unknown = np.isnan(points[:, 0])
        rotations = np.zeros((24, 3, 3)) + np.eye(3)
        rotations[PELVIS] = pelvis = torso.frames[0]
        rotations[SPINE], whole = split_rotation(pelvis.T @ torso.frames[1], 3, MAX_SPINE_ANGLE)
        chest = pelvis @ whole  # after the limit, so that the limbs are relative to the chest that is published
        if not unknown[FACE].any():
            rotations[[NECK, HEAD]], _ = split_rotation(chest.T @ head_rotation(self.rest_face, points[FACE]), 2, MAX_HEAD_ANGLE)
        above = np.stack([chest, chest, pelvis, pelvis])
        hinges = self._hinges(points, above, ik_state, elapsed)
        rotations[UPPER_JOINTS], rotations[MIDDLE_JOINTS] = hinges.upper, hinges.lower
        ends = None
        if not (unknown[HANDS].any() or unknown[FEET].any()):
            below = above @ hinges.upper @ hinges.lower
            before = ik_state.extremities if ik_state else None
            rotations[MIDDLE_JOINTS], rotations[END_JOINTS], ends = solve_extremities(
                self.rest_landmarks, points, below, hinges.lower, before, elapsed
            )
        confidence = joint_confidence(visibility, hinges.axis_weights)
        return IkSolution(rotations, confidence, IkState(hinges.hinge_state, ends, torso), is_swapped)

    def _torso(self, points: np.ndarray, previous: TorsoState | None, elapsed: float) -> tuple[TorsoState, bool]:
        """Return the torso's state, and whether left and right are to be exchanged.

        A torso that turns by more than REVERSED_TORSO from one frame to the next is the network's confusion of front and back,
        if it would not with left and right exchanged; it is believed after REVERSAL_S. Turns are at most MAX_TURN_RATE.
        """
        frames = torso_frames(points) @ self.torso.swapaxes(1, 2)
        if not self._exchanges_sides or previous is None or not np.isfinite([frames, previous.frames]).all():
            return TorsoState(frames, 0.0), False
        reversed_s, turn = 0.0, rotation_angles(previous.frames[0], frames[0])
        if turn > REVERSED_TORSO:
            exchanged = torso_frames(points[TWINS]) @ self.torso.swapaxes(1, 2)
            reversed_s = previous.reversed_s + elapsed
            if rotation_angles(previous.frames[0], exchanged[0]) < turn and reversed_s <= REVERSAL_S:
                return TorsoState(turn_at_most(previous.frames, exchanged, limbs.MAX_TURN_RATE * elapsed), reversed_s), True
            # a believed reversal needs no further evidence while it is being turned to; a turn that is none is no evidence
            reversed_s = reversed_s if reversed_s > REVERSAL_S else previous.reversed_s
        return TorsoState(turn_at_most(previous.frames, frames, limbs.MAX_TURN_RATE * elapsed), reversed_s), False

    def _hinges(self, points: np.ndarray, above: np.ndarray, ik_state: IkState | None, elapsed: float) -> limbs.LimbRotations:
        upper = to_local(above, points[HINGES] - points[ROOTS])
        lower = to_local(above, points[TIPS] - points[HINGES])
        relaxed = np.einsum("nab,nb->na", shortest_rotation(self.limbs.upper, upper), self.limbs.axis)
        foot = to_local(above[2:], points[[31, 32]] - points[[29, 30]])
        by_foot = unit_vectors(cross_product(foot, unit_vectors(upper[2:])))
        # NaN without foot landmarks: then the relaxed axis alone counts
        relaxed[2:] = unit_vectors((1 - FOOT_WEIGHT) * relaxed[2:] + FOOT_WEIGHT * np.nan_to_num(by_foot))
        times_s = np.array([limbs.RELAXATION_S] * 2 + [limbs.FOOT_RELAXATION_S] * 2)
        times_s[2:][np.isnan(foot[:, 0])] = limbs.RELAXATION_S
        axes = limbs.RelaxedAxes(relaxed, times_s)
        return limbs.solve_limbs(self.limbs, upper, lower, axes, ik_state.limbs if ik_state else None, elapsed)


def torso_frames(points: np.ndarray) -> np.ndarray:
    """Return the axes of pelvis and chest (2, 3, 3) from landmarks: first axis along the spine, second by hips and shoulders."""
    left, right = points[[23, 11]], points[[24, 12]]
    spine = (points[11] + points[12] - points[23] - points[24]) / 2
    return orthonormal_axes(np.broadcast_to(spine, (2, 3)), left - right)


def rotation_angles(a: np.ndarray, b: np.ndarray) -> Any:
    """Return the angles (...,), rad, between rotations a and b (..., 3, 3)."""
    return np.arccos(np.clip(((a * b).sum((-2, -1)) - 1) / 2, -1, 1))


def turn_at_most(start: np.ndarray, end: np.ndarray, max_angle: float) -> np.ndarray:
    """Return rotations (N, 3, 3) that turn from start towards end (N, 3, 3), each by at most max_angle rad."""
    return start @ limbs.limit_angles(start.swapaxes(-1, -2) @ end, np.full(len(start), max_angle))


def head_rotation(rest: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Return the rotation (3, 3) that fits the rest face (11, 3), centred, to the observed one best (Kabsch, 1976)."""
    u, _, vt = np.linalg.svd((face - face.mean(0)).T @ rest)
    # a rotation, not a reflection
    u[:, 2] *= np.linalg.det(u @ vt)
    return u @ vt


def split_rotation(rotation: np.ndarray, count: int, max_angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Split a rotation (3, 3), limited to `max_angle` rad, evenly among count: the rotation of each, and their product."""
    vector = axis_angle_from_matrices(rotation)
    angle = float(np.sqrt(vector @ vector))
    vector *= min(1.0, max_angle / max(angle, 1e-9))
    part, whole = matrices_from_axis_angle(np.stack([vector / count, vector]))
    return part, whole


def to_local(axes: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Express vectors (N, 3) in the axes (N, 3, 3)."""
    return np.einsum("nba,nb->na", axes, vectors)


def joint_confidence(visibility: np.ndarray, axis_weights: np.ndarray) -> np.ndarray:
    """Return the joint confidence (24,): least visibility of a joint's landmarks, times the observable share of its rotation.

    The share is 1 for pelvis and head, 0.5 for spine and neck (only the sum is observed), 0.5 to 1 for limbs (1 if the bend
    shows the hinge axis, axis_weights: (4,)), 0.7 for wrists and ankles, and 0 for collars, toes and hands.
    """
    torso, face = visibility[[11, 12, 23, 24]].min(), visibility[FACE].mean()
    roots, hinges, tips = visibility[ROOTS], visibility[HINGES], visibility[TIPS]
    found = np.zeros(24)
    found[PELVIS], found[SPINE], found[NECK], found[HEAD] = torso, 0.5 * torso, 0.5 * face, face
    found[UPPER_JOINTS] = np.minimum(np.minimum(roots, hinges), tips) * (0.5 + 0.5 * axis_weights)
    found[MIDDLE_JOINTS] = np.minimum(hinges, tips) * (0.5 + 0.5 * axis_weights)
    found[END_JOINTS] = 0.7 * np.minimum(tips, np.minimum(visibility[[17, 18, 29, 30]], visibility[[19, 20, 31, 32]]))
    return found


# Fit a mean-shaped SMPL body to one frame's BlazePose landmarks: lifting, inverse kinematics, translation.

MEAN_SHAPE = np.zeros(10, np.float32)
"""Betas of the mean shape."""


class LandmarkFit(NamedTuple):
    """A body fitted to the landmarks of one frame."""

    landmarks_m: np.ndarray
    """(33, 3) float64, m, camera frame, of a person as tall as the body."""
    smpl: Smpl
    ik_state: IkState
    """State for the next frame."""


class BodyFitter:
    """Base of the fitters of one body, at its mean shape: what does not depend on the skeleton that it is fitted to."""

    def __init__(self, body: Body) -> None:
        self._name: Literal["smpl", "open"] = "open" if body.name == "open" else "smpl"
        self._rest_joints = body.rest_joints(MEAN_SHAPE)
        self.bone_lengths_m = bone_lengths(self._rest_joints)
        """(14,) m: of the body's bones, see `bone_lengths`."""
        self._skeleton = IkSolver(self._rest_joints)

    def _smpl(self, pose: IkSolution, points: np.ndarray, weights: np.ndarray) -> Smpl:
        """Make the SMPL message of a pose, translated to landmarks (33, 3), m; weights: (33,)."""
        transl = fit_transl(self._rest_joints, pose.rotations, points, weights)
        return make_smpl(self._name, pose.rotations, transl, MEAN_SHAPE, pose.joint_confidence)


def fit_transl(rest_joints: np.ndarray, rotations: np.ndarray, points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return SMPL's transl (3,), m: the mean offset of the limbs' landmarks (33, 3) from the posed body's; weights: (33,)."""
    posed = body_landmarks(*forward_kinematics(rest_joints, rotations, np.zeros(3)))
    shares = np.maximum(weights[LIMB_LANDMARKS], 1e-3)
    found: np.ndarray = shares / shares.sum() @ (points - posed)[LIMB_LANDMARKS]
    return found


def make_smpl(
    body: Literal["smpl", "open"], rotations: np.ndarray, transl: np.ndarray, betas: np.ndarray, joint_confidence: np.ndarray
) -> Smpl:
    """Make the SMPL message of rotations (24, 3, 3) relative to the parents, transl (3,) m, betas (10,), confidence (24,)."""
    vectors = axis_angle_from_matrices(rotations).astype(np.float32)
    return Smpl(
        body=body,
        global_orient=vectors[0],
        body_pose=vectors[1:].ravel(),
        betas=betas.astype(np.float32),
        transl=transl.astype(np.float32),
        joint_confidence=joint_confidence.astype(np.float32),
    )
