"""What an engine's bodies are worth against a rendered scene's truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from remi_stream.body.smpl import Body, joint_rotations, load_default_body
from remi_stream.geometry import project
from remi_stream.measure.kinematics import MM_PER_M, angles_deg, centre_on_root, distances_mm, procrustes_align
from remi_stream.messages import Bodies, Person
from remi_stream.skeletons import LIMB_JOINTS, joint_indices

Array = NDArray[Any]

NEAR = 0.15
"""Largest median distance of the visible limb joints of a person who is the true one, in sizes of the true body."""
MIN_VISIBLE, MAX_HIDDEN = 0.4, 0.1
"""Visible shares: above it a person should be found, below it not."""
START_S = 0.3
"""What a live start may take; it is measured by the frames until the first body."""
LIMBS = joint_indices("smpl24", LIMB_JOINTS)
MIRRORED_LIMBS = [LIMBS[index ^ 1] for index in range(len(LIMBS))]


class SceneTruth(NamedTuple):
    """Ground truth of a rendered scene of P people in N frames."""

    fps: float
    intrinsics: tuple[float, float, float, float]
    joints_m: Array
    """(P, N, 24, 3)."""
    joints_px: Array
    """(P, N, 24, 2)."""
    poses: Array
    """(P, N, 72)."""
    visible: Array
    """(P, N) in [0, 1]."""
    silhouettes: Array
    """(P, N, H / 2, W / 2) bool."""

    @classmethod
    def load(cls, path: Any) -> SceneTruth:
        """Load a truth file of render_sample.py."""
        with np.load(path) as stored:
            K, bits = stored["K"], stored["silhouette_bits"]
            return cls(
                fps=float(stored["fps"]),
                intrinsics=(float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2])),
                joints_m=stored["joints_m"],
                joints_px=stored["joints_px"],
                poses=stored["poses"],
                visible=stored["visible"],
                silhouettes=np.unpackbits(bits, axis=-1).astype(bool),
            )


class PersonScores(NamedTuple):
    """Scores of one true person; NaN where nothing was found. The mean of several is made by `mean_scores`."""

    found: float
    """Share of the frames in which the person is visible, START_S after the first one."""
    first_frames: float
    """Frames until the first body."""
    reentry_frames: float
    """Frames from the return of a hidden person until found again, the longest."""
    ids: float
    """Track ids that the person had."""
    pa_mpjpe_mm: float
    mpjpe_mm: float
    """From the pelvis."""
    acceleration_mm: float
    """Error of the joints' acceleration from the pelvis, mm per frame squared."""
    jump_deg: float
    """Largest turn of a joint between two frames."""
    excess_jump_deg: float
    """The same beyond the truth's own largest turn of that joint in the clip, at most 0 if truth turns as fast."""
    lag_frames: float
    """Shift that fits the limbs' motion best."""
    iou: float
    """Intersection over union of the mesh's silhouette and the drawn one, in the image."""


class SceneScores(NamedTuple):
    """Scores of a scene."""

    people: list[PersonScores]
    false: int
    """Bodies where no one is, frames times people."""


def score_scene(frames: Sequence[Bodies], truth: SceneTruth) -> SceneScores:
    """Score the bodies of the first frames of a scene, or of all."""
    matches: list[list[tuple[int, Person]]] = [[] for _ in truth.joints_m]
    false = 0
    for frame, bodies in enumerate(frames):
        pairs = match_people(bodies.people, truth.joints_px[:, frame], truth.visible[:, frame], bodies.size)
        for who, index in pairs.items():
            matches[who].append((frame, bodies.people[index]))
        false += len(bodies.people) - len(pairs)
    return SceneScores([score_person(matches[who], who, frames, truth) for who in range(len(matches))], false)


def match_people(people: Sequence[Person], joints_px: Array, visible: Array, size: tuple[int, int]) -> dict[int, int]:
    """Give {true person: index of the published one}, the nearest together."""
    if not people:
        return {}
    away = np.array([[body_distance(person, true, size) for person in people] for true in joints_px])
    away[visible < MAX_HIDDEN] = np.inf
    rows, columns = linear_sum_assignment(np.minimum(away, 1e3))
    return {int(row): int(column) for row, column in zip(rows, columns, strict=True) if away[row, column] < NEAR}


def body_distance(person: Person, true_px: Array, size: tuple[int, int]) -> float:
    """Median distance of the limb joints inside the image, in sizes of the true body. Left and right may be confused."""
    mine = person.keypoints_px[joint_indices(person.skeleton, LIMB_JOINTS)]
    inside = ((true_px[LIMBS] >= 0) & (true_px[LIMBS] < size)).all(1)
    if not inside.any():
        return float("inf")
    away = [np.median(np.linalg.norm(mine - true_px[joints], axis=1)[inside]) for joints in (LIMBS, MIRRORED_LIMBS)]
    return float(min(away) / np.ptp(true_px, axis=0).max())


def score_person(matches: Sequence[tuple[int, Person]], who: int, frames: Sequence[Bodies], truth: SceneTruth) -> PersonScores:
    """Score the bodies of one true person: (frame, person) in frame order."""
    seen = np.flatnonzero(truth.visible[who, : len(frames)] > MIN_VISIBLE)
    found = np.array([frame for frame, _ in matches], int)
    values = dict.fromkeys(PersonScores._fields, float("nan"))
    started = seen[seen >= seen[0] + START_S * truth.fps] if len(seen) else seen
    values["found"] = float(np.isin(started, found).mean()) if len(started) else float("nan")
    values["first_frames"] = float(found[0] - seen[0]) if len(found) and len(seen) else float("nan")
    values["reentry_frames"] = reentry_frames(truth.visible[who, : len(frames)], found)
    values["ids"] = float(len({person.track_id for _, person in matches}))
    posed = [(frame, person) for frame, person in matches if person.smpl is not None]
    if posed:
        values |= pose_scores(posed, truth, who)
        values["iou"] = mean_silhouette_iou(posed, frames, truth.silhouettes[who])
    return PersonScores(**values)


def reentry_frames(visible: Array, found: Array) -> float:
    """Frames from each return of a hidden person until the next body, the longest; NaN if never hidden."""
    waits, hidden = [], False
    for frame, share in enumerate(visible):
        if share < MAX_HIDDEN:
            hidden = True
        elif hidden and share > MIN_VISIBLE:
            later = found[found >= frame]
            waits.append(float(later[0] - frame) if len(later) else float(len(visible) - frame))
            hidden = False
    return max(waits, default=float("nan"))


def pose_scores(matches: Sequence[tuple[int, Person]], truth: SceneTruth, who: int) -> dict[str, float]:
    """Errors of the poses of one person."""
    body = load_default_body()
    at = np.array([frame for frame, _ in matches])
    joints = np.array([smpl_joints(body, person) for _, person in matches])
    true = truth.joints_m[who][at].astype(float)
    mine, theirs = centre_on_root(joints, joints[:, 0]), centre_on_root(true, true[:, 0])
    turns, true_turns = joint_turns_deg(smpl_rotations(matches), at), joint_turns_deg(true_rotations(truth.poses[who]), None)
    excess = turns - true_turns.max(0, initial=0.0)
    steps = consecutive(at, 2)
    return {
        "pa_mpjpe_mm": float(distances_mm(procrustes_align(joints, true), true).mean()),
        "mpjpe_mm": float(distances_mm(mine, theirs).mean()),
        "acceleration_mm": float(np.linalg.norm(np.diff(mine - theirs, 2, axis=0)[steps], axis=-1).mean() * MM_PER_M),
        "jump_deg": float(turns.max(initial=0.0)),
        "excess_jump_deg": float(excess.max(initial=0.0)),
        "lag_frames": lag_frames(mine[:, LIMBS], at, centred_truth(truth.joints_m[who])[:, LIMBS]),
    }


def smpl_joints(body: Body, person: Person) -> Array:
    """Joints (24, 3) m of a person's SMPL pose."""
    smpl = person.smpl
    assert smpl is not None
    return body.joints(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl).astype(float)


def smpl_rotations(matches: Iterable[tuple[int, Person]]) -> Array:
    """Rotation matrices (N, 24, 3, 3) of the people's joints."""
    return np.array([joint_rotations(p.smpl.global_orient, p.smpl.body_pose) for _, p in matches if p.smpl is not None])


def true_rotations(poses: Array) -> Array:
    """Rotation matrices (N, 24, 3, 3) of poses (N, 72)."""
    return np.array([joint_rotations(pose[:3], pose[3:]) for pose in poses])


def joint_turns_deg(rotations: Array, at: Array | None) -> Array:
    """Turn of each joint between consecutive frames, (M, 24) degrees. at: (N,) frame numbers; None: all consecutive."""
    turns: Array = angles_deg(rotations[:-1], rotations[1:])
    return turns if at is None else turns[consecutive(at, 1)]


def consecutive(at: Array, steps: int) -> Array:
    """Which of the windows of steps + 1 rows are of consecutive frames: (N - steps,) bool."""
    return at[steps:] - at[: len(at) - steps] == steps


def centred_truth(joints_m: Array) -> Array:
    """Joints (N, 24, 3) from the pelvis."""
    return joints_m.astype(float) - joints_m[:, :1]


def lag_frames(mine: Array, at: Array, theirs: Array) -> float:
    """Return by how many frames positions mine (M, J, 3), at frames `at`, follow the truth's (N, J, 3).

    Least squares of the error on the truth's velocity, after an affine map of each joint's positions is taken out of both: an
    offset, too small a movement or a wrong depth is no lag.
    """
    true, velocity = theirs[at], np.gradient(theirs, axis=0)[at]
    products = np.zeros(2)
    for joint in range(true.shape[1]):
        affine = np.c_[np.ones(len(at)), true[:, joint]]
        error, speed = (
            values - affine @ np.linalg.lstsq(affine, values, rcond=None)[0]
            for values in (mine[:, joint] - true[:, joint], velocity[:, joint])
        )
        products += (error * speed).sum(), (speed * speed).sum()
    return float(-products[0] / products[1]) if products[1] > 0 else float("nan")


def mean_silhouette_iou(matches: Sequence[tuple[int, Person]], frames: Sequence[Bodies], drawn: Array) -> float:
    """Mean IoU of the meshes' silhouettes with the drawn ones (N, h, w), every fourth frame."""
    values = [mesh_iou(person, frames[frame], drawn[frame]) for frame, person in matches[::4]]
    return float(np.mean(values))


def mesh_iou(person: Person, bodies: Bodies, drawn: Array) -> float:
    """IoU of a person's mesh, projected with the intrinsics of the message, and a drawn silhouette (h, w)."""
    body, smpl = load_default_body(), person.smpl
    assert smpl is not None
    vertices = body.vertices(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)
    mask = mesh_silhouette(vertices, body.faces, bodies.intrinsics, bodies.size, drawn.shape)
    drawn = drawn[:, : mask.shape[1]]
    return float((mask & drawn).sum() / max(1, (mask | drawn).sum()))


def mesh_silhouette(
    vertices: Array, faces: Array, intrinsics: tuple[float, float, float, float], size: tuple[int, int], shape: tuple[int, ...]
) -> Array:
    """Draw a mesh (V, 3) m as a silhouette of about `shape`, the image of (width, height) px at a fraction of its resolution."""
    scale = shape[0] / size[1]
    vertices = np.c_[vertices[:, :2], np.maximum(vertices[:, 2], 0.05)]
    points = np.clip(project(vertices, intrinsics) * scale, -1e4, 1e4)
    mask = np.zeros((shape[0], round(size[0] * scale)), np.uint8)
    triangles = np.round(points[faces] * 16).astype(np.int32)
    for triangle in triangles:
        cv2.fillConvexPoly(mask, triangle, 1, shift=4)
    return mask.astype(bool)


def mean_scores(people: Iterable[PersonScores]) -> PersonScores:
    """Mean of the scores of several people, of jumps and re-entries the largest; NaN is left out."""
    table = np.array(list(people), float).reshape(-1, len(PersonScores._fields))
    largest = {"jump_deg", "excess_jump_deg", "reentry_frames", "first_frames", "ids"}
    known = [table[np.isfinite(table[:, column]), column] for column in range(table.shape[1])]
    values = [
        float("nan") if not len(column) else float(column.max() if name in largest else column.mean())
        for name, column in zip(PersonScores._fields, known, strict=True)
    ]
    return PersonScores(*values)
