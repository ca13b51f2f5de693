"""Scores of an evaluation: overall, per true person, per joint, per frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from remi_stream.body.smpl import Body, joint_rotations
from remi_stream.measure.kinematics import (
    MM_PER_M,
    NAN,
    acceleration_errors_mm,
    angles_deg,
    centre_on_root,
    distances_mm,
    nan_mean,
    procrustes_align,
)
from remi_stream.messages import Person, Smpl
from remi_stream.skeletons import JOINT_NAMES, LIMB_JOINTS, joint_indices

HIP_JOINTS = ("left_hip", "right_hip")


class JointSet(NamedTuple):
    """A set of joints that is compared."""

    name: str
    description: str
    """Description in tables and charts."""
    names: tuple[str, ...]
    """Names of the joints."""
    root: tuple[str, ...]
    """Joints whose mean is the root that positions are relative to."""
    is_smpl: bool
    """Uses SMPL's joints only, not an engine's own."""

    def root_positions(self, joints: np.ndarray) -> np.ndarray:
        """Return the roots (..., 3) of joints (..., J, 3)."""
        return joints[..., [self.names.index(name) for name in self.root], :].mean(-2)


JOINT_SETS = {
    joint_set.name: joint_set
    for joint_set in (
        JointSet("smpl24", "the 24 joints of SMPL, from the pelvis", JOINT_NAMES["smpl24"], ("pelvis",), True),
        JointSet(
            "lsp14",
            "LSP's 14 as SMPL's joints: limbs, neck, head, from mid-hips",
            (*LIMB_JOINTS, "neck", "head"),
            HIP_JOINTS,
            True,
        ),
        JointSet("limbs12", "the 12 joints of the limbs as published, from mid-hips", LIMB_JOINTS, HIP_JOINTS, False),
    )
}


def joint_set_positions(person: Person, joint_set: JointSet, body: Body | None) -> np.ndarray | None:
    """Return a person's joints of a set, (J, 3) float64 m, camera frame, or None. body: the body model of the pose."""
    skeleton = person.effective_joints_skeleton
    # engines place joints of one name differently: a set of SMPL's is only taken from published SMPL joints or the posed body
    if (
        len(person.joints_m)
        and set(joint_set.names) <= set(JOINT_NAMES.get(skeleton, ()))
        and (not joint_set.is_smpl or skeleton == "smpl24")
    ):
        return person.joints_m[joint_indices(skeleton, joint_set.names)].astype(float)
    smpl = person.smpl
    if smpl is None or body is None:
        return None
    joints = body.joints(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)
    return joints[joint_indices("smpl24", joint_set.names)]


class Scores(NamedTuple):
    """Mean errors over all matched people and frames; NaN if unknown. The field names are keys of the JSON report."""

    visible: int
    """People-frames in the truth."""
    found: int
    """Of these, matched ones."""
    switches: int | None
    """Id switches; None for separate images."""
    mpjpe_mm: float
    pa_mpjpe_mm: float
    pve_mm: float
    acceleration_mm: float
    """Acceleration error, mm per step squared, a step being that of the compared frames."""
    acceleration_m_per_s2: float
    rotation_deg: float
    root_mm: float

    @property
    def detection_rate(self) -> float:
        """Return found / visible, in [0, 1]."""
        return self.found / self.visible if self.visible else NAN


class JointScores(NamedTuple):
    """Mean errors of one joint; NaN where only its position or only its rotation is known."""

    mpjpe_mm: float
    pa_mpjpe_mm: float
    rotation_deg: float


class FrameScores(NamedTuple):
    """Mean errors over the people found in one frame; NaN if none is."""

    at_s: float
    """Time in the truth, s."""
    visible: int
    """People in the truth."""
    found: int
    """People matched."""
    mpjpe_mm: float
    pa_mpjpe_mm: float


class Evaluation(NamedTuple):
    """The result of an evaluation."""

    names: tuple[str, str]
    """Of prediction and truth."""
    engines: tuple[str, str]
    """Of prediction and truth."""
    joint_set: str
    fps: float
    """Rate of the compared frames."""
    frames: tuple[int, int]
    """Frames in the truth, and compared ones."""
    extra: int
    """Predicted people-frames without a match."""
    overall: Scores
    people: Mapping[int, Scores]
    """By true track_id."""
    joints: Mapping[str, JointScores]
    frame_scores: tuple[FrameScores, ...]
    """Per compared frame."""
    left_out: Mapping[str, str]
    """Measures that could not be computed, with the reason."""
    notes: tuple[str, ...]

    @property
    def title(self) -> str:
        """Return the title: prediction against truth."""
        prediction, truth = (f"{name} ({engine})" for name, engine in zip(self.names, self.engines))
        return f"{prediction} against {truth}"

    @property
    def summary(self) -> str:
        """Return a one-line summary of what was compared."""
        frames, compared = self.frames
        return f"{compared} of {frames} frames, {self.fps:.4g} per second; {JOINT_SETS[self.joint_set].description}"


class MatchedPerson(NamedTuple):
    """A predicted person matched with a true one in one frame."""

    frame: int
    """Frame number in the truth."""
    joints: np.ndarray | None
    """(J, 3) m, predicted."""
    true_joints: np.ndarray | None
    """(J, 3) m."""
    poses: tuple[Smpl, Smpl] | None
    """Predicted and true pose, if both are of the same body model."""
    bodies: tuple[Body | None, Body | None] = (None, None)
    """Body models of the poses, if available."""


class PersonErrors(NamedTuple):
    """Errors of one person in N frames; NaN where not known."""

    frames: np.ndarray
    """(N,) frame numbers in the truth."""
    joint_mm: np.ndarray
    """(N, J) mm, root-relative."""
    pa_mm: np.ndarray
    """(N, J) mm, Procrustes-aligned."""
    root_mm: np.ndarray
    """(N,) mm."""
    pve_mm: np.ndarray
    """(N,) mm, mean per-vertex error."""
    rotation_deg: np.ndarray
    """(N, 24) degrees."""
    acceleration_mm: np.ndarray
    """(M, J) mm per step squared, at the M frames with both neighbours."""


def person_errors(
    matches: list[MatchedPerson],
    joint_set: JointSet,
    step: int,
    progress: Callable[[list[MatchedPerson]], Iterable[MatchedPerson]] = iter,
) -> PersonErrors:
    """Compute the errors of one person. step: frames of the truth between compared frames.

    progress: wraps the iteration to report progress; posing the meshes takes nearly all of the time.
    """
    count, unknown = len(matches), np.full((len(joint_set.names), 3), np.nan)
    frames = np.array([match.frame for match in matches], int)
    joints, truth = (
        np.array([unknown if each is None else each for each in column]).reshape(count, -1, 3)
        for column in ([match.joints for match in matches], [match.true_joints for match in matches])
    )
    roots, true_roots = joint_set.root_positions(joints), joint_set.root_positions(truth)
    local, true_local = centre_on_root(joints, roots), centre_on_root(truth, true_roots)
    known = np.isfinite(local).all((1, 2)) & np.isfinite(true_local).all((1, 2))
    # the decomposition in Procrustes alignment fails on NaN: only complete frames are aligned
    pa_mm = np.full(joints.shape[:2], np.nan)
    pa_mm[known] = distances_mm(procrustes_align(local[known], true_local[known]), true_local[known])
    return PersonErrors(
        frames=frames,
        joint_mm=distances_mm(local, true_local),
        pa_mm=pa_mm,
        root_mm=distances_mm(roots, true_roots),
        pve_mm=np.array([mean_vertex_error_mm(match) for match in progress(matches)]),
        rotation_deg=np.array([joint_rotation_errors_deg(match) for match in matches]).reshape(-1, 24),
        acceleration_mm=acceleration_errors_mm(local[known], true_local[known], frames[known], step),
    )


def mean_vertex_error_mm(match: MatchedPerson) -> float:
    """Return the mean per-vertex error (PVE), mm, with the pelvises aligned; NaN if unknown."""
    body, true_body = match.bodies
    # vertices correspond only on bodies of one topology
    if match.poses is None or body is None or true_body is None or body.v_template.shape != true_body.v_template.shape:
        return NAN
    vertices, true_vertices = (_vertices(each, smpl) for each, smpl in zip((body, true_body), match.poses))
    return float(distances_mm(vertices, true_vertices).mean())


def _vertices(body: Body, smpl: Smpl) -> np.ndarray:
    """Return vertices (V, 3) m, relative to the pelvis."""
    vertices = body.vertices(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)
    return vertices - (body.rest_joints(smpl.betas)[0] + smpl.transl)


def joint_rotation_errors_deg(match: MatchedPerson) -> np.ndarray:
    """Return rotation errors of the joints in their parents, the root in the camera: (24,) degrees, or NaN."""
    if match.poses is None:
        return np.full(24, np.nan)
    rotations, truth = (joint_rotations(smpl.global_orient, smpl.body_pose) for smpl in match.poses)
    return angles_deg(rotations, truth)


def mean_scores(people: list[PersonErrors], visible: int, found: int, switches: int | None, step_s: float) -> Scores:
    """Return the means of some people's errors. step_s: time between compared frames, s."""

    def average(arrays: list[np.ndarray]) -> float:
        return float(nan_mean(np.concatenate([array.ravel() for array in arrays]))) if arrays else NAN

    acceleration_mm = average([each.acceleration_mm for each in people])
    return Scores(
        visible=visible,
        found=found,
        switches=switches,
        mpjpe_mm=average([each.joint_mm for each in people]),
        pa_mpjpe_mm=average([each.pa_mm for each in people]),
        pve_mm=average([each.pve_mm for each in people]),
        acceleration_mm=acceleration_mm,
        acceleration_m_per_s2=acceleration_mm / MM_PER_M / step_s**2,
        rotation_deg=average([each.rotation_deg for each in people]),
        root_mm=average([each.root_mm for each in people]),
    )
