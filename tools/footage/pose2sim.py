"""Reads a folder of Pose2Sim: calibrated cameras, their videos, and the triangulated people as truth.

Pagnon et al., "Pose2Sim: An open-source Python package for multiview markerless kinematics" (2022). The calibration is a toml
with a table per camera (matrix, distortions, rotation vector and translation of the world in the camera, m, z up); the truth is
a .trc file per person (m, y up). Cameras and videos are paired in the order of their names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import cv2
import msgspec
import numpy as np

from remi_stream.errors import UsageError
from remi_stream.skeletons import LIMB_JOINTS

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv")
TRC_HEADER_LINES = 3
"""Lines before the names of the markers."""
TRC_AXES = (2, 0, 1)
"""Where x, y, z of the calibration's world, z up, are in a .trc, y up."""


class CalibratedCamera(NamedTuple):
    """A camera of the calibration."""

    name: str
    matrix: np.ndarray
    """(3, 3) px."""
    distortion: np.ndarray
    """(4,) of OpenCV's model."""
    rotation: np.ndarray
    """(3, 3), world to camera."""
    translation: np.ndarray
    """(3,) m, of the world in the camera."""

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """Transform points (..., 3) m from the world to the camera."""
        return points @ self.rotation.T + self.translation

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project points (..., 3) m of the world to px (..., 2)."""
        turn = cv2.Rodrigues(self.rotation)[0]
        pixels, _ = cv2.projectPoints(points.reshape(-1, 3).astype(float), turn, self.translation, self.matrix, self.distortion)
        return pixels.reshape(*points.shape[:-1], 2)


class View(NamedTuple):
    """A camera with its video."""

    camera: CalibratedCamera
    video: Path


class Session(NamedTuple):
    """A folder of Pose2Sim."""

    views: list[View]
    people: dict[str, np.ndarray]
    """By the name of the .trc: limb joints (frames, 12, 3) m, world, NaN where not known; in the order of `LIMB_JOINTS`."""


def read_session(folder: Path) -> Session:
    """Read a folder with one calibration, its videos, and a .trc per person. Raises UsageError."""
    calibrations = sorted(folder.rglob("*alib*.toml"))
    videos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES)
    truths = sorted(folder.rglob("*.trc"))
    if len(calibrations) != 1 or not videos or not truths:
        raise UsageError(
            f"{folder} has {len(calibrations)} calibrations (Calib*.toml), {len(videos)} videos and {len(truths)} .trc files. "
            "Give a folder with one calibration, a video per camera and a .trc per person"
        )
    cameras = read_calibration(calibrations[0])
    if len(cameras) != len(videos):
        raise UsageError(f"{calibrations[0]} has {len(cameras)} cameras, {folder} has {len(videos)} videos. Give one per camera")
    return Session([View(*pair) for pair in zip(cameras, videos)], {path.stem: read_trc(path) for path in truths})


def read_calibration(path: Path) -> list[CalibratedCamera]:
    """Read the cameras of a calibration, in the order of their names. Raises UsageError."""
    try:
        tables = msgspec.toml.decode(path.read_bytes())
        found = [_camera(name, table) for name, table in sorted(tables.items()) if "matrix" in table]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UsageError(f"{path} is no calibration of Pose2Sim ({type(error).__name__}: {error})") from None
    return found


def _camera(name: str, table: dict[str, Any]) -> CalibratedCamera:
    rotation = cv2.Rodrigues(np.array(table["rotation"], float))[0]
    return CalibratedCamera(
        name,
        np.array(table["matrix"], float),
        np.array(table["distortions"], float),
        rotation,
        np.array(table["translation"], float),
    )


def read_trc(path: Path) -> np.ndarray:
    """Read the limb joints of a .trc: (frames, 12, 3) m in the world of the calibration. Raises UsageError."""
    lines = path.read_text().splitlines()
    try:
        markers = [name for name in lines[TRC_HEADER_LINES].split("\t")[2:] if name.strip()]
        rows = [line.split("\t") for line in lines[TRC_HEADER_LINES + 2 :] if line.strip()]
        values = np.array([[float(cell) if cell.strip() else np.nan for cell in row[2 : 2 + 3 * len(markers)]] for row in rows])
        points = values.reshape(len(rows), len(markers), 3)[..., TRC_AXES]
        return points[:, [markers.index(marker_name(joint)) for joint in LIMB_JOINTS]]
    except (ValueError, LookupError) as error:
        raise UsageError(f"{path} is no .trc of Pose2Sim ({type(error).__name__}: {error})") from None


def marker_name(joint: str) -> str:
    """Return Pose2Sim's name of a joint: "LHip" for "left_hip"."""
    side, name = joint.split("_")
    return side[0].upper() + name.capitalize()
