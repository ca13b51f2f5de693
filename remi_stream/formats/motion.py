"""A person's movement on a body: rotations, and where the pelvis is, over time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.body.retarget import Retarget
from remi_stream.body.smpl import Body
from remi_stream.formats.tracks import Track
from remi_stream.geometry import quaternions, rotation_matrices

LONGEST_STEP_S = 0.5
"""Between poses that are further apart somebody was away: they are not connected by a movement."""
AT_A_POSE = 1e-3
"""So close to a pose, as a share of the way to the next one, it is that pose."""


class Motion(NamedTuple):
    """In camera axes, unless it was turned: see `y_up`.

    times_s: (n,) float64, s. rotations: (n, 24, 4) quaternions x y z w, each joint in its parent, without jumps from q to -q.
    pelvis_m: (n, 3). betas: (10,) float32, the median.
    """

    body: Body
    times_s: np.ndarray
    rotations: np.ndarray
    pelvis_m: np.ndarray
    betas: np.ndarray


def motion_of(track: Track, retarget: Retarget) -> Motion:
    """The motion of a track on the retarget's body."""
    body, poses = retarget.target, [retarget.smpl(smpl) for smpl in track.poses]
    vectors = np.stack([np.concatenate([smpl.global_orient, smpl.body_pose]) for smpl in poses]).reshape(-1, 24, 3)
    rotations = quaternions(rotation_matrices(vectors.astype(np.float64)))
    shapes, which = np.unique(np.stack([smpl.betas for smpl in poses]), axis=0, return_inverse=True)
    rest_pelvis = np.stack([body.rest_joints(betas)[0] for betas in shapes])[which.ravel()]
    pelvis = rest_pelvis + np.stack([smpl.transl for smpl in poses])
    betas = np.median(shapes[which.ravel()], 0).astype(np.float32)
    return Motion(body, track.times_s, connected(rotations), pelvis, betas)


def y_up(motion: Motion) -> Motion:
    """The same in an animator's axes: x stays, y points up, z back to the camera, which is taken to be level."""
    rotations = motion.rotations.copy()
    x, y, z, w = np.moveaxis(motion.rotations[:, 0], -1, 0)
    rotations[:, 0] = np.stack([w, -z, y, -x], -1)
    return motion._replace(rotations=rotations, pelvis_m=motion.pelvis_m * (1, -1, -1))


def evenly(motion: Motion, fps: float) -> tuple[Motion, np.ndarray]:
    """The motion at a steady rate from its first pose to its last, and where it is known: (m,) bool.

    Between two poses joints turn evenly; over a gap the last pose is held.
    """
    times = motion.times_s
    wanted = times[0] + np.arange(round((times[-1] - times[0]) * fps) + 1) / fps
    before = np.clip(np.searchsorted(times, wanted, "right") - 1, 0, len(times) - 1)
    after = np.minimum(before + 1, len(times) - 1)
    share = np.clip((wanted - times[before]) / np.maximum(times[after] - times[before], 1e-9), 0, 1)
    share[share < AT_A_POSE], share[share > 1 - AT_A_POSE] = 0, 1
    away = (times[after] - times[before] > LONGEST_STEP_S) & (share > 0) & (share < 1)
    share[away] = 0
    pelvis = motion.pelvis_m[before] + share[:, None] * (motion.pelvis_m[after] - motion.pelvis_m[before])
    rotations = connected(between(motion.rotations[before], motion.rotations[after], share[:, None, None]))
    return motion._replace(times_s=wanted, rotations=rotations, pelvis_m=pelvis), ~away


def between(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The rotations a share of the way from a to b (..., 4), by the shorter way. Shoemake, "Animating Rotation" (1985)."""
    cosine = (a * b).sum(-1, keepdims=True)
    b, angle = np.where(cosine < 0, -b, b), np.arccos(np.clip(np.abs(cosine), 0, 1))
    sine, far = np.maximum(np.sin(angle), 1e-9), angle > 1e-4
    mixed = np.where(far, np.sin((1 - share) * angle) / sine, 1 - share) * a
    mixed = mixed + np.where(far, np.sin(share * angle) / sine, share) * b
    return mixed / np.linalg.norm(mixed, axis=-1, keepdims=True)


def connected(rotations: np.ndarray) -> np.ndarray:
    """The same rotations (n, J, 4), each on the side of the one before."""
    same_side = (rotations[1:] * rotations[:-1]).sum(-1, keepdims=True) >= 0
    signs = np.cumprod(np.where(same_side, 1, -1), 0)
    return np.concatenate([rotations[:1], rotations[1:] * signs])


def gaps(known: np.ndarray) -> list[tuple[int, int]]:
    """The runs (first, last) of rows (n,) bool that are not known."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], known, [True]]).astype(int)))
    return [(int(first), int(last) - 1) for first, last in zip(edges[::2], edges[1::2])]
