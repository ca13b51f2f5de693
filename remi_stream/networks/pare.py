"""PARE: a mesh regressor that looks at each body part where its own attention map says.

Kocabas et al., PARE: Part Attention Regressor for 3D Human Body Estimation (2021), as released: HRNet-W32 with convolutional
upsampling, softmax attention, one locally connected layer for the pose, no iterations.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from remi_stream.networks.hrnet import PoseHrnet, rectified
from remi_stream.networks.network import Shapes
from remi_stream.networks.rotation import rotations

JOINTS = 24
FEATURES, SMALL = 128, 64


class PartEstimate(NamedTuple):
    """What the head says; maps are as wide as the features given.

    rot6d: (B, 24, 6). rotations: (B, 24, 3, 3), in the parent. betas: (B, 10). camera: (B, 3) s, tx, ty of the crop.
    part_maps: (B, 25, H, W), before the softmax, the background first. attention: (B, 24, H * W), each part's sums to 1.
    features: (B, 128, 24), pooled by the attention.
    """

    rot6d: Tensor
    rotations: Tensor
    betas: Tensor
    camera: Tensor
    part_maps: Tensor
    attention: Tensor
    features: Tensor


class PareHead(nn.Module):
    """Features to pose, shape and camera; temperature and the init_* are in checkpoints and are not used."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer("init_pose", torch.zeros(1, 6 * JOINTS))
        self.register_buffer("init_shape", torch.zeros(1, 10))
        self.register_buffer("init_cam", torch.zeros(1, 3))
        self.keypoint_deconv_layers = nn.Sequential(*rectified(inputs, FEATURES), *rectified(FEATURES, FEATURES))
        self.smpl_deconv_layers = nn.Sequential(*rectified(inputs, FEATURES), *rectified(FEATURES, FEATURES))
        self.keypoint_final_layer = nn.Conv2d(FEATURES, 1 + JOINTS, 1)
        self.smpl_final_layer = nn.Conv2d(FEATURES, SMALL, 1)
        self.shape_mlp = nn.Linear(SMALL * JOINTS, 10)
        self.cam_mlp = nn.Linear(SMALL * JOINTS, 3)
        self.pose_mlp = LocallyConnected(FEATURES, 6, JOINTS)

    def forward(self, x: Tensor) -> PartEstimate:
        """x: (B, inputs, H, W)."""
        maps = self.keypoint_final_layer(self.keypoint_deconv_layers(x))
        attention = maps[:, 1:].flatten(2).softmax(-1)
        wide = self.smpl_deconv_layers(x)
        features = pooled(wide, attention)
        small = pooled(self.smpl_final_layer(wide), attention).flatten(1)
        rot6d = self.pose_mlp(features)
        return PartEstimate(rot6d, rotations(rot6d), self.shape_mlp(small), self.cam_mlp(small), maps, attention, features)


def pooled(maps: Tensor, attention: Tensor) -> Tensor:
    """Means (B, C, parts) of maps (B, C, H, W), weighted by attention (B, parts, H * W)."""
    return maps.flatten(2) @ attention.transpose(1, 2)


class LocallyConnected(nn.Module):
    """A linear layer of its own for each part, without bias."""

    def __init__(self, inputs: int, outputs: int, parts: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, outputs, inputs, parts, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, parts, outputs) of x (B, inputs, parts)."""
        weight = self.weight[0, :, :, :, 0, 0].permute(2, 1, 0)
        return (x.permute(0, 2, 1)[:, :, None] @ weight)[:, :, 0]


class Pare(nn.Module):
    """The whole network, without the body model."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = PoseHrnet(32)
        self.head = PareHead(self.backbone.outputs)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """rotations, betas, camera, and the highest attention (B, 24) of each part."""
        found = self.head(self.backbone(image))
        return found.rotations, found.betas, found.camera, found.attention.amax(-1)


def pare(shapes: Shapes | None = None) -> Pare:
    """PARE as released."""
    return Pare()
