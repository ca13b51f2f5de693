"""SMPL body model in NumPy: shape, forward kinematics, linear blend skinning (LBS); and fitting a translation to pixels.

Loper et al., "SMPL: A Skinned Multi-Person Linear Model" (2015). Metres and radians. The rest pose is a T-pose, y up, facing
+z; the frame of a pose is that of its global_orient and transl.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remi_stream.geometry import Intrinsics, axis_angle_from_matrices, matrices_from_axis_angle, unproject
from remi_stream.paths import data_file
from remi_stream.skeletons import SMPL_PARENTS

FloatArray = NDArray[np.floating[Any]]

JOINT_COUNT = 24
"""Number of SMPL's joints."""
PACKED_LENGTH_STEP_M = 2e-5
"""Quantisation step of the packed lengths, 0.02 mm."""


@dataclass(frozen=True, eq=False)
class Body:
    """A body model's arrays. Treat them as read-only: bodies are cached and shared."""

    name: str
    """As in messages: "smpl" or "open"."""
    v_template: FloatArray
    """(V, 3) float32, m, rest frame."""
    shapedirs: FloatArray
    """(V, 3, 10) float32, m per unit of beta."""
    joint_regressor: FloatArray
    """(24, V) float32, rows sum to 1."""
    skin_weights: FloatArray
    """(V, 24) float32, rows sum to 1."""
    faces: NDArray[np.int32]
    """(F, 3)."""
    parents: NDArray[np.int32]
    """(24,), -1 for the root."""
    posedirs: FloatArray | None = None
    """(V, 3, 207) float32, m: pose blend shapes, or None."""
    vertex_rgb: NDArray[np.uint8] | None = None
    """(V, 3): vertex colours, or None."""

    @cached_property
    def _joints_by_shape(self) -> tuple[FloatArray, FloatArray]:
        """Rest joints (24, 3) of the mean shape, and their derivatives (24, 3, 10) by beta: float64, m."""
        regressor = self.joint_regressor.astype(np.float64)
        return regressor @ self.v_template, np.einsum("jv,vab->jab", regressor, self.shapedirs)

    @cached_property
    def _skin_columns(self) -> FloatArray:
        """skin_weights as (24, V), contiguous, since skinning reads whole columns."""
        return np.ascontiguousarray(self.skin_weights.T, np.float32)

    def rest_joints(self, betas: FloatArray) -> FloatArray:
        """Return the joints of the rest pose for betas (10,): (24, 3) float64, m, rest frame."""
        mean, per_beta = self._joints_by_shape
        return mean + per_beta @ np.asarray(betas, np.float64)

    def rest_vertices(self, betas: FloatArray) -> FloatArray:
        """Return the vertices of the rest pose for betas (10,): (V, 3) float32, m, rest frame."""
        betas = np.asarray(betas, np.float32)
        return self.v_template + np.tensordot(self.shapedirs, betas, axes=1) if betas.any() else self.v_template

    def joints(self, global_orient: FloatArray, body_pose: FloatArray, betas: FloatArray, transl: FloatArray) -> FloatArray:
        """Return the posed joints, (24, 3) float64, m, in transl's frame. Arguments as in `vertices`."""
        rotations = joint_rotations(global_orient, body_pose)
        return forward_kinematics(self.rest_joints(betas), rotations, transl, self.parents)[1]

    def vertices(self, global_orient: FloatArray, body_pose: FloatArray, betas: FloatArray, transl: FloatArray) -> FloatArray:
        """Return the posed vertices, (V, 3) float32, m, in transl's frame.

        global_orient: (3,) and body_pose: (69,) axis-angle, rad; betas: (10,); transl: (3,) m.
        """
        rotations = joint_rotations(global_orient, body_pose)
        rest = self.rest_vertices(betas)
        if self.posedirs is not None:
            rest = rest + np.tensordot(self.posedirs, (rotations[1:] - np.eye(3)).ravel().astype(np.float32), axes=1)
        return self.skin(rest, self.rest_joints(betas), rotations, transl)[0]

    def skin(
        self, rest: FloatArray, rest_joints: FloatArray, rotations: FloatArray, transl: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Linear blend skinning of rest (V, 3), m: posed vertices (V, 3) float32 and joints (24, 3), m.

        rest_joints: (24, 3) m, rest frame; rotations: (24, 3, 3), each relative to its parent; transl: (3,) m.
        """
        world, joints = forward_kinematics(rest_joints, rotations, transl, self.parents)
        offsets = joints - np.einsum("jab,jb->ja", world, rest_joints)
        motions = np.concatenate([world, offsets[:, :, None]], axis=2).astype(np.float32)
        blend = (motions.reshape(JOINT_COUNT, 12).T @ self._skin_columns).reshape(3, 4, -1)
        x, y, z = np.ascontiguousarray(rest.T, np.float32)
        return np.stack([row[0] * x + row[1] * y + row[2] * z + row[3] for row in blend], axis=1), joints


def joint_rotations(global_orient: FloatArray, body_pose: FloatArray) -> FloatArray:
    """Convert axis-angle (3,) and (69,), rad, to local rotations (24, 3, 3) float64, each relative to its parent."""
    rotvecs = np.concatenate([global_orient, body_pose]).reshape(JOINT_COUNT, 3)
    return matrices_from_axis_angle(rotvecs)


def forward_kinematics(
    rest_joints: FloatArray,
    rotations: FloatArray,
    transl: FloatArray,
    parents: NDArray[np.int32] | tuple[int, ...] = SMPL_PARENTS,
) -> tuple[FloatArray, FloatArray]:
    """Return world rotations (24, 3, 3) and joints (24, 3), m, in transl's frame; joint 0 is at rest_joints[0] + transl.

    rest_joints: (24, 3) m, rest frame; rotations: (24, 3, 3), each relative to its parent; transl: (3,) m.
    """
    world, joints = np.empty((len(rotations), 3, 3)), np.empty((len(rotations), 3))
    world[0], joints[0] = rotations[0], rest_joints[0] + transl
    for joint, parent in enumerate(parents[1:], start=1):
        world[joint] = world[parent] @ rotations[joint]
        joints[joint] = joints[parent] + world[parent] @ (rest_joints[joint] - rest_joints[parent])
    return world, joints


def rotate_body(
    rotation: FloatArray, root_joint: FloatArray, global_orient: FloatArray, transl: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Transform a body by rotation (3, 3) of the axes: its new global_orient (3,) rad and transl (3,) m.

    SMPL rotates about joint 0, not about the origin, so transl is no plain vector: t' = R (J0 + t) - J0, where root_joint is
    J0 = rest_joints(betas)[0], (3,) m.
    """
    turned = rotation @ matrices_from_axis_angle(global_orient)
    return axis_angle_from_matrices(turned), rotation @ (root_joint + transl) - root_joint


@cache
def load_default_body() -> Body:
    """Load the default body: CC0, 13,524 vertices, built and packed by tools/make_open_body.py."""
    with np.load(data_file("open_body.npz")) as packed:
        weights = np.zeros((len(packed["skin_joint"]), JOINT_COUNT), np.float32)
        np.put_along_axis(weights, packed["skin_joint"].astype(np.intp), packed["skin_weight"] / np.float32(4096), axis=1)
        regressor = np.zeros(weights.T.shape, np.float32)
        regressor[packed["regressor_joint"], packed["regressor_vertex"]] = packed["regressor_weight"]
        return Body(
            name="open",
            v_template=_lengths(packed["template_steps"]),
            shapedirs=_lengths(packed["shape_steps"]),
            joint_regressor=regressor,
            skin_weights=weights,
            faces=packed["faces"].astype(np.int32),
            parents=np.array(SMPL_PARENTS, np.int32),
            vertex_rgb=packed["vertex_rgb"],
        )


def _lengths(steps: NDArray[np.int32]) -> FloatArray:
    """Decode lengths (V, ...) float32, m, from their differences along the vertices in steps of PACKED_LENGTH_STEP_M."""
    return (np.cumsum(steps, axis=0) * PACKED_LENGTH_STEP_M).astype(np.float32)


def fit_translation(points: np.ndarray, pixels: np.ndarray, weights: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
    """Fit a translation by weighted least squares: t (3,), m, camera frame, so that points (N, 3) + t project to pixels (N, 2).

    weights: (N,), 0 ignores a point.

    x + tx = u (z + tz) is linear in t, where u is the pixel's ray: two equations per point. A second solution divides each by
    the point's depth of the first, so that errors count in pixels, not in metres.
    """
    u = unproject(pixels, intrinsics)
    rows = np.zeros((len(points), 2, 3))
    rows[:, 0, 0] = rows[:, 1, 1] = 1
    rows[:, :, 2] = -u
    targets = u * points[:, 2:] - points[:, :2]
    found = weighted_least_squares(rows, targets, weights)
    depths = np.maximum(points[:, 2] + found[2], 0.1)
    return weighted_least_squares(rows, targets, weights / depths**2)


def weighted_least_squares(rows: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Solve weighted least squares for 3 unknowns: rows (N, 2, 3), targets (N, 2), weights (N,)."""
    weighted = rows * weights[:, None, None]
    normal = np.einsum("nki,nkj->ij", weighted, rows)
    # the small diagonal keeps the normal matrix regular when fewer than two points have a weight
    return np.linalg.solve(normal + 1e-9 * np.trace(normal) * np.eye(3), np.einsum("nki,nk->i", weighted, targets))
