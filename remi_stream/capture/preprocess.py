"""Preprocessing of images: undistortion by the camera's calibration, orientation, privacy masks; rendering of a frame's views.

Rotation is in degrees clockwise on the screen and comes before mirroring. Pixel centres have integer coordinates.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

import cv2
import msgspec
import numpy as np

from remi_stream.config import CameraConfig
from remi_stream.errors import RemiError, UsageError
from remi_stream.geometry import Intrinsics
from remi_stream.messages import Frame, FrameView

DISTORTION_LENGTHS = (4, 5, 8, 12, 14)
"""Numbers of distortion coefficients that OpenCV knows."""
CALIBRATION_KEYS = "needed: camera_matrix, image_width, image_height; allowed: distortion_coefficients, camera_from_world"
ROTATE_CODES = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
"""cv2.rotate's code by degrees clockwise."""

Polygon = tuple[tuple[float, float], ...]
"""Corners (x, y), px of the oriented image."""

log = logging.getLogger("remi_stream")


class Preprocessor:
    """Preprocesses images of one size.

    restarted: the process was restarted, so an image of another size is logged instead of raised. Masks, calibration and focal
    length are valid for one image size only: frames of another size are dropped, so that a mask never covers the wrong part.
    """

    def __init__(self, camera: CameraConfig, *, restarted: bool = False) -> None:
        self.has_wrong_size = False
        self.camera_from_world: np.ndarray | None = None
        self.intrinsics: Intrinsics | None = None
        self._camera, self._restarted = camera, restarted
        self._size: tuple[int, int] | None = None
        self._calibration = read_calibration(camera.calibration) if camera.calibration else None
        self._maps: tuple[np.ndarray, np.ndarray] | None = None
        if self._calibration and self._calibration.camera_from_world is not None:
            if camera.mirror:
                raise UsageError(f"Camera {camera.name!r}: a mirrored image has no camera_from_world; drop one")
            self.camera_from_world = oriented_camera_pose(self._calibration.camera_from_world, camera.rotate)

    def apply(self, image: np.ndarray) -> np.ndarray | None:
        """Undistort, orient and mask an image (H, W, 3) uint8 BGR; None, or RemiError at first, if its size is wrong."""
        size = (image.shape[1], image.shape[0])
        if size != self._size and not self._prepare(size):
            return None
        self.has_wrong_size = False
        if self._maps:
            image = cv2.remap(image, *self._maps, cv2.INTER_LINEAR)
        image = orient_image(image, self._camera.rotate, self._camera.mirror)
        return apply_masks(image, self._camera.masks) if self._camera.masks else image

    def _prepare(self, size: tuple[int, int]) -> bool:
        """Prepare for images of a new size; False if masks or calibration do not allow it."""
        try:
            self._check_size(size)
        except RemiError as error:
            if self._size is None and not self._restarted:
                raise
            if not self.has_wrong_size:
                log.error("%s", error)
            self.has_wrong_size = True
            return False
        self._size = size
        self._maps = _undistortion_maps(self._calibration)
        self.intrinsics = self._intrinsics(size)
        return True

    def _check_size(self, size: tuple[int, int]) -> None:
        camera, expected = self._camera, self._calibration.size if self._calibration else self._size
        in_px = camera.masks or camera.focal_px or self._calibration
        if in_px and expected and size != expected:
            raise RemiError(
                f"Camera {camera.name!r} gives images of {size[0]}x{size[1]} px, but its calibration, focal length or masks "
                f"are for {expected[0]}x{expected[1]}. Set the camera to that size, or calibrate again"
            )
        check_mask_corners(camera.name, camera.masks, oriented_size(size, camera.rotate))

    def _intrinsics(self, size: tuple[int, int]) -> Intrinsics | None:
        camera = self._camera
        if self._calibration:
            return oriented_intrinsics(self._calibration.intrinsics, size, camera.rotate, camera.mirror)
        width, height = oriented_size(size, camera.rotate)
        return (camera.focal_px, camera.focal_px, width / 2, height / 2) if camera.focal_px else None


class Calibration(NamedTuple):
    """A camera's intrinsics, distortion and pose, before its orientation is applied."""

    size: tuple[int, int]
    """(width, height) px of the camera's image; the other fields are valid for this size only."""
    intrinsics: Intrinsics
    """fx, fy, cx, cy, px."""
    distortion: np.ndarray
    """(n,) float64, OpenCV's k1 k2 p1 p2 k3 ...; empty if there is none."""
    camera_from_world: np.ndarray | None
    """(4, 4) float64 rigid transform, m."""


def read_calibration(path: str) -> Calibration:
    """Read a calibration file of OpenCV (YAML, XML or JSON). Raises UsageError with the missing or wrong key."""
    file = _open_storage(path)
    size = int(_read_number(file, "image_width")), int(_read_number(file, "image_height"))
    matrix, distortion = file.getNode("camera_matrix").mat(), file.getNode("distortion_coefficients").mat()
    pose = file.getNode("camera_from_world").mat()
    if matrix is None or matrix.shape != (3, 3) or min(size) < 1:
        raise UsageError(f"Calibration {path} is not complete; {CALIBRATION_KEYS}")
    if not matrix[0, 0] > 0 or not matrix[1, 1] > 0:
        raise UsageError(f"Calibration {path}: the focal lengths in camera_matrix must be above 0")
    if distortion is not None and distortion.size not in DISTORTION_LENGTHS:
        raise UsageError(f"Calibration {path}: distortion_coefficients must be {DISTORTION_LENGTHS}, got {distortion.size}")
    if pose is not None and not is_rigid_transform(pose):
        raise UsageError(f"Calibration {path}: camera_from_world must be 4x4, a rotation and a translation")
    intrinsics = (float(matrix[0, 0]), float(matrix[1, 1]), float(matrix[0, 2]), float(matrix[1, 2]))
    return Calibration(size, intrinsics, np.zeros(0) if distortion is None else distortion.reshape(-1), pose)


def is_rigid_transform(pose: np.ndarray) -> bool:
    """Whether a (4, 4) matrix is a rigid transform: a rotation and a translation."""
    if pose.shape != (4, 4) or not np.allclose(pose[3], (0, 0, 0, 1)):
        return False
    rotation = pose[:3, :3]
    return bool(np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3) and np.linalg.det(rotation) > 0)


def _open_storage(path: str) -> cv2.FileStorage:
    if not Path(path).is_file():
        raise UsageError(f"No such calibration file: {path}. Give one that OpenCV wrote (YAML, XML, JSON)")
    try:
        file = cv2.FileStorage(path, cv2.FILE_STORAGE_READ)
    except (cv2.error, SystemError):
        file = None
    if file is None or not file.isOpened():
        raise UsageError(
            f"{path} is not a calibration file of OpenCV (it starts with %YAML:1.0, or is XML or JSON); {CALIBRATION_KEYS}"
        )
    return file


def _read_number(file: cv2.FileStorage, name: str) -> float:
    node = file.getNode(name)
    return float(node.real()) if node.isInt() or node.isReal() else 0.0


def orient_image(image: np.ndarray, rotate: int, mirror: bool) -> np.ndarray:
    """Rotate and mirror an image (H, W, 3); the same array if there is nothing to do."""
    rotated = cv2.rotate(image, ROTATE_CODES[rotate]) if rotate else image
    return cv2.flip(rotated, 1) if mirror else rotated


def oriented_size(size: tuple[int, int], rotate: int) -> tuple[int, int]:
    """(width, height) px after the rotation."""
    return (size[1], size[0]) if rotate in (90, 270) else size


def oriented_intrinsics(intrinsics: Intrinsics, size: tuple[int, int], rotate: int, mirror: bool) -> Intrinsics:
    """fx, fy, cx, cy px of the rotated and mirrored image; size: (width, height) px before."""
    fx, fy, cx, cy = intrinsics
    width, height = size
    for _ in range(rotate // 90):  # (x, y) -> (height - 1 - y, x)
        fx, fy, cx, cy = fy, fx, height - 1 - cy, cx
        width, height = height, width
    return fx, fy, width - 1 - cx if mirror else cx, cy


def oriented_camera_pose(camera_from_world: np.ndarray, rotate: int) -> np.ndarray:
    """camera_from_world (4, 4) of the rotated camera; a mirrored image has none."""
    quarter = np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    return np.linalg.matrix_power(quarter, rotate // 90) @ camera_from_world


def check_mask_corners(camera: str, masks: tuple[Polygon, ...], size: tuple[int, int]) -> None:
    """Raise RemiError unless every corner lies in the oriented image of (width, height) px."""
    for number, polygon in enumerate(masks):
        for x, y in polygon:
            if not (0 <= x <= size[0] and 0 <= y <= size[1]):
                raise RemiError(
                    f"Camera {camera!r}: masks[{number}] has a corner at {x:g}, {y:g}, outside the oriented image "
                    f"of {size[0]}x{size[1]} px. Draw it inside"
                )


def apply_masks(image: np.ndarray, masks: tuple[Polygon, ...]) -> np.ndarray:
    """Copy of an image (H, W, 3) uint8 with the polygons, px, filled black, edges included."""
    image = image.copy()  # a source's image is never written to
    for polygon in masks:
        cv2.fillPoly(image, [np.round(np.array(polygon)).astype(np.int32)], (0, 0, 0))
    return image


def _undistortion_maps(calibration: Calibration | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Maps for cv2.remap that undistort an image and keep its intrinsics; None without distortion."""
    if calibration is None or not calibration.distortion.any():
        return None
    fx, fy, cx, cy = calibration.intrinsics
    # the same matrix before and after: undistortion must not change the intrinsics that are published
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    # CV_16SC2: fixed-point maps, with which cv2.remap is faster than with floats
    first, second = cv2.initUndistortRectifyMap(matrix, calibration.distortion, None, matrix, calibration.size, cv2.CV_16SC2)
    return first, second


def render_view(frame: Frame, view: FrameView) -> Frame:
    """Crop a BGR frame to a view, scale it down to the longest side, and encode it; never enlarges."""
    x0, y0, x1, y1 = _clip_to_image(view.rectangle or frame.rectangle, frame.size)
    image = frame.image[y0:y1, x0:x1]
    scale = min(1.0, (view.longest_side or max(image.shape)) / max(image.shape[:2]))
    if scale < 1:
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # averages, so that shrinking does not alias
    if view.encoding == "jpeg":
        image = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].reshape(-1)
    rectangle = (float(x0), float(y0), float(x1), float(y1))
    pixels = np.ascontiguousarray(image)
    return msgspec.structs.replace(frame, image=pixels, rectangle=rectangle, encoding=view.encoding)


def _clip_to_image(rectangle: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = rectangle
    left, top = min(max(0, int(x0)), size[0] - 1), min(max(0, int(y0)), size[1] - 1)
    return left, top, max(left + 1, min(size[0], round(x1))), max(top + 1, min(size[1], round(y1)))
