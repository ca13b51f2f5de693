"""Motion of a person on a body model: joint rotations and pelvis positions over time, with resampling and slerp."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.body.known_bodies import Retargeter
from remi_stream.body.smpl import Body
from remi_stream.geometry import matrices_from_axis_angle, quaternions_from_matrices, slerp
from remi_stream.recordings.take import SmplTrack

MAX_GAP_S = 0.5
"""Over longer gaps between poses the person was out of sight, so they are not interpolated."""
SNAP_SHARE = 1e-3
"""Closer to a pose than this share of the interval, a resampled frame takes that pose unchanged: times differ by rounding."""


class PersonMotion(NamedTuple):
    """Motion of one person, in camera axes, or y up after conversion."""

    body: Body
    times_s: np.ndarray
    """(n,) float64, s."""
    rotations: np.ndarray
    """(n, 24, 4) quaternions x y z w, each joint in its parent, without sign jumps from q to -q."""
    pelvis_m: np.ndarray
    """(n, 3) m, pelvis positions."""
    betas: np.ndarray
    """(10,) float32, the median over the track."""


def person_motion(track: SmplTrack, retarget: Retargeter) -> PersonMotion:
    """Return the motion of a track, retargeted to the retarget's target body."""
    body, poses = retarget.target, [retarget.retarget(smpl) for smpl in track.poses]
    vectors = np.stack([np.concatenate([smpl.global_orient, smpl.body_pose]) for smpl in poses]).reshape(-1, 24, 3)
    rotations = quaternions_from_matrices(matrices_from_axis_angle(vectors.astype(np.float64)))
    # Rest joints are computed once per distinct betas, not once per frame.
    shapes, rows = np.unique(np.stack([smpl.betas for smpl in poses]), axis=0, return_inverse=True)
    rest_pelvis = np.stack([body.rest_joints(betas)[0] for betas in shapes])[rows.ravel()]
    pelvis = rest_pelvis + np.stack([smpl.transl for smpl in poses])
    betas = np.median(shapes[rows.ravel()], 0).astype(np.float32)
    return PersonMotion(body, track.times_s, make_continuous(rotations), pelvis, betas)


def to_y_up(motion: PersonMotion) -> PersonMotion:
    """Convert from camera axes to y up: x stays, z points back to the camera, which is taken to be level."""
    rotations = motion.rotations.copy()
    x, y, z, w = np.moveaxis(motion.rotations[:, 0], -1, 0)
    # a half turn about x, the quaternion (1, 0, 0, 0), from the left; the other joints are relative to their parents
    rotations[:, 0] = np.stack([w, -z, y, -x], -1)
    return motion._replace(rotations=rotations, pelvis_m=motion.pelvis_m * (1, -1, -1))


def sample_times(start_s: float, end_s: float, fps: float) -> np.ndarray:
    """Times (m,) at a constant rate from start to end, both included, s."""
    return start_s + np.arange(round((end_s - start_s) * fps) + 1) / fps


def resample(motion: PersonMotion, samples: np.ndarray) -> tuple[PersonMotion, np.ndarray]:
    """Resample the motion at these times (m,), rising, s; also return where it is known, (m,) bool.

    Rotations are interpolated by slerp, positions linearly; over a gap the last pose is held, and so are the first pose before
    its time and the last one after it.
    """
    times = motion.times_s
    before = np.clip(np.searchsorted(times, samples, "right") - 1, 0, len(times) - 1)
    after = np.minimum(before + 1, len(times) - 1)
    interval = np.maximum(times[after] - times[before], 1e-9)
    share = np.clip((samples - times[before]) / interval, 0, 1)
    # of a long gap the share would be many frames
    snap = SNAP_SHARE * np.minimum(1, MAX_GAP_S / interval)
    share[share < snap], share[share > 1 - snap] = 0, 1
    is_gap = (times[after] - times[before] > MAX_GAP_S) & (share > 0) & (share < 1)
    share[is_gap] = 0
    slack = SNAP_SHARE * np.diff(samples, prepend=samples[0]).max()
    is_outside = (samples < times[0] - slack) | (samples > times[-1] + slack)
    pelvis = motion.pelvis_m[before] + share[:, None] * (motion.pelvis_m[after] - motion.pelvis_m[before])
    shape = (len(samples), *motion.rotations.shape[1:])
    shares = np.repeat(share, shape[1])[:, None]
    flat = slerp(motion.rotations[before].reshape(-1, 4), motion.rotations[after].reshape(-1, 4), shares)
    rotations = make_continuous(flat.reshape(shape))
    return motion._replace(times_s=samples, rotations=rotations, pelvis_m=pelvis), ~(is_gap | is_outside)


def make_continuous(rotations: np.ndarray) -> np.ndarray:
    """Flip signs of quaternions (n, J, 4) so that consecutive ones lie in one hemisphere."""
    same_side = (rotations[1:] * rotations[:-1]).sum(-1, keepdims=True) >= 0
    signs = np.cumprod(np.where(same_side, 1, -1), 0)
    return np.concatenate([rotations[:1], rotations[1:] * signs])


def unknown_runs(known: np.ndarray) -> list[tuple[int, int]]:
    """Return the runs (first, last) of rows (n,) bool that are False."""
    # True at both ends: a run at an end has two edges too
    edges = np.flatnonzero(np.diff(np.concatenate([[True], known, [True]]).astype(int)))
    return [(int(first), int(last) - 1) for first, last in zip(edges[::2], edges[1::2])]
