"""6D rotations of mesh regressors: (3, 2) row-major, two columns of a rotation matrix before Gram-Schmidt.

Zhou et al., On the Continuity of Rotation Representations in Neural Networks (CVPR 2019).
"""

from __future__ import annotations

import numpy as np

from remi_stream.geometry import orthonormal_axes


def rotation_matrices_from_6d(rot6d: np.ndarray) -> np.ndarray:
    """Convert 6D rotations (..., 6) to rotation matrices (..., 3, 3)."""
    rows = rot6d.reshape(*rot6d.shape[:-1], 3, 2)
    return orthonormal_axes(rows[..., 0], rows[..., 1])
