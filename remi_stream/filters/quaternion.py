"""Unit quaternions (N, 4), order x y z w: conversion, product, slerp and mean. Live filters use them: faster than matrices."""

from __future__ import annotations

import numpy as np

_PRODUCT = np.zeros((4, 4, 4))
for _a, _b, _c, _sign in [(3, k, k, 1) for k in range(4)] + [(k, 3, k, 1) for k in range(3)] + [(k, k, 3, -1) for k in range(3)]:
    _PRODUCT[_a, _b, _c] = _sign
for _a, _b, _c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    _PRODUCT[_a, _b, _c], _PRODUCT[_b, _a, _c] = 1, -1
_LEFT = _PRODUCT.reshape(4, 16)
"""(4, 16): a quaternion times this is the matrix of multiplication by it from the left."""
_CONJUGATE = np.array([-1.0, -1.0, -1.0, 1.0])
_EPSILON = 1e-12
"""Keeps divisions by the angle finite at zero rotation."""


def quaternions_from_rotation_vectors(vectors: np.ndarray) -> np.ndarray:
    """Convert rotation vectors (N, 3), rad, to quaternions (N, 4)."""
    angles = np.sqrt((vectors * vectors).sum(-1, keepdims=True)) + _EPSILON
    quaternions = np.empty((len(vectors), 4))
    np.multiply(vectors, np.sin(angles / 2) / angles, out=quaternions[:, :3])
    np.cos(angles / 2, out=quaternions[:, 3:])
    return quaternions


def rotation_vectors_from_quaternions(quaternions: np.ndarray) -> np.ndarray:
    """Convert quaternions (N, 4) to rotation vectors (N, 3), rad, of length at most pi."""
    sines = np.sqrt((quaternions[:, :3] ** 2).sum(-1, keepdims=True)) + _EPSILON
    cosines = quaternions[:, 3:]
    return quaternions[:, :3] * (np.copysign(2.0, cosines) * np.arctan2(sines, np.abs(cosines)) / sines)


def quaternion_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Multiply quaternions (N, 4): a b applies b first, then a."""
    return (b[:, None, :] @ (a @ _LEFT).reshape(-1, 4, 4))[:, 0]


def quaternion_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the rotation vectors (N, 3), rad, from a to b by the shortest arc, in a's own axes: b = a from_vectors(...)."""
    return rotation_vectors_from_quaternions(quaternion_product(a * _CONJUGATE, b))


def rotate_quaternions(a: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Rotate quaternions a by rotation vectors (N, 3), rad, in their own axes; with a share of `quaternion_difference` this is slerp."""
    return normalise_quaternions(quaternion_product(a, quaternions_from_rotation_vectors(vectors)))


def normalise_quaternions(quaternions: np.ndarray) -> np.ndarray:
    """Normalise quaternions (N, 4) to length 1."""
    return quaternions / np.sqrt((quaternions * quaternions).sum(-1, keepdims=True))


def mean_quaternions(stack: np.ndarray) -> np.ndarray:
    """Average rotations (F, N, 4) that are close together to (N, 4).

    Equals the mean of Markley et al., "Averaging Quaternions" (2007), to the third order of their distances.
    """
    # q and -q are the same rotation: each gets the sign of the last one.
    side = np.copysign(1.0, (stack * stack[-1]).sum(-1, keepdims=True))
    return normalise_quaternions((stack * side).sum(0))
