"""One person of the truth, in all frames in which they were found: how far off they are in each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from remi_stream.body.smpl import Body, joint_rotations
from remi_stream.evaluate.joint_sets import JointSet
from remi_stream.evaluate.metrics import MM, acceleration_errors_mm, centred, distances_mm, procrustes, turns_deg
from remi_stream.evaluate.scores import Scores, mean
from remi_stream.messages import Smpl


class Sighting(NamedTuple):
    """One person in one frame, and what is true of them. frame: the truth's; joints (J, 3) m or None.

    poses: theirs and the true one, if both are meant for the same body's rest pose. bodies: of these, where they are there.
    """

    frame: int
    joints: np.ndarray | None
    true_joints: np.ndarray | None
    poses: tuple[Smpl, Smpl] | None
    bodies: tuple[Body | None, Body | None] = (None, None)


class Errors(NamedTuple):
    """Of one person's N sightings. joint_mm, pa_mm: (N, J); root_mm, pve_mm: (N,); turn_deg: (N, 24); NaN where not known.

    acceleration_mm: (M, J), M times in a row of three.
    """

    frames: np.ndarray
    joint_mm: np.ndarray
    pa_mm: np.ndarray
    root_mm: np.ndarray
    pve_mm: np.ndarray
    turn_deg: np.ndarray
    acceleration_mm: np.ndarray


def errors_of(
    sightings: list[Sighting], joint_set: JointSet, step: int, through: Callable[[list[Sighting]], Iterable[Sighting]] = iter
) -> Errors:
    """How far off somebody is. step: frames of the truth from one to the next that is compared.

    through: gives the sightings one by one while their meshes are made, which takes nearly all of the time.
    """
    count, nowhere = len(sightings), np.full((len(joint_set.names), 3), np.nan)
    frames = np.array([sighting.frame for sighting in sightings], int)
    joints, truth = (
        np.array([nowhere if each is None else each for each in column]).reshape(count, -1, 3)
        for column in ([sighting.joints for sighting in sightings], [sighting.true_joints for sighting in sightings])
    )
    roots, true_roots = joint_set.root_of(joints), joint_set.root_of(truth)
    own, wanted = centred(joints, roots), centred(truth, true_roots)
    known = np.isfinite(own).all((1, 2)) & np.isfinite(wanted).all((1, 2))
    pa_mm = np.full(joints.shape[:2], np.nan)
    pa_mm[known] = distances_mm(procrustes(own[known], wanted[known]), wanted[known])
    return Errors(
        frames=frames,
        joint_mm=distances_mm(own, wanted),
        pa_mm=pa_mm,
        root_mm=distances_mm(roots, true_roots),
        pve_mm=np.array([vertices_mm(sighting) for sighting in through(sightings)]),
        turn_deg=np.array([joint_turns_deg(sighting) for sighting in sightings]).reshape(-1, 24),
        acceleration_mm=acceleration_errors_mm(own[known], wanted[known], frames[known], step),
    )


def vertices_mm(sighting: Sighting) -> float:
    """How far the skin is off on average, mm, with both pelvises in one place; NaN if it is not known."""
    body, true_body = sighting.bodies
    if sighting.poses is None or body is None or true_body is None or body.v_template.shape != true_body.v_template.shape:
        return float("nan")
    skin, true_skin = (_skin(each, smpl) for each, smpl in zip((body, true_body), sighting.poses))
    return float(distances_mm(skin, true_skin).mean())


def _skin(body: Body, smpl: Smpl) -> np.ndarray:
    """Vertices (V, 3) m from the pelvis."""
    skin = body.vertices(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)
    return skin - (body.rest_joints(smpl.betas)[0] + smpl.transl)


def joint_turns_deg(sighting: Sighting) -> np.ndarray:
    """How far each joint is turned in its parent from how it should be, the root in the camera: (24,) degrees, or NaN."""
    if sighting.poses is None:
        return np.full(24, np.nan)
    own, wanted = (joint_rotations(smpl.global_orient, smpl.body_pose) for smpl in sighting.poses)
    return turns_deg(own, wanted)


def scores_of(people: list[Errors], visible: int, found: int, switches: int | None, step_s: float) -> Scores:
    """The means over some people's sightings."""
    means = {
        name: float(mean(np.concatenate([getattr(each, name).ravel() for each in people]))) if people else float("nan")
        for name in ("joint_mm", "pa_mm", "pve_mm", "acceleration_mm", "turn_deg", "root_mm")
    }
    return Scores(
        visible=visible,
        found=found,
        switches=switches,
        mpjpe_mm=means["joint_mm"],
        pa_mpjpe_mm=means["pa_mm"],
        pve_mm=means["pve_mm"],
        acceleration_mm=means["acceleration_mm"],
        acceleration_m_per_s2=means["acceleration_mm"] / MM / step_s**2,
        rotation_deg=means["turn_deg"],
        root_mm=means["root_mm"],
    )
