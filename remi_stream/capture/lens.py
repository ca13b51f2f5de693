"""Preprocessing of frames: undistortion, orientation and privacy masks, with the intrinsics of the result."""

from __future__ import annotations

import logging

import cv2
import numpy as np

from remi_stream.capture.calibration import Calibration, read_calibration
from remi_stream.capture.mask import apply_masks, check_mask_corners
from remi_stream.capture.turn import orient_image, oriented_camera_pose, oriented_intrinsics, oriented_size
from remi_stream.config import CameraConfig
from remi_stream.errors import RemiError, UsageError
from remi_stream.geometry import Intrinsics

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


def _undistortion_maps(calibration: Calibration | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Maps for cv2.remap that undistort an image and keep its intrinsics; None without distortion."""
    if calibration is None or not calibration.distortion.any():
        return None
    fx, fy, cx, cy = calibration.intrinsics
    # the same matrix before and after: undistortion must not change the intrinsics that are published
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    first, second = cv2.initUndistortRectifyMap(matrix, calibration.distortion, None, matrix, calibration.size, cv2.CV_16SC2)
    return first, second
