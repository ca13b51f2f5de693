"""POCO: mesh regressors with an uncertainty for every joint, based on CLIFF or PARE.

Dwivedi et al., POCO: 3D Pose and Shape Estimation with Confidence (2024); Li et al., CLIFF (2022).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from remi_stream.networks.hrnet import ClassificationHrnet, PoseHrnet
from remi_stream.networks.network import TensorShapes
from remi_stream.networks.pare import FEATURES, JOINTS, PareHead, matrices_from_rot6d

FLOW_HIDDEN = 64


class FlowHead(nn.Module):
    """Likelihood of the errors of 24 predicted rotations, conditioned on image features: trains POCO, not run for inference.

    Dinh et al., Density Estimation Using Real NVP (2017); Li et al., Human Pose Regression With Residual Log-likelihood (2021).
    """

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


ROTATION_NUMBERS = 9 * JOINTS
CLIFF_HIDDEN = 1024
ITERATIONS = 3


class CliffEstimate(NamedTuple):
    """Outputs of CLIFF's head."""

    rot6d: Tensor
    """(B, 144)."""
    betas: Tensor
    """(B, 10)."""
    camera: Tensor
    """Weak perspective (B, 3) s, tx, ty of the crop."""
    hidden: Tensor
    """(B, 1024), of the last iteration."""


class CliffHead(nn.Module):
    """Iterative regression: refines an estimate three times, conditioned on the bounding box's place in the image."""

    init_pose: Tensor
    init_shape: Tensor
    init_cam: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        for name, size in (("init_pose", 6 * JOINTS), ("init_shape", 10), ("init_cam", 3)):
            self.register_buffer(name, torch.zeros(1, size))
        self.fc1 = nn.Linear(features + 3 + 6 * JOINTS + 10 + 3, CLIFF_HIDDEN)
        self.fc2 = nn.Linear(CLIFF_HIDDEN, CLIFF_HIDDEN)
        self.decpose = nn.Linear(CLIFF_HIDDEN, 6 * JOINTS)
        self.decshape = nn.Linear(CLIFF_HIDDEN, 10)
        self.deccam = nn.Linear(CLIFF_HIDDEN, 3)

    def forward(self, features: Tensor, bbox_info: Tensor) -> CliffEstimate:
        """features: (B, F). bbox_info: (B, 3)."""
        zero = torch.zeros_like(features[:, :1])
        pose, betas, camera = self.init_pose + zero, self.init_shape + zero, self.init_cam + zero
        for _ in range(ITERATIONS):
            # no activation between the layers, as published
            hidden = self.fc2(self.fc1(torch.cat([features, bbox_info, pose, betas, camera], 1)))
            pose = pose + self.decpose(hidden)
            betas = betas + self.decshape(hidden)
            camera = camera + self.deccam(hidden)
        return CliffEstimate(pose, betas, camera, hidden)


class CliffUncertainty(nn.Module):
    """Uncertainty head: variance (B, 24) in [0, 1] of each joint from image features and predicted rotations."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.uncert_fc_poseNet = nn.Linear(ROTATION_NUMBERS, ROTATION_NUMBERS)
        self.uncert_fc_featNet = nn.Linear(features, ROTATION_NUMBERS)
        self.uncert_fc1 = nn.Linear(2 * ROTATION_NUMBERS, JOINTS)

    def forward(self, features: Tensor, matrices: Tensor) -> Tensor:
        """features: (B, F). matrices: (B, 24, 3, 3)."""
        pose = torch.sigmoid(self.uncert_fc_poseNet(matrices.flatten(1)))
        image = torch.sigmoid(self.uncert_fc_featNet(features))
        return torch.sigmoid(self.uncert_fc1(torch.cat([image, pose], 1)))


class PareUncertainty(nn.Module):
    """Uncertainty head: variance (B, 24) in [0, 1] of each joint from part features and predicted rotations."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.uncert_fc1 = nn.Linear(features + ROTATION_NUMBERS, 512)
        self.uncert_fc2 = nn.Linear(512, JOINTS)

    def forward(self, features: Tensor, matrices: Tensor) -> Tensor:
        """features: (B, F). matrices: (B, 24, 3, 3)."""
        hidden = torch.sigmoid(self.uncert_fc1(torch.cat([features, matrices.flatten(1)], 1)))
        return torch.sigmoid(self.uncert_fc2(hidden))


PocoOutputs = tuple[Tensor, Tensor, Tensor, Tensor]
"""rotations (B, 24, 3, 3), betas (B, 10), camera (B, 3), joint_variance (B, 24)."""


class PocoCliff(nn.Module):
    """POCO on CLIFF; flow_head is in checkpoints and only used for training."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = ClassificationHrnet(48)
        self.head = CliffHead(self.backbone.outputs)
        self.uncert_head = CliffUncertainty(self.backbone.outputs)
        self.flow_head = FlowHead(self.backbone.outputs, layers=1)

    def forward(self, image: Tensor, bbox_info: Tensor) -> PocoOutputs:
        """image: (B, 3, 224, 224). bbox_info: (B, 3), the bounding box's position and size as in CLIFF's paper."""
        features = self.backbone(image)
        estimate = self.head(features, bbox_info)
        matrices = matrices_from_rot6d(estimate.rot6d.unflatten(1, (JOINTS, 6)))
        return matrices, estimate.betas, estimate.camera, self.uncert_head(features, matrices)


class PocoPare(nn.Module):
    """POCO on PARE; flow_head is in checkpoints and only used for training."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = PoseHrnet(32)
        self.head = PareHead(self.backbone.outputs)
        self.uncert_head = PareUncertainty(FEATURES * JOINTS)
        self.flow_head = FlowHead(FEATURES * JOINTS, layers=3)

    def forward(self, image: Tensor) -> PocoOutputs:
        """image: (B, 3, 224, 224)."""
        estimate = self.head(self.backbone(image))
        variance = self.uncert_head(estimate.features.flatten(1), estimate.rotations)
        return estimate.rotations, estimate.betas, estimate.camera, variance


def poco_cliff(shapes: TensorShapes | None = None) -> PocoCliff:
    """Build POCO-CLIFF as released."""
    return PocoCliff()


def poco_pare(shapes: TensorShapes | None = None) -> PocoPare:
    """Build POCO-PARE as released."""
    return PocoPare()
