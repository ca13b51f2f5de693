"""Makes of what a camera gives what everybody sees: undistorted, upright, mirrored, masked; and says what camera that is."""

from __future__ import annotations

import logging

import cv2
import numpy as np

from remi_stream.capture.calibration import Calibration, read_calibration
from remi_stream.capture.mask import blacken, check_masks
from remi_stream.capture.turn import turn_image, turn_intrinsics, turn_pose, turn_size
from remi_stream.config import Camera
from remi_stream.errors import RemiError, UsageError
from remi_stream.geometry import Intrinsics

log = logging.getLogger("remi_stream")


class Lens:
    """For pictures of one size. again: in a process that was restarted, where an unfit picture is no error of the user's.

    What is measured in px (masks, calibration, focal length) is right for one size of picture only. A camera that comes back
    with another size is not seen until it has the first one again: a mask must never cover the wrong part.
    """

    def __init__(self, camera: Camera, *, again: bool = False) -> None:
        self.unfit = False
        self.camera_from_world: np.ndarray | None = None
        self.intrinsics: Intrinsics | None = None
        self._camera, self._again = camera, again
        self._size: tuple[int, int] | None = None
        self._calibration = read_calibration(camera.calibration) if camera.calibration else None
        self._maps: tuple[np.ndarray, np.ndarray] | None = None
        if self._calibration and self._calibration.camera_from_world is not None:
            if camera.mirror:
                raise UsageError(f"Camera {camera.name!r}: no camera_from_world is right for a mirrored picture; drop one")
            self.camera_from_world = turn_pose(self._calibration.camera_from_world, camera.rotate)

    def see(self, image: np.ndarray) -> np.ndarray | None:
        """Give the picture (H, W, 3) as everybody sees it; None when it has a size that does not fit. RemiError at first."""
        size = (image.shape[1], image.shape[0])
        if size != self._size and not self._fit(size):
            return None
        self.unfit = False
        if self._maps:
            image = cv2.remap(image, *self._maps, cv2.INTER_LINEAR)
        image = turn_image(image, self._camera.rotate, self._camera.mirror)
        return blacken(image, self._camera.masks) if self._camera.masks else image

    def _fit(self, size: tuple[int, int]) -> bool:
        """Get ready for pictures of another size, if that can be."""
        try:
            self._check(size)
        except RemiError as error:
            if self._size is None and not self._again:
                raise
            if not self.unfit:
                log.error("%s", error)
            self.unfit = True
            return False
        self._size = size
        self._maps = _undistortion(self._calibration)
        self.intrinsics = self._intrinsics(size)
        return True

    def _check(self, size: tuple[int, int]) -> None:
        camera, wanted = self._camera, self._calibration.size if self._calibration else self._size
        in_px = camera.masks or camera.focal_px or self._calibration
        if in_px and wanted and size != wanted:
            raise RemiError(
                f"Camera {camera.name!r} gives pictures of {size[0]}x{size[1]} px, but its calibration, focal length or masks "
                f"are for {wanted[0]}x{wanted[1]}. Set the camera to that size, or measure anew"
            )
        check_masks(camera.name, camera.masks, turn_size(size, camera.rotate))

    def _intrinsics(self, size: tuple[int, int]) -> Intrinsics | None:
        camera = self._camera
        if self._calibration:
            return turn_intrinsics(self._calibration.intrinsics, size, camera.rotate, camera.mirror)
        width, height = turn_size(size, camera.rotate)
        return (camera.focal_px, camera.focal_px, width / 2, height / 2) if camera.focal_px else None


def _undistortion(calibration: Calibration | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Give the maps that straighten a picture and leave its intrinsics as they are."""
    if calibration is None or not calibration.distortion.any():
        return None
    fx, fy, cx, cy = calibration.intrinsics
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    first, second = cv2.initUndistortRectifyMap(matrix, calibration.distortion, None, matrix, calibration.size, cv2.CV_16SC2)
    return first, second
