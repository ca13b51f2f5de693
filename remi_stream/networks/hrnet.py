"""HRNet: four parallel resolutions with multi-scale fusion after every module.

Wang et al., Deep High-Resolution Representation Learning for Visual Recognition (2020). Two heads are in use: `PoseHrnet`
(W32, PARE's convolutional upsampling) and `ClassificationHrnet` (W48, POCO-CLIFF). The residual blocks are FastPose's too:
He et al., Deep Residual Learning for Image Recognition (2016); Hu et al., Squeeze-and-Excitation Networks (2018).
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn


def conv3x3(inputs: int, outputs: int, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    """Build a 3x3 convolution that keeps the size at stride 1."""
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=bias)


class SqueezeExcitation(nn.Module):
    """Squeeze-and-excitation without channel reduction: scales each channel by a gate computed from all channel means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W)."""
        return x * self.fc(x.mean((2, 3)))[:, :, None, None]


class Bottleneck(nn.Module):
    """ResNet bottleneck block: 1x1, 3x3 (with the stride), 1x1 to four times the width."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int = 1, excite: bool = False) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.se = SqueezeExcitation(outputs) if excite else nn.Identity()
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, inputs, H, W)."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.se(self.bn3(self.conv3(y)))
        return torch.relu(y + self.downsample(x))


class BasicBlock(nn.Module):
    """ResNet basic block: two 3x3 convolutions of one width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(width, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, width, H, W)."""
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + x)


STAGE_MODULES = (1, 4, 3)
"""Modules of the stages with 2, 3 and 4 resolutions."""
BRANCH_BLOCKS = 4
"""Blocks in each branch of a module."""
STEM_CHANNELS = 256
"""Channels after the first layer."""


def conv_bn_relu(inputs: int, outputs: int, stride: int = 1, bias: bool = False) -> nn.Sequential:
    """Build 3x3 convolution, batch norm and ReLU."""
    return nn.Sequential(conv3x3(inputs, outputs, stride, bias), nn.BatchNorm2d(outputs), nn.ReLU())


class HighResolutionModule(nn.Module):
    """HRNet module: residual blocks in each resolution, then fusion: the sum of all resolutions, resampled to each."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(BasicBlock(width) for _ in range(BRANCH_BLOCKS))) for width in widths)
        layers = [[fuse_layer(widths, source, target) for source in range(len(widths))] for target in range(len(widths))]
        self.fuse_layers = nn.ModuleList(nn.ModuleList(row) for row in layers)

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        """xs: one (B, width, H, W) per resolution, finest first."""
        ys = [branch(x) for branch, x in zip(self.branches, xs)]
        return [self._fuse(row, ys) for row in self.fuse_layers]

    def _fuse(self, row: nn.Module, ys: list[Tensor]) -> Tensor:
        first, *rest = [layer(y) for layer, y in zip(row.children(), ys)]
        for other in rest:
            first = first + other
        return torch.relu(first)


def fuse_layer(widths: list[int], source: int, target: int) -> nn.Module:
    """Build a fuse layer: 1x1 and nearest upsampling, or one 3x3 of stride 2 per halving (the last without ReLU)."""
    inputs, outputs = widths[source], widths[target]
    if source == target:
        return nn.Identity()
    if source > target:
        up = nn.Upsample(scale_factor=float(2 ** (source - target)), mode="nearest")
        return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), up)
    last = nn.Sequential(conv3x3(inputs, outputs, 2), nn.BatchNorm2d(outputs))
    return nn.Sequential(*(conv_bn_relu(inputs, inputs, 2) for _ in range(target - source - 1)), last)


class Hrnet(nn.Module):
    """Backbone shared by both heads. width: channels of the finest resolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.widths = [width * 2**index for index in range(4)]
        self.conv1 = conv3x3(3, 64, 2)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2 = conv3x3(64, 64, 2)
        self.bn2 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(*(Bottleneck(STEM_CHANNELS if index else 64, 64) for index in range(4)))
        second = nn.Sequential(conv_bn_relu(STEM_CHANNELS, self.widths[1], 2))
        self.transition1 = nn.ModuleList([conv_bn_relu(STEM_CHANNELS, self.widths[0]), second])
        self.stage2 = self._stage(2)
        self.transition2 = self._transition(3)
        self.stage3 = self._stage(3)
        self.transition3 = self._transition(4)
        self.stage4 = self._stage(4)

    def _stage(self, resolutions: int) -> nn.Sequential:
        return nn.Sequential(*(HighResolutionModule(self.widths[:resolutions]) for _ in range(STAGE_MODULES[resolutions - 2])))

    def _transition(self, resolutions: int) -> nn.ModuleList:
        """Build the transition that adds the coarsest resolution, made from the one before it; the others pass through."""
        new = nn.Sequential(conv_bn_relu(self.widths[resolutions - 2], self.widths[resolutions - 1], 2))
        return nn.ModuleList([*(nn.Identity() for _ in range(resolutions - 1)), new])

    def feature_maps(self, image: Tensor) -> list[Tensor]:
        """Return the four feature maps (B, width, H/4, W/4) to (B, 8 width, H/32, W/32) of image (B, 3, H, W)."""
        x = torch.relu(self.bn1(self.conv1(image)))
        x = self.layer1(torch.relu(self.bn2(self.conv2(x))))
        xs = self.stage2([transition(x) for transition in self.transition1])
        for transition, stage in ((self.transition2, self.stage3), (self.transition3, self.stage4)):
            xs = stage([*xs, transition[-1](xs[-1])])
        return xs


class PoseHrnet(Hrnet):
    """HRNet that upsamples all resolutions to the finest (bilinear and convolutions) and concatenates them.

    final_layer is in published checkpoints but unused.
    """

    def __init__(self, width: int, joints: int = 24) -> None:
        super().__init__(width)
        self.outputs = sum(self.widths)
        self.final_layer = nn.Conv2d(width, joints, 1)
        self.upsample_stage_2 = upsampling_layers(self.widths[1], 1)
        self.upsample_stage_3 = upsampling_layers(self.widths[2], 2)
        self.upsample_stage_4 = upsampling_layers(self.widths[3], 3)

    def forward(self, image: Tensor) -> Tensor:
        """Return features (B, 15 width, H/4, W/4) of image (B, 3, H, W)."""
        x1, x2, x3, x4 = self.feature_maps(image)
        return torch.cat([x1, self.upsample_stage_2(x2), self.upsample_stage_3(x3), self.upsample_stage_4(x4)], 1)


def upsampling_layers(width: int, times: int) -> nn.Sequential:
    """Build upsampling layers: bilinear doubling with a convolution, repeated."""
    layers: list[nn.Module] = []
    for _ in range(times):
        layers += [nn.Upsample(scale_factor=2.0, mode="bilinear", align_corners=True), *conv_bn_relu(width, width)]
    return nn.Sequential(*layers)


class ClassificationHrnet(Hrnet):
    """HRNet that downsamples all resolutions to the coarsest, widens them and pools globally.

    classifier is in published checkpoints but unused.
    """

    outputs = 2048

    def __init__(self, width: int, classes: int = 1000) -> None:
        super().__init__(width)
        wide = [128, 256, 512, 1024]
        heads = [Bottleneck(inputs, outputs // Bottleneck.expansion) for inputs, outputs in zip(self.widths, wide)]
        self.incre_modules = nn.ModuleList(nn.Sequential(head) for head in heads)
        self.downsamp_modules = nn.ModuleList(conv_bn_relu(a, b, 2, bias=True) for a, b in itertools.pairwise(wide))
        self.final_layer = nn.Sequential(nn.Conv2d(wide[-1], self.outputs, 1), nn.BatchNorm2d(self.outputs), nn.ReLU())
        self.classifier = nn.Linear(self.outputs, classes)

    def forward(self, image: Tensor) -> Tensor:
        """Return features (B, 2048) of image (B, 3, H, W)."""
        wide = [head(x) for head, x in zip(self.incre_modules, self.feature_maps(image))]
        y = wide[0]
        for down, finer in zip(self.downsamp_modules, wide[1:]):
            y = finer + down(y)
        return self.final_layer(y).mean((2, 3))
