"""FastPose, AlphaPose's network: SE-ResNet-50, then pixel shuffling up to heatmaps.

Fang et al., AlphaPose: Whole-Body Regional Multi-Person Pose Estimation and Tracking in Real-Time (2022).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from remi_stream.networks.hrnet import Bottleneck, conv3x3
from remi_stream.networks.network import TensorShapes

LAYER_BLOCKS = (3, 4, 6, 3)


class SeResnet50(nn.Module):
    """ResNet-50 with squeeze-and-excitation in the first block of each layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = resnet_layer(64, 64, LAYER_BLOCKS[0], stride=1)
        self.layer2 = resnet_layer(256, 128, LAYER_BLOCKS[1])
        self.layer3 = resnet_layer(512, 256, LAYER_BLOCKS[2])
        self.layer4 = resnet_layer(1024, 512, LAYER_BLOCKS[3])

    def forward(self, image: Tensor) -> Tensor:
        """Return features (B, 2048, H/32, W/32) of image (B, 3, H, W)."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(image))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


def resnet_layer(inputs: int, width: int, blocks: int, stride: int = 2) -> nn.Sequential:
    """Build blocks of one width; the first has the stride and the squeeze-and-excitation."""
    outputs = width * Bottleneck.expansion
    return nn.Sequential(Bottleneck(inputs, width, stride, excite=True), *(Bottleneck(outputs, width) for _ in range(blocks - 1)))


class Duc(nn.Module):
    """Dense upsampling convolution (DUC): four times the channels, pixel-shuffled to twice the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = conv3x3(inputs, 4 * outputs)
        self.bn = nn.BatchNorm2d(4 * outputs)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, 2 H, 2 W) for x (B, inputs, H, W)."""
        return self.shuffle(torch.relu(self.bn(self.conv(x))))


class FastPose(nn.Module):
    """FastPose network. channels: before the last layer, 256 for the whole body and 128 otherwise."""

    def __init__(self, joints: int, channels: int) -> None:
        super().__init__()
        self.preact = SeResnet50()
        # "suffle1" [sic]: the published name; the module has no parameters
        self.suffle1 = nn.PixelShuffle(2)
        self.duc1 = Duc(512, 256)
        self.duc2 = Duc(256, channels)
        self.conv_out = conv3x3(channels, joints, bias=True)

    def forward(self, image: Tensor) -> tuple[Tensor]:
        """Return heatmaps (B, joints, 64, 48) of image (B, 3, 256, 192), without a sigmoid."""
        return (self.conv_out(self.duc2(self.duc1(self.suffle1(self.preact(image))))),)


def halpe136(shapes: TensorShapes | None = None) -> FastPose:
    """Build FastPose for 136 key points: body with feet, face, hands."""
    return FastPose(136, 256)


def halpe26(shapes: TensorShapes | None = None) -> FastPose:
    """Build FastPose for 26 key points: body with feet."""
    return FastPose(26, 128)


def coco17(shapes: TensorShapes | None = None) -> FastPose:
    """Build FastPose for COCO's 17 key points."""
    return FastPose(17, 128)
