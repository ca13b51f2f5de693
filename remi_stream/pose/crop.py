"""Crops of people: squares of mesh regressors, upright rectangles, AlphaPose's; weak-perspective cameras; image normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import cv2
import numpy as np

from remi_stream.geometry import Intrinsics
from remi_stream.inference.runtime import CropFunction, GpuRuntime, Runtime

MIN_SQUARE_PX = 1.0
"""Least side, so that the affine transform is never singular."""


class SquareCrop(NamedTuple):
    """A square crop in px of the full image."""

    x: float
    """Centre."""
    y: float
    """Centre."""
    side: float
    """Side."""


def square_crop(box_xyxy: np.ndarray, scale: float) -> SquareCrop:
    """Return the square around a box (4,) px: its longer side times scale."""
    x0, y0, x1, y1 = (float(edge) for edge in box_xyxy)
    return SquareCrop((x0 + x1) / 2, (y0 + y1) / 2, max((x1 - x0) * scale, (y1 - y0) * scale, MIN_SQUARE_PX))


def square_crop_affine(square: SquareCrop, side: int) -> np.ndarray:
    """Return the affine transform (2, 3) float64 from image px to px of a square crop."""
    return crop_affine((square.x, square.y), (square.side, square.side), (side, side))


def crop_affine(center: tuple[float, float], rect_size: tuple[float, float], size: tuple[int, int]) -> np.ndarray:
    """Return the affine transform (2, 3) float64 from image px to crop px.

    It maps the rectangle's centre, right edge and lower edge to the crop's. center, rect_size: (x, y) and (width, height) px of
    the rectangle. size: (width, height) px of the crop; another aspect ratio is stretched. The points are rounded to float32, as
    in the published demos, so that the crops are bit-identical to theirs.
    """
    (x, y), (width, height), (crop_width, crop_height) = center, rect_size, size
    source = np.array([[x, y], [x, y + height / 2], [x + width / 2, y]], np.float32)
    middle_x, middle_y = crop_width / 2, crop_height / 2
    target = np.array([[middle_x, middle_y], [middle_x, crop_height], [crop_width, middle_y]], np.float32)
    affine: np.ndarray = cv2.getAffineTransform(source, target)
    return affine


def warp_crop(image: np.ndarray, affine: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resample a crop (height, width, 3) uint8 of image (H, W, 3) uint8, same channels: bilinear, black outside the image."""
    crop: np.ndarray = cv2.warpAffine(image, affine, size, flags=cv2.INTER_LINEAR)
    return crop


def warp_crops(images: Sequence[np.ndarray], affines: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resample crops (B, height, width, 3) uint8 RGB, each from its own image (H, W, 3) uint8 BGR; affines: (B, 2, 3)."""
    crops = np.empty((len(images), size[1], size[0], 3), np.uint8)
    for crop, image, affine in zip(crops, images, affines):
        cv2.cvtColor(warp_crop(image, affine, size), cv2.COLOR_BGR2RGB, dst=crop)
    return crops


def crop_function(network: Runtime) -> CropFunction:
    """Return the function that resamples a network's crops: on its GPU if it can, else OpenCV; the bytes are the same."""
    return network.crop if isinstance(network, GpuRuntime) else warp_crops


def cliff_bbox_info(square: SquareCrop, intrinsics: Intrinsics) -> np.ndarray:
    """Return CLIFF's bbox_info (3,) float32: the square's centre and side over the focal length, about unit variance.

    Li et al., "CLIFF: Carrying Location Information in Full Frames" (2022).
    """
    focal, _, cx, cy = intrinsics
    # 2.8, 0.24 and 0.06 are those of CLIFF's published code
    middle = ((square.x - cx) / focal * 2.8, (square.y - cy) / focal * 2.8)
    return np.array([*middle, (square.side - 0.24 * focal) / (0.06 * focal)], np.float32)


# Upright crop rectangle around a bounding box, and mapping its key points back to the full image.


class CropRect(NamedTuple):
    """A crop's axis-aligned rectangle in the full image."""

    center_px: np.ndarray
    """(2,) float64 px: centre."""
    size_px: np.ndarray
    """(2,) float64 px: width, height."""


def crop_rect(box_xyxy: np.ndarray, size: tuple[int, int], scale: float) -> CropRect:
    """Return the crop around a box (4,) px: the short side padded to the aspect ratio of size (width, height), then scaled."""
    box = box_xyxy.astype(float)
    aspect = np.array(size) / size[0]
    width = max(float(((box[2:] - box[:2]) / aspect).max()), 1.0)
    return CropRect((box[:2] + box[2:]) / 2, width * aspect * scale)


def crop_bgr(image: np.ndarray, rect: CropRect, size: tuple[int, int]) -> np.ndarray:
    """Resample the crop (height, width, 3) uint8 BGR of image (H, W, 3): bilinear, black outside the image."""
    (x, y), (width, height) = rect.center_px, rect.size_px
    return warp_crop(image, crop_affine((x, y), (width, height), size), size)


def crop_to_image(points: np.ndarray, rect: CropRect) -> np.ndarray:
    """Map points (K, 2), fractions of a crop, to px of the full image."""
    return rect.center_px + (points - 0.5) * rect.size_px


def inside_image_scores(points: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Return scores (K,) float32 for a network without any: 1 for key points (K, 2) px inside image (H, W, 3), 0 outside."""
    last = np.array(image.shape[1::-1]) - 1
    within = np.logical_and(points >= 0, points <= last)
    return np.logical_and(within[:, 0], within[:, 1]).astype(np.float32)


# Weak-perspective camera of mesh regressors: (s, tx, ty) in the crop, and its conversion to the full image.
#
# A point (x, y, z), m, of the body at the origin falls on s (x + tx), s (y + ty) in the crop, whose edges are -1 and 1.
# Kissos et al., "Beyond weak perspective for monocular 3D human pose estimation" (2020), for the translation.

CROP_CAMERA_FOCAL_PX, CROP_CAMERA_SIDE_PX = 5000.0, 224
"""Focal length and size of the crop's camera in the regressors' published code."""


def transl_from_weak_camera(
    camera: np.ndarray, center: np.ndarray, side: np.ndarray | float, intrinsics: Intrinsics
) -> np.ndarray:
    """Convert a weak-perspective camera to the translation of the body's origin (..., 3), m, camera frame: SMPL's transl.

    camera: (..., 3) s, tx, ty. center: (..., 2) and side: (...) px of the square in the full image. Exact at the depth of the
    body's origin only, as weak perspective is.
    """
    fx, fy, cx, cy = intrinsics
    s, tx, ty = np.moveaxis(np.asarray(camera, np.float64), -1, 0)
    radius = s * side / 2  # px per metre at the body's depth
    x = tx + (center[..., 0] - cx) / radius
    y = (ty + (center[..., 1] - cy) / radius) * (fx / fy)
    return np.stack([x, y, fx / radius], -1)


def weak_camera_from_transl(
    transl: np.ndarray, center: np.ndarray, side: np.ndarray | float, intrinsics: Intrinsics
) -> np.ndarray:
    """Convert transl (..., 3) m to the crop's weak-perspective camera (..., 3) s, tx, ty; inverts `transl_from_weak_camera`."""
    fx, fy, cx, cy = intrinsics
    x, y, z = np.moveaxis(np.asarray(transl, np.float64), -1, 0)
    radius = fx / z
    return np.stack([2 * radius / side, x - (center[..., 0] - cx) / radius, y * (fy / fx) - (center[..., 1] - cy) / radius], -1)


def crop_camera_transl(camera: np.ndarray) -> np.ndarray:
    """Return the body's translation (..., 3), m, in the crop's own camera with a focal length of 5000 px; camera: (..., 3)."""
    s, tx, ty = np.moveaxis(np.asarray(camera, np.float64), -1, 0)
    # 1e-9 is in the published code too
    return np.stack([tx, ty, 2 * CROP_CAMERA_FOCAL_PX / (CROP_CAMERA_SIDE_PX * s + 1e-9)], -1)


def full_image_weak_camera(camera: np.ndarray, center: np.ndarray, side: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Convert to the weak-perspective camera of the full image, edges -1 and 1: (..., 4) sx, sy, tx, ty (PARE's "orig_cam").

    camera: (..., 3). center: (..., 2) and side: (...) px of the square. size: (width, height) px of the image.
    """
    s, tx, ty = np.moveaxis(np.asarray(camera, np.float64), -1, 0)
    half = np.array(size) / 2
    sx, sy = s * side / size[0], s * side / size[1]
    x, y = np.moveaxis((center - half) / half, -1, 0)
    return np.stack([sx, sy, tx + x / sx, ty + y / sy], -1)


def square_to_image(points: np.ndarray, center: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Map points (..., N, 2) of a crop with edges -1 and 1 to px of the full image; center: (..., 2), side: (...) px."""
    return center[..., None, :] + points * (np.asarray(side)[..., None, None] / 2)


# AlphaPose's affine crops: the bounding box is padded to 3:4, enlarged by a quarter and resampled to 192 x 256 px.

ALPHAPOSE_WIDTH, ALPHAPOSE_HEIGHT = 192, 256
"""Input size of AlphaPose's networks, px."""
ALPHAPOSE_CROP_SCALE = 1.25
"""Size of the crop in sizes of the box, as in AlphaPose."""


def alphapose_crops(boxes_xyxy: np.ndarray) -> np.ndarray:
    """Expand boxes (N, 4) px to crops (N, 4) float32 px, cx cy w h: the short side grows to the aspect ratio 3:4."""
    # float32 throughout: the same numbers as AlphaPose's
    boxes = boxes_xyxy.astype(np.float32)
    sides = boxes[:, 2:] - boxes[:, :2]
    middles = boxes[:, :2] + sides * np.float32(0.5)
    width = np.maximum(sides[:, 0], sides[:, 1] * np.float32(ALPHAPOSE_WIDTH / ALPHAPOSE_HEIGHT)) * np.float32(
        ALPHAPOSE_CROP_SCALE
    )
    return np.concatenate([middles, width[:, None], width[:, None] * np.float32(ALPHAPOSE_HEIGHT / ALPHAPOSE_WIDTH)], 1)


def boxes_from_crops(crops: np.ndarray) -> np.ndarray:
    """Convert crops (N, 4) cx cy w h to boxes (N, 4) float64 px, x0 y0 x1 y1."""
    middles, halves = crops[:, :2].astype(float), crops[:, 2:].astype(float) / 2
    return np.concatenate([middles - halves, middles + halves], 1)


def alphapose_affine(crop: np.ndarray) -> np.ndarray:
    """Return the affine transform (2, 3) float64 from image px to crop px, for a crop (4,) cx cy w h.

    The three float32 points (middle, half a width above it, top left of it) are AlphaPose's, so that the numbers are equal.
    """
    x, y, half = float(crop[0]), float(crop[1]), float(crop[2]) / 2
    there = np.array([[x, y], [x, y - half], [x - half, y - half]], np.float32)
    middle = (ALPHAPOSE_WIDTH / 2, ALPHAPOSE_HEIGHT / 2)
    here = np.array([middle, (middle[0], middle[1] - ALPHAPOSE_WIDTH / 2), (0, middle[1] - ALPHAPOSE_WIDTH / 2)], np.float32)
    affine: np.ndarray = cv2.getAffineTransform(there, here)
    return affine


# Image normalisation for networks that do none themselves: (byte * scale - mean) / std per channel.

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
