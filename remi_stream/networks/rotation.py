"""6D rotation to matrix in torch, for use inside exported graphs; geometry.py has the NumPy version."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def matrices_from_rot6d(rot6d: Tensor) -> Tensor:
    """Convert rot6d (..., 6) to matrices (..., 3, 3): Gram-Schmidt on two columns, the cross product is the third."""
    columns = rot6d.reshape(*rot6d.shape[:-1], 3, 2)
    first = nn.functional.normalize(columns[..., 0], dim=-1)
    second = columns[..., 1]
    second = nn.functional.normalize(second - (first * second).sum(-1, keepdim=True) * first, dim=-1)
    return torch.stack([first, second, cross_product(first, second)], -1)


def cross_product(a: Tensor, b: Tensor) -> Tensor:
    """Cross product of (..., 3) from operators that every runtime supports."""
    a = torch.cat([a, a], -1)
    b = torch.cat([b, b], -1)
    return a[..., 1:4] * b[..., 2:5] - a[..., 2:5] * b[..., 1:4]
