"""RealNVP normalising flow over a rotation's error (nine numbers), used to train POCO; not run for inference.

Dinh et al., Density Estimation Using Real NVP (2017); Li et al., Human Pose Regression With Residual Log-likelihood (2021).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

FLOW_HIDDEN = 64


class FlowHead(nn.Module):
    """Likelihood of the errors of 24 predicted rotations, conditioned on image features."""

    def __init__(self, features: int, layers: int, context: int = 512, variables: int = 9) -> None:
        super().__init__()
        self.cond_layer = nn.Linear(features, context)
        self.flow = RealNvp(variables, context, 2 * layers)

    def forward(self, features: Tensor, errors: Tensor) -> Tensor:
        """Return the log density (B, J) of errors (B, J, 9), given features (B, F).

        errors: absolute error of each number of a predicted rotation, divided by the joint's variance.
        """
        context = self.cond_layer(features)[:, None].expand(-1, errors.shape[1], -1)
        return self.flow(errors, context)


class RealNvp(nn.Module):
    """Affine coupling layers: half of the variables are kept and determine shift and scale of the others."""

    mask: Tensor

    def __init__(self, variables: int, context: int, couplings: int) -> None:
        super().__init__()
        rows, columns = torch.meshgrid(torch.arange(couplings), torch.arange(variables), indexing="ij")
        self.register_buffer("mask", ((rows + columns) % 2).float())
        # t (translation) and s (scale) are the published names, from the paper
        self.t = nn.ModuleList(coupling_network(variables, context) for _ in range(couplings))
        self.s = nn.ModuleList(coupling_network(variables, context, nn.Tanh()) for _ in range(couplings))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Return the log density (...) of x (..., variables), given context (..., context), by the inverse flow."""
        volume = torch.zeros_like(x[..., 0])
        for mask, shift, scale in reversed(list(zip(self.mask, self.t, self.s))):
            kept = torch.cat([mask * x, context], -1)
            log_scale = scale(kept) * (1 - mask)
            x = mask * x + (1 - mask) * (x - shift(kept)) * torch.exp(-log_scale)
            volume = volume - log_scale.sum(-1)
        return volume - 0.5 * (x * x).sum(-1) - 0.5 * x.shape[-1] * math.log(2 * math.pi)


def coupling_network(variables: int, context: int, *last: nn.Module) -> nn.Sequential:
    """Build the network of a coupling layer."""
    first = nn.Linear(variables + context, FLOW_HIDDEN)
    return nn.Sequential(
        first, nn.LeakyReLU(), nn.Linear(FLOW_HIDDEN, FLOW_HIDDEN), nn.LeakyReLU(), nn.Linear(FLOW_HIDDEN, variables), *last
    )
