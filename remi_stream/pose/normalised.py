"""Pictures as networks read them that normalise nothing themselves: floats, (byte * scale - mean) / std of each channel."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

Three = tuple[float, float, float]


class Reading(NamedTuple):
    """How bytes become floats; mean and std in the order of colour."""

    scale: float = 1 / 255
    mean: Three = (0.0, 0.0, 0.0)
    std: Three = (1.0, 1.0, 1.0)
    colour: Literal["rgb", "bgr"] = "rgb"
    layout: Literal["nchw", "nhwc"] = "nchw"

    def tensor(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures (N, height, width, 3) uint8 BGR as float32: (N, 3, height, width), or as they lie for "nhwc"."""
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
