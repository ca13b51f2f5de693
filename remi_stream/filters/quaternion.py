"""Unit quaternions (N, 4), in the order x y z w: what live filters turn bodies with, since they are quicker than matrices."""

from __future__ import annotations

import numpy as np

_PRODUCT = np.zeros((4, 4, 4))
for _a, _b, _c, _sign in [(3, k, k, 1) for k in range(4)] + [(k, 3, k, 1) for k in range(3)] + [(k, k, 3, -1) for k in range(3)]:
    _PRODUCT[_a, _b, _c] = _sign
for _a, _b, _c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    _PRODUCT[_a, _b, _c], _PRODUCT[_b, _a, _c] = 1, -1
_LEFT = _PRODUCT.reshape(4, 16)
"""The matrix of multiplying by a quaternion from the left is the quaternion times this."""
_CONJUGATE = np.array([-1.0, -1.0, -1.0, 1.0])
_LEAST = 1e-12


def from_vectors(vectors: np.ndarray) -> np.ndarray:
    """Quaternions of rotation vectors (N, 3), rad."""
    angles = np.sqrt((vectors * vectors).sum(-1, keepdims=True)) + _LEAST
    made = np.empty((len(vectors), 4))
    np.multiply(vectors, np.sin(angles / 2) / angles, out=made[:, :3])
    np.cos(angles / 2, out=made[:, 3:])
    return made


def to_vectors(quaternions: np.ndarray) -> np.ndarray:
    """Rotation vectors (N, 3), rad, at most pi long."""
    sines = np.sqrt((quaternions[:, :3] ** 2).sum(-1, keepdims=True)) + _LEAST
    cosines = quaternions[:, 3:]
    return quaternions[:, :3] * (np.copysign(2.0, cosines) * np.arctan2(sines, np.abs(cosines)) / sines)


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a b: first b is applied, then a."""
    return (b[:, None, :] @ (a @ _LEFT).reshape(-1, 4, 4))[:, 0]


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The rotation vectors (N, 3), rad, that take a to b by the shorter way, in a's own axes: b = a from_vectors(...)."""
    return to_vectors(product(a * _CONJUGATE, b))


def turned(a: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """a, turned by rotation vectors (N, 3), rad, in its own axes; of length 1."""
    return normalised(product(a, from_vectors(vectors)))


def normalised(quaternions: np.ndarray) -> np.ndarray:
    """The same rotations, of length 1."""
    return quaternions / np.sqrt((quaternions * quaternions).sum(-1, keepdims=True))


def mean(stack: np.ndarray) -> np.ndarray:
    """The mean rotations (N, 4) of a stack (F, N, 4), which may not be far apart.

    A rotation has two quaternions; each is taken on the side of the last one. Markley et al., "Averaging Quaternions" (2007),
    whose mean this is to the third order of their distances.
    """
    side = np.copysign(1.0, (stack * stack[-1]).sum(-1, keepdims=True))
    return normalised((stack * side).sum(0))
