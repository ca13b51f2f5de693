"""Errors of one true person over all frames in which they were matched, and their means."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from remi_stream.body.smpl import Body, joint_rotations
from remi_stream.evaluate.joint_sets import JointSet
from remi_stream.evaluate.metrics import (
    MM_PER_M,
    acceleration_errors_mm,
    centre_on_root,
    distances_mm,
    procrustes_align,
    rotation_errors_deg,
)
from remi_stream.evaluate.scores import Scores, nan_mean
from remi_stream.messages import Smpl


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
    frames = np.array([sighting.frame for sighting in matches], int)
    joints, truth = (
        np.array([unknown if each is None else each for each in column]).reshape(count, -1, 3)
        for column in ([sighting.joints for sighting in matches], [sighting.true_joints for sighting in matches])
    )
    roots, true_roots = joint_set.root_positions(joints), joint_set.root_positions(truth)
    local, true_local = centre_on_root(joints, roots), centre_on_root(truth, true_roots)
    known = np.isfinite(local).all((1, 2)) & np.isfinite(true_local).all((1, 2))
    pa_mm = np.full(joints.shape[:2], np.nan)
    pa_mm[known] = distances_mm(procrustes_align(local[known], true_local[known]), true_local[known])
    return PersonErrors(
        frames=frames,
        joint_mm=distances_mm(local, true_local),
        pa_mm=pa_mm,
        root_mm=distances_mm(roots, true_roots),
        pve_mm=np.array([mean_vertex_error_mm(sighting) for sighting in progress(matches)]),
        rotation_deg=np.array([joint_rotation_errors_deg(sighting) for sighting in matches]).reshape(-1, 24),
        acceleration_mm=acceleration_errors_mm(local[known], true_local[known], frames[known], step),
    )


def mean_vertex_error_mm(match: MatchedPerson) -> float:
    """Return the mean per-vertex error (PVE), mm, with the pelvises aligned; NaN if unknown."""
    body, true_body = match.bodies
    if match.poses is None or body is None or true_body is None or body.v_template.shape != true_body.v_template.shape:
        return float("nan")
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
    return rotation_errors_deg(rotations, truth)


def mean_scores(people: list[PersonErrors], visible: int, found: int, switches: int | None, step_s: float) -> Scores:
    """Return the means of some people's errors. step_s: time between compared frames, s."""

    def average(arrays: list[np.ndarray]) -> float:
        return float(nan_mean(np.concatenate([array.ravel() for array in arrays]))) if arrays else float("nan")

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
