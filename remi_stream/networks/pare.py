"""PARE: a mesh regressor with an attention map for each body part.

Kocabas et al., PARE: Part Attention Regressor for 3D Human Body Estimation (2021), as released: HRNet-W32 with convolutional
upsampling, softmax attention, one locally connected layer for the pose, no iterations.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from remi_stream.networks.hrnet import PoseHrnet, conv_bn_relu
from remi_stream.networks.network import TensorShapes

JOINTS = 24
FEATURES, SMALL_FEATURES = 128, 64


def matrices_from_rot6d(rot6d: Tensor) -> Tensor:
    """Convert rot6d (..., 6) to matrices (..., 3, 3): Gram-Schmidt on two columns, the cross product is the third.

    For exported graphs; geometry.py has the NumPy version.
    """
    columns = rot6d.reshape(*rot6d.shape[:-1], 3, 2)
    first = nn.functional.normalize(columns[..., 0], dim=-1)
    second = columns[..., 1]
    second = nn.functional.normalize(second - (first * second).sum(-1, keepdim=True) * first, dim=-1)
    return torch.stack([first, second, cross_product(first, second)], -1)


def cross_product(a: Tensor, b: Tensor) -> Tensor:
    """Return the cross product of (..., 3), from operators that every runtime supports: torch-tensorrt refuses torch.cross."""
    a = torch.cat([a, a], -1)
    b = torch.cat([b, b], -1)
    return a[..., 1:4] * b[..., 2:5] - a[..., 2:5] * b[..., 1:4]


class PartEstimate(NamedTuple):
    """Outputs of PARE's head."""

    rot6d: Tensor
    """(B, 24, 6)."""
    rotations: Tensor
    """Local rotations (B, 24, 3, 3)."""
    betas: Tensor
    """(B, 10)."""
    camera: Tensor
    """Weak perspective (B, 3) s, tx, ty of the crop."""
    part_maps: Tensor
    """(B, 25, H, W) logits, the background first."""
    attention: Tensor
    """(B, 24, H * W), softmax: each part's sums to 1."""
    features: Tensor
    """(B, 128, 24), pooled with the attention."""


class PareHead(nn.Module):
    """Regresses pose, shape and camera from features; temperature and init_* are in checkpoints but unused."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer("init_pose", torch.zeros(1, 6 * JOINTS))
        self.register_buffer("init_shape", torch.zeros(1, 10))
        self.register_buffer("init_cam", torch.zeros(1, 3))
        self.keypoint_deconv_layers = nn.Sequential(*conv_bn_relu(inputs, FEATURES), *conv_bn_relu(FEATURES, FEATURES))
        self.smpl_deconv_layers = nn.Sequential(*conv_bn_relu(inputs, FEATURES), *conv_bn_relu(FEATURES, FEATURES))
        self.keypoint_final_layer = nn.Conv2d(FEATURES, 1 + JOINTS, 1)
        self.smpl_final_layer = nn.Conv2d(FEATURES, SMALL_FEATURES, 1)
        self.shape_mlp = nn.Linear(SMALL_FEATURES * JOINTS, 10)
        self.cam_mlp = nn.Linear(SMALL_FEATURES * JOINTS, 3)
        self.pose_mlp = LocallyConnected(FEATURES, 6, JOINTS)

    def forward(self, x: Tensor) -> PartEstimate:
        """x: (B, inputs, H, W)."""
        maps = self.keypoint_final_layer(self.keypoint_deconv_layers(x))
        attention = maps[:, 1:].flatten(2).softmax(-1)
        smpl_features = self.smpl_deconv_layers(x)
        features = attention_pooling(smpl_features, attention)
        small = attention_pooling(self.smpl_final_layer(smpl_features), attention).flatten(1)
        rot6d = self.pose_mlp(features)
        return PartEstimate(
            rot6d, matrices_from_rot6d(rot6d), self.shape_mlp(small), self.cam_mlp(small), maps, attention, features
        )


def attention_pooling(maps: Tensor, attention: Tensor) -> Tensor:
    """Pool maps (B, C, H, W) with attention (B, parts, H * W) to weighted means (B, C, parts)."""
    return maps.flatten(2) @ attention.transpose(1, 2)


class LocallyConnected(nn.Module):
    """Locally connected layer: a separate linear layer for each part, without bias."""

    def __init__(self, inputs: int, outputs: int, parts: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, outputs, inputs, parts, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, parts, outputs) for x (B, inputs, parts)."""
        weight = self.weight[0, :, :, :, 0, 0].permute(2, 1, 0)
        return (x.permute(0, 2, 1)[:, :, None] @ weight)[:, :, 0]


class Pare(nn.Module):
    """PARE network, without the body model."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = PoseHrnet(32)
        self.head = PareHead(self.backbone.outputs)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return rotations, betas, camera and the highest attention (B, 24) of each part."""
        estimate = self.head(self.backbone(image))
        return estimate.rotations, estimate.betas, estimate.camera, estimate.attention.amax(-1)


def pare(shapes: TensorShapes | None = None) -> Pare:
    """Build PARE as released."""
    return Pare()
