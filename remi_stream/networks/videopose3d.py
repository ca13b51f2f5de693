"""VideoPose3D: lifts a person's 2D key points over time to 3D joints with dilated temporal convolutions.

Pavllo et al., 3D human pose estimation in video with temporal convolutions and semi-supervised training (2019).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from remi_stream.networks.network import TensorShapes

KEYPOINTS = 17
FILTER_WIDTHS = (3, 3, 3, 3, 3)
CHANNELS = 1024


class VideoPose3d(nn.Module):
    """Temporal convolutional network. widths: frames of each convolution. causal: outputs belong to their window's last frame.

    Clips of at least `receptive_field` frames give an output for each complete window. A clip of exactly that length uses
    strides instead of dilations: the same single output without unneeded computation.
    """

    def __init__(
        self,
        widths: Sequence[int] = FILTER_WIDTHS,
        channels: int = CHANNELS,
        causal: bool = False,
        joints_in: int = KEYPOINTS,
        joints_out: int = KEYPOINTS,
    ) -> None:
        super().__init__()
        self.widths, self.causal, self.joints_out = tuple(widths), causal, joints_out
        self.receptive_field = math.prod(self.widths)
        self.expand_bn = nn.BatchNorm1d(channels)
        self.shrink = nn.Conv1d(channels, 3 * joints_out, 1)
        self.expand_conv = nn.Conv1d(2 * joints_in, channels, self.widths[0], bias=False)
        kernels = [kernel for width in self.widths[1:] for kernel in (width, 1)]
        self.layers_conv = nn.ModuleList(nn.Conv1d(channels, channels, kernel, bias=False) for kernel in kernels)
        self.layers_bn = nn.ModuleList(nn.BatchNorm1d(channels) for _ in kernels)

    def forward(self, keypoints: Tensor) -> tuple[Tensor]:
        """Lift keypoints (B, F, joints, 2) to joints (B, F - receptive_field + 1, joints, 3), m, camera frame, from the hip.

        keypoints: normalised as x / w * 2 - 1 and y / w * 2 - h / w.
        """
        frames = keypoints.shape[1]
        x = self.temporal_features(keypoints.flatten(2).transpose(1, 2), strided=frames == self.receptive_field)
        joints = self.shrink(x).transpose(1, 2).unflatten(2, (self.joints_out, 3))
        return (joints,)

    def temporal_features(self, x: Tensor, strided: bool) -> Tensor:
        """Return features (B, channels, F') of x (B, 2 * joints, F)."""
        x = torch.relu(self.expand_bn(temporal_convolution(x, self.expand_conv, 1, strided)))
        dilation = self.widths[0]
        for width, wide, wide_bn, narrow, narrow_bn in self._blocks():
            step = 1 if strided else dilation
            y = torch.relu(wide_bn(temporal_convolution(x, wide, step, strided)))
            y = torch.relu(narrow_bn(narrow(y)))
            first = step * (width - 1 if self.causal else width // 2)
            x = y + (x[:, :, first::width] if strided else x[:, :, first : first + y.shape[2]])
            dilation *= width
        return x

    def _blocks(self) -> Iterator[tuple[int, nn.Module, nn.Module, nn.Module, nn.Module]]:
        convs, norms = list(self.layers_conv), list(self.layers_bn)
        return zip(self.widths[1:], convs[::2], norms[::2], convs[1::2], norms[1::2])


def temporal_convolution(x: Tensor, kernel: nn.Module, dilation: int, strided: bool) -> Tensor:
    """Convolve x (B, C, F) over time with a stride of the kernel's size (strided), or dilated."""
    assert isinstance(kernel, nn.Conv1d)
    stride = kernel.kernel_size[0] if strided else 1
    return nn.functional.conv1d(x, kernel.weight, stride=stride, dilation=dilation)


def symmetric(shapes: TensorShapes | None = None) -> VideoPose3d:
    """Build the symmetric network (outputs belong to the middle frame) with the checkpoint's or the published sizes."""
    return build_videopose3d(shapes, causal=False)


def causal(shapes: TensorShapes | None = None) -> VideoPose3d:
    """Build the causal network (outputs belong to the last frame) with the checkpoint's or the published sizes."""
    return build_videopose3d(shapes, causal=True)


def build_videopose3d(shapes: TensorShapes | None, causal: bool) -> VideoPose3d:
    """Build the network with the sizes of these shapes, or the published ones if they are unknown."""
    shapes = shapes or {}
    expand, shrink = shapes.get("expand_conv.weight", ()), shapes.get("shrink.weight", ())
    if len(expand) != 3 or len(shrink) != 3:
        return VideoPose3d(causal=causal)
    wide = (shapes.get(f"layers_conv.{index}.weight", ()) for index in range(0, len(shapes), 2))
    widths = [expand[2], *(shape[2] for shape in wide if len(shape) == 3)]
    return VideoPose3d(widths, expand[0], causal, expand[1] // 2, shrink[0] // 3)
