"""A fake pose network: it draws the heatmaps of known people, from images whose colours encode each pixel's position."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from remi_stream.pose.crop import ALPHAPOSE_HEIGHT, ALPHAPOSE_WIDTH
from remi_stream.tracking.crop import Crop

SIZE = (640, 480)
MAP = (ALPHAPOSE_WIDTH // 4, ALPHAPOSE_HEIGHT // 4)
BLUE = 200
SPREAD = 1.0
"""Of a joint's heat, px of the map."""


def picture(size: tuple[int, int] = SIZE) -> np.ndarray:
    """(H, W, 3) uint8 BGR: red encodes x, green y, blue that it is not padding."""
    y, x = np.mgrid[: size[1], : size[0]]
    return np.stack([np.full(x.shape, BLUE), y * 255 / size[1], x * 255 / size[0]], -1).round().astype(np.uint8)


def crop_of(
    box_xyxy: object, image: np.ndarray, track_id: int = 1, state: object | None = None, captured_at: float = 0.0
) -> Crop:
    height, width = image.shape[:2]
    intrinsics = (float(np.hypot(width, height)), float(np.hypot(width, height)), width / 2, height / 2)
    return Crop(image, np.array(box_xyxy, np.float32), track_id, captured_at, intrinsics, state)


@dataclass
class Seer:
    """A runtime. people: (N, K, 2) px; heats: (N, K) in [0, 1]; logits: the maps are for a sigmoid. calls: batch sizes so far."""

    people: np.ndarray
    heats: np.ndarray
    logits: bool
    size: tuple[int, int] = SIZE
    name: str = "seer"
    calls: list[int] = field(default_factory=list)

    def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        images = tensors["image"]
        assert images.dtype == np.uint8
        assert images.shape[1:] == (ALPHAPOSE_HEIGHT, ALPHAPOSE_WIDTH, 3)
        self.calls.append(len(images))
        return {"heatmaps": np.stack([self._maps(image) for image in images])}

    def _maps(self, image: np.ndarray) -> np.ndarray:
        """Maps (K, 64, 48) of the person whose middle is nearest to the crop's, if it is in it at all."""
        crop_from_picture = self._place(image)
        points = self.people @ crop_from_picture[:, :2].T + crop_from_picture[:, 2]
        away = (
            np.linalg.norm(points.mean(1) - (ALPHAPOSE_WIDTH / 2, ALPHAPOSE_HEIGHT / 2), axis=1)
            if len(points)
            else np.array([np.inf])
        )
        joints = self.heats.shape[1]
        if away.min() > ALPHAPOSE_HEIGHT / 2:
            return self._heat(np.zeros((joints, 2)), np.zeros(joints))
        return self._heat(points[away.argmin()] / 4, self.heats[away.argmin()])

    def _heat(self, points: np.ndarray, heats: np.ndarray) -> np.ndarray:
        y, x = np.mgrid[: MAP[1], : MAP[0]]
        squares = (x - points[:, 0, None, None]) ** 2 + (y - points[:, 1, None, None]) ** 2
        heat = heats[:, None, None] * np.exp(-squares / (2 * SPREAD**2)) + 1e-9
        return (np.log(heat / (1 - heat)) if self.logits else heat).astype(np.float32)

    def _place(self, image: np.ndarray) -> np.ndarray:
        """Map image px to crop px, (2, 3), decoded from the colours."""
        y, x = np.nonzero(image[..., 2] == BLUE)
        there = image[y, x, :2] * np.array(self.size) / 255
        fit = np.linalg.lstsq(np.column_stack([there, np.ones(len(x))]), np.column_stack([x, y]), rcond=None)[0]
        return fit.T


def people(joints: int, middles: list[tuple[float, float]], height: float = 180.0, seed: int = 0) -> np.ndarray:
    """People (N, joints, 2) px who stand around these places, half as wide as high; joints anywhere in there."""
    random = np.random.default_rng(seed)
    places = random.uniform(-0.5, 0.5, (len(middles), joints, 2)) * (height / 2, height)
    return places + np.array(middles, float).reshape(-1, 1, 2)


def box_around(points: np.ndarray, by: float = 0.03) -> np.ndarray:
    """The tight box (4,) px around key points (K, 2), and a little flesh."""
    low, high = points.min(0), points.max(0)
    flesh = by * (high - low).max()
    return np.concatenate([low - flesh, high + flesh]).astype(np.float32)
