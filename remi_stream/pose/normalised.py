"""Image normalisation for networks that do none themselves: (byte * scale - mean) / std per channel."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

Three = tuple[float, float, float]


class Reading(NamedTuple):
    """How image bytes become a float tensor."""

    scale: float = 1 / 255
    """Factor of the bytes, before mean and std."""
    mean: Three = (0.0, 0.0, 0.0)
    """Per channel, in the order of `colour`."""
    std: Three = (1.0, 1.0, 1.0)
    """Per channel, in the order of `colour`."""
    colour: Literal["rgb", "bgr"] = "rgb"
    """Channel order of the tensor."""
    layout: Literal["nchw", "nhwc"] = "nchw"
    """Axis order of the tensor."""

    def tensor(self, pictures: np.ndarray) -> np.ndarray:
        """Normalise images (N, height, width, 3) uint8 BGR to float32 in the order of axes that `layout` names."""
        # one multiply and one subtract per channel, in place: no float copy of the interleaved image
        bytes_ = pictures[..., ::-1] if self.colour == "rgb" else pictures
        gain = (self.scale / np.array(self.std)).astype(np.float32)
        offset = (np.array(self.mean) / np.array(self.std)).astype(np.float32)
        count, height, width, _ = pictures.shape
        shape = (count, 3, height, width) if self.layout == "nchw" else pictures.shape
        floats = np.empty(shape, np.float32)
        for channel in range(3):
            plane = floats[:, channel] if self.layout == "nchw" else floats[..., channel]
            np.multiply(bytes_[..., channel], gain[channel], out=plane)
            plane -= offset[channel]
        return floats
