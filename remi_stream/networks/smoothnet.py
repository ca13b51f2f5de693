"""SmoothNet: temporal smoothing network that removes jitter from a window of frames, each channel separately.

Zeng et al., SmoothNet: A Plug-and-Play Network for Refining Human Poses in Videos (2022).
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from remi_stream.networks.network import TensorShapes

WIDTH = 512
NARROW, BLOCKS = 16, 1
"""The smaller published size (3DPW, SPIN); the larger one is 128 and 5. A checkpoint's shapes decide."""


class RefinementBlock(nn.Module):
    """Residual block with a bottleneck: linear to a narrow layer and back."""

    def __init__(self, width: int, narrow: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(width, narrow)
        self.linear2 = nn.Linear(narrow, width)
        self.activation = nn.LeakyReLU(0.2)

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., width)."""
        return x + self.activation(self.linear2(self.activation(self.linear1(x))))


class SmoothNetModule(nn.Module):
    """SmoothNet of one window length. window: frames."""

    def __init__(self, window: int, width: int = WIDTH, narrow: int = NARROW, blocks: int = BLOCKS) -> None:
        super().__init__()
        self.window = window
        self.encoder = nn.Sequential(nn.Linear(window, width), nn.LeakyReLU(0.1))
        self.res_blocks = nn.ModuleList(RefinementBlock(width, narrow) for _ in range(blocks))
        self.decoder = nn.Linear(width, window)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Return smoothed x (B, C, window), for any number of channels C."""
        y = self.encoder(x)
        for block in self.res_blocks:
            y = block(y)
        return (self.decoder(y),)


def smoothnet(window: int, shapes: TensorShapes | None = None) -> SmoothNetModule:
    """Build the network of this window; its hidden sizes are the checkpoint's, or the smaller published ones."""
    first = (shapes or {}).get("res_blocks.0.linear1.weight")
    if shapes is None or first is None or len(first) != 2:
        return SmoothNetModule(window)
    blocks = sum(key.startswith("res_blocks.") and key.endswith(".linear1.weight") for key in shapes)
    return SmoothNetModule(window, first[1], first[0], blocks)


window_8 = partial(smoothnet, 8)
window_16 = partial(smoothnet, 16)
window_32 = partial(smoothnet, 32)
window_64 = partial(smoothnet, 64)
