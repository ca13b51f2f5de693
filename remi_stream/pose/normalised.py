"""Image normalisation for networks that do none themselves: (byte * scale - mean) / std per channel."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

PerChannel = tuple[float, float, float]


class ImageNormalisation(NamedTuple):
    """How image bytes become a float tensor."""

    scale: float = 1 / 255
    """Factor of the bytes, before mean and std."""
    mean: PerChannel = (0.0, 0.0, 0.0)
    """Per channel, in the order of `colour`."""
    std: PerChannel = (1.0, 1.0, 1.0)
    """Per channel, in the order of `colour`."""
    colour: Literal["rgb", "bgr"] = "rgb"
    """Channel order of the tensor."""
    layout: Literal["nchw", "nhwc"] = "nchw"
    """Axis order of the tensor."""

    def to_tensor(self, images: np.ndarray) -> np.ndarray:
        """Normalise images (N, height, width, 3) uint8 BGR to float32 in the order of axes that `layout` names."""
        # one multiply and one subtract per channel, in place: no float copy of the interleaved image
        bytes_ = images[..., ::-1] if self.colour == "rgb" else images
        gain = (self.scale / np.array(self.std)).astype(np.float32)
        offset = (np.array(self.mean) / np.array(self.std)).astype(np.float32)
        count, height, width, _ = images.shape
        shape = (count, 3, height, width) if self.layout == "nchw" else images.shape
        floats = np.empty(shape, np.float32)
        for channel in range(3):
            plane = floats[:, channel] if self.layout == "nchw" else floats[..., channel]
            np.multiply(bytes_[..., channel], gain[channel], out=plane)
            plane -= offset[channel]
        return floats
