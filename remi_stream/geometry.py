"""Geometry of bounding boxes, crops, pinhole cameras and rotations.

Conventions, everywhere in this package:

- Camera axes: x right, y down, z forward (OpenCV); metres. SMPL bodies at rest: y up, facing +z, T-pose.
- Pixels: the centre of the top left pixel is (0, 0) for OpenCV's warps; key points and boxes are in px of the full image.
- Boxes: x0 y0 x1 y1. Intrinsics: fx, fy, cx, cy px; by default the focal length is hypot(width, height) and the principal
  point the image centre.
- Rotations: matrices act on column vectors; rotation vectors are axis times angle in radians. A leading "..." in a shape
  stands for any number of axes: everything here works on stacks.
"""

from __future__ import annotations

import math

import numpy as np

Intrinsics = tuple[float, float, float, float]


_EPSILON = 1e-12
"""Keeps divisions by an angle finite at zero rotation."""
NEAR_HALF_TURN = -0.99
"""Cosine of an angle near half a turn."""


def default_intrinsics(width: float, height: float) -> Intrinsics:
    """Return fx, fy, cx, cy px of an uncalibrated camera (field of view about 53 degrees along the diagonal)."""
    focal_px = math.hypot(width, height)
    return focal_px, focal_px, width / 2, height / 2


def project(points: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
    """Project points (..., 3), m, camera frame, to px (..., 2) with the pinhole model."""
    fx, fy, cx, cy = intrinsics
    return points[..., :2] / points[..., 2:] * (fx, fy) + (cx, cy)


def unproject(pixels: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
    """Unproject pixels (..., 2) to points (..., 2) at depth 1, camera frame."""
    fx, fy, cx, cy = intrinsics
    return (pixels - (cx, cy)) / (fx, fy)


def bounding_box(points: np.ndarray) -> np.ndarray:
    """Tight bounding box (4,) float32 around points (N, 2), px."""
    return np.concatenate([points.min(0), points.max(0)]).astype(np.float32)


def box_with_margin(points: np.ndarray, margin: float) -> np.ndarray:
    """Bounding box (4,) float32 around points (N, 2), px. margin: added on each side, as a fraction of the box's longest side."""
    box = bounding_box(points)
    margin_px = margin * (box[2:] - box[:2]).max()
    return box + np.array([-margin_px, -margin_px, margin_px, margin_px], np.float32)


def iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union (IoU) of one box (4,) with each of boxes (N, 4): (N,)."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.clip(high - low, 0, None).prod(1)
    union = (box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1) - shared
    return shared / np.maximum(union, 1e-9)


def intersection_over_smaller(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection of one box (4,) with each of boxes (N, 4) over the area of the smaller of the two: (N,)."""
    return intersection_area(box, boxes) / np.maximum(np.minimum(box_area(boxes), box_area(box)), 1e-9)


def intersection_area(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Area of the intersection of one box (4,) with each of boxes (N, 4): (N,)."""
    size = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    return np.prod(np.clip(size, 0, None), axis=1)


def box_area(boxes: np.ndarray) -> np.ndarray:
    """Area of boxes (..., 4)."""
    return np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Logistic function of a network's logits: scores of detections, landmarks and heatmaps."""
    return 1 / (1 + np.exp(-np.clip(logits, -80, 80)))  # exp overflows float32 above 88


def image_from_crop(center: np.ndarray, size: float, angle: float, side: int) -> np.ndarray:
    """Affine matrix (2, 3) from crop px to image px. The square crop of side px covers size px of the image, rotated by angle."""
    cos, sin = math.cos(angle) * size / side, math.sin(angle) * size / side
    half = side / 2
    x, y = center
    return np.array([[cos, -sin, x - (cos - sin) * half], [sin, cos, y - (sin + cos) * half]])


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Normalise vectors (..., 3) to length 1; a zero vector stays zero."""
    return vectors / np.sqrt(np.maximum((vectors * vectors).sum(-1, keepdims=True), 1e-24))


def cross_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross product of stacks (..., 3); several times faster than numpy.cross on small stacks."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    x = ay * bz - az * by
    product = np.empty((*x.shape, 3))
    product[..., 0], product[..., 1], product[..., 2] = x, az * bx - ax * bz, ax * by - ay * bx
    return product


def angle_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angle, radians, between vectors (..., 3) of any length."""
    return np.arctan2(np.sqrt((cross_product(a, b) ** 2).sum(-1)), (a * b).sum(-1))


def matrices_from_axis_angle(rotation_vectors: np.ndarray) -> np.ndarray:
    """Convert rotation vectors (axis-angle) (..., 3), radians, to rotation matrices (..., 3, 3): Rodrigues' formula."""
    angles = np.maximum(np.sqrt((rotation_vectors * rotation_vectors).sum(-1)), _EPSILON)
    K = skew_symmetric(rotation_vectors)
    # (1 - cos(a)) / a^2 = 2 (sin(a/2) / a)^2 keeps its digits at small angles
    half_sines = np.sin(angles / 2) / angles
    first = (2 * np.cos(angles / 2) * half_sines)[..., None, None]
    second = (2 * half_sines * half_sines)[..., None, None]
    return np.eye(3) + first * K + second * (K @ K)


def axis_angle_from_matrices(matrices: np.ndarray) -> np.ndarray:
    """Convert rotation matrices (..., 3, 3) to rotation vectors (axis-angle) (..., 3), radians, at most pi long.

    From the antisymmetric part, in a fifth of the time of quaternions, which are used near half a turn, where it vanishes.
    """
    m = matrices
    cosines = (m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2] - 1) / 2
    if (cosines < NEAR_HALF_TURN).any():
        return _axis_angle_from_quaternions(quaternions_from_matrices(matrices))
    found = np.empty(m.shape[:-1])
    found[..., 0] = m[..., 2, 1] - m[..., 1, 2]
    found[..., 1] = m[..., 0, 2] - m[..., 2, 0]
    found[..., 2] = m[..., 1, 0] - m[..., 0, 1]
    found /= 2
    sines = np.sqrt((found * found).sum(-1))
    found *= (np.arctan2(sines, cosines) / np.maximum(sines, _EPSILON))[..., None]
    return found


def _axis_angle_from_quaternions(q: np.ndarray) -> np.ndarray:
    q = np.where(q[..., 3:] < 0, -q, q)
    sin = np.sqrt((q[..., :3] ** 2).sum(-1, keepdims=True))
    angle = 2 * np.arctan2(sin, q[..., 3:])
    return q[..., :3] * np.where(sin < 1e-9, 2.0, angle / np.maximum(sin, 1e-9))


def quaternions_from_matrices(matrices: np.ndarray) -> np.ndarray:
    """Convert rotation matrices (..., 3, 3) to unit quaternions (..., 4), order x y z w.

    4 q q^T is linear in the matrix; its column with the largest diagonal entry avoids division by a small number.
    """
    m = matrices
    x, y, z = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    outer = np.empty((*m.shape[:-2], 4, 4))
    outer[..., 0, 0], outer[..., 1, 1] = 1 + x - y - z, 1 - x + y - z
    outer[..., 2, 2], outer[..., 3, 3] = 1 - x - y + z, 1 + x + y + z
    for a, b, c in ((0, 1, 2), (0, 2, 1), (1, 2, 0)):
        outer[..., a, b] = outer[..., b, a] = m[..., a, b] + m[..., b, a]
        sign = -1 if c == 1 else 1  # (0, 2, 1) is an odd permutation
        outer[..., c, 3] = outer[..., 3, c] = sign * (m[..., b, a] - m[..., a, b])
    best = np.einsum("...ii->...i", outer).argmax(-1)
    q = (outer * np.eye(4)[best][..., None]).sum(-2)
    return q / np.sqrt((q * q).sum(-1, keepdims=True))


def skew_symmetric(vectors: np.ndarray) -> np.ndarray:
    """Skew-symmetric (cross product) matrices (..., 3, 3) of vectors (..., 3)."""
    K = np.zeros((*vectors.shape, 3))
    K[..., 2, 1], K[..., 0, 2], K[..., 1, 0] = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    K[..., 1, 2], K[..., 2, 0], K[..., 0, 1] = -vectors[..., 0], -vectors[..., 1], -vectors[..., 2]
    return K


def shortest_rotation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Shortest rotations (..., 3, 3) from directions a (..., 3) to directions b (..., 3): the swing.

    Opposite directions have no unique one: a rotation by 180 degrees about an axis perpendicular to a.
    """
    a, b = unit_vectors(a), unit_vectors(b)
    cos = (a * b).sum(-1)
    K = skew_symmetric(cross_product(a, b))
    rotation = np.eye(3) + K + K @ K / np.maximum(1 + cos, 1e-9)[..., None, None]
    opposite = cos < -1 + 1e-7
    if not opposite.any():
        return rotation
    axis = unit_vectors(cross_product(a, np.eye(3)[np.abs(a).argmin(-1)]))
    half_turn = 2 * axis[..., :, None] * axis[..., None, :] - np.eye(3)
    return np.where(opposite[..., None, None], half_turn, rotation)


def orthonormal_axes(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Right-handed orthonormal axes as columns (..., 3, 3), by Gram-Schmidt of first and second, then their cross product."""
    x = unit_vectors(first)
    y = unit_vectors(second - x * (x * second).sum(-1, keepdims=True))
    axes = np.empty((*x.shape, 3))
    axes[..., 0], axes[..., 1], axes[..., 2] = x, y, cross_product(x, y)
    return axes


def rotation_matrices_from_6d(rot6d: np.ndarray) -> np.ndarray:
    """Convert 6D rotations (..., 6) of mesh regressors to rotation matrices (..., 3, 3) by Gram-Schmidt.

    The six are (3, 2) row-major: two columns of a matrix. Zhou et al., "On the Continuity of Rotation Representations in
    Neural Networks" (2019).
    """
    rows = rot6d.reshape(*rot6d.shape[:-1], 3, 2)
    return orthonormal_axes(rows[..., 0], rows[..., 1])


# Unit quaternions (N, 4), order x y z w. Live filters use them, since they are faster than matrices.


# Hamilton's product: e[a] e[b] = sum of _PRODUCT[a, b, c] e[c], for e = (i, j, k, 1): i i = j j = k k = -1, i j = k and cyclic
_PRODUCT = np.zeros((4, 4, 4))
for _a, _b, _c, _sign in [(3, k, k, 1) for k in range(4)] + [(k, 3, k, 1) for k in range(3)] + [(k, k, 3, -1) for k in range(3)]:
    _PRODUCT[_a, _b, _c] = _sign
for _a, _b, _c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    _PRODUCT[_a, _b, _c], _PRODUCT[_b, _a, _c] = 1, -1
_LEFT = _PRODUCT.reshape(4, 16)
"""(4, 16): a quaternion times this is the matrix of multiplication by it from the left."""
_CONJUGATE = np.array([-1.0, -1.0, -1.0, 1.0])


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
    """Rotate quaternions a (N, 4) by rotation vectors (N, 3), rad, in their own axes."""
    return normalise_quaternions(quaternion_product(a, quaternions_from_rotation_vectors(vectors)))


def slerp(a: np.ndarray, b: np.ndarray, share: float | np.ndarray) -> np.ndarray:
    """Interpolate quaternions a, b (N, 4) by slerp, along the shorter arc. share: from 0 (a) to 1 (b), or one each (N, 1).

    Shoemake, "Animating Rotation with Quaternion Curves" (1985), in the form a (a^-1 b)^share.
    """
    return rotate_quaternions(a, share * quaternion_difference(a, b))


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
