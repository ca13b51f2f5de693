"""Rejection of implausible BlazePose landmarks: the network always answers, and its presence flag is no quality score."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from remi_stream.body.ik.solver import BONE_ENDS, BONE_STARTS, LIMB_LANDMARKS, IkState, LandmarkFit, LandmarkFitter
from remi_stream.body.smpl import load_default_body
from remi_stream.geometry import iou
from remi_stream.inference.runtime import Runtime, load_runtime
from remi_stream.messages import Person
from remi_stream.models.manifest import Manifest
from remi_stream.models.store import ensure_model_file
from remi_stream.pose.blazepose.landmarks import (
    MAX_GAP_S,
    OUTPUT_TENSORS,
    Landmarks,
    Roi,
    RoiFilter,
    estimate_landmarks,
    landmark_box,
    roi_from_box,
    roi_from_points,
    update_roi_filter,
)
from remi_stream.pose.engine import Crop, Engine, Pose
from remi_stream.pose.lifting.lifting_engine import LiftingEngine
from remi_stream.pose.lifting.videopose3d import open_lifter

MIN_PRESENCE = 0.5
"""Least presence flag. It is 0.93 to 0.98 on wrong poses too (measured), so the other gates decide."""
MIN_VISIBLE_JOINTS = 5
"""Least number of visible limb joints, of 12: a person at a desk shows six."""
PEAK_JOINT_COUNT = 6
"""Number of limb joints with the largest heatmap peaks that are averaged: half of them."""
MIN_PEAK_NEW, MIN_PEAK_TRACKED = 0.7, 0.55
"""Least mean heatmap peak of a new and of a tracked person. Measured: 0.7 to 0.97 on people, mostly below 0.6 on noise,
furniture and scrambled limbs."""
MAX_BONE_ERROR_NEW, MAX_BONE_ERROR_TRACKED = 0.2, 0.3
"""Largest mean |log| ratio of the visible bones' lengths to the body's, new and tracked. Measured: 0.05 to 0.15 on people."""
MAX_DISAGREEMENT = 0.015
"""Largest median distance of the landmarks from two crops of one person, in sizes of the ROI. Measured: 0.003 to 0.01 on
people, more on false poses."""
MIN_ROI_PX = 20.0
"""Smallest ROI."""
MAX_ZOOM = 1.6
"""Largest ratio of the sizes of two consecutive ROIs."""
MAX_DRIFT = 0.35
"""Largest movement between two consecutive ROIs, in sizes of the ROI."""


def rejection_reason(landmarks: Landmarks, roi: Roi, bone_lengths_m: np.ndarray, is_tracked: bool) -> str:
    """Return in one word why the landmarks are rejected, or an empty string.

    bone_lengths_m: (14,) m, the body's bone lengths from `bone_lengths`. is_tracked: the last frame of the same person was accepted.
    """
    if landmarks.person_presence < MIN_PRESENCE:
        return "presence"
    if int((landmarks.visibility[LIMB_LANDMARKS] > 0.5).sum()) < MIN_VISIBLE_JOINTS:
        return "visibility"
    if mean_heatmap_peak(landmarks) < (MIN_PEAK_TRACKED if is_tracked else MIN_PEAK_NEW):
        return "clarity"
    if bone_length_error(landmarks, bone_lengths_m) > (MAX_BONE_ERROR_TRACKED if is_tracked else MAX_BONE_ERROR_NEW):
        return "bones"
    return "" if is_roi_stable(roi, roi_from_points(landmarks.roi_points)) else "region"


def mean_heatmap_peak(landmarks: Landmarks) -> float:
    """Return the mean heatmap peak, [0, 1], of the limb joints with the largest peaks."""
    return float(np.sort(landmarks.heatmap_peaks[LIMB_LANDMARKS])[-PEAK_JOINT_COUNT:].mean())


def bone_length_error(landmarks: Landmarks, bone_lengths_m: np.ndarray) -> float:
    """Return the mean |log| ratio of the bone lengths to the body's after removing a common scale, weighted by visibility."""
    found = np.linalg.norm(landmarks.world[BONE_STARTS] - landmarks.world[BONE_ENDS], axis=1)
    ratio = np.log(np.maximum(found, 1e-3) / bone_lengths_m)
    weights = np.minimum(landmarks.visibility[BONE_STARTS], landmarks.visibility[BONE_ENDS]) + 1e-3
    return float(np.average(np.abs(ratio - np.median(ratio)), weights=weights))


def is_roi_stable(roi: Roi, next_roi: Roi) -> bool:
    """Return whether the landmarks' ROI has a valid size and is near the ROI of the crop."""
    if not MIN_ROI_PX < next_roi.size < 1e5:
        return False
    zoom = next_roi.size / roi.size
    drift = float(np.hypot(*(next_roi.center - roi.center))) / roi.size
    return 1 / MAX_ZOOM < zoom < MAX_ZOOM and drift < MAX_DRIFT


def landmarks_agree(first: Landmarks, second: Landmarks, roi: Roi) -> bool:
    """Return whether the landmarks from two crops agree; roi: of the second crop."""
    apart = np.linalg.norm(first.pixels[LIMB_LANDMARKS] - second.pixels[LIMB_LANDMARKS], axis=1)
    return float(np.median(apart)) <= MAX_DISAGREEMENT * roi.size


# BlazePose engine, the default: landmarks from a region of interest that follows the person, and a SMPL body fitted to them.
#
# Bazarevsky et al., "BlazePose: On-device real-time body pose tracking" (2020).


MIN_ROI_IOU = 0.1
"""Least IoU of the tracked ROI and the crop's box; below it the ROI follows another person."""


def open_engine(manifest: Manifest, runtime: str, settings: dict[str, Any]) -> Engine:
    """Load the landmark network; with the option `lift`, add the VideoPose3D lifter."""
    lift, model = settings.pop("lift", 0.0), ensure_model_file(manifest.weights[0])
    engine = BlazePoseEngine(load_runtime(runtime, model, outputs=OUTPUT_TENSORS, bytes_scale=1 / 255, **settings))
    return LiftingEngine(engine, open_lifter(runtime, {"threads": settings["threads"]})) if lift else engine


class BlazePoseState(NamedTuple):
    """State of a track between frames."""

    roi_filter: RoiFilter
    """The filtered ROI."""
    ik_state: IkState
    """State of inverse kinematics."""


class BlazePoseEngine:
    """33 landmarks in 3D, and a SMPL pose of the default body."""

    name = "blazepose"

    def __init__(self, network: Runtime) -> None:
        self._network = network
        self._fitter = LandmarkFitter(load_default_body())
        self.runtime_name = network.name

    def infer(self, crops: list[Crop]) -> list[Pose]:
        """Estimate a pose per crop, one after the other."""
        return [self._pose(crop) for crop in crops]

    def _pose(self, crop: Crop) -> Pose:
        state = valid_state(crop)
        found, reason = self._track(crop, state.roi_filter.roi()) if state else self._detect(crop)
        if reason:
            return Pose(None, crop.box_xyxy, None, reason)
        follower, memory, elapsed = None, None, 0.0
        if state:
            follower, memory, elapsed = state.roi_filter, state.ik_state, crop.captured_at - state.roi_filter.seen_at
        fit = self._fitter.fit(found.world, found.pixels, found.visibility, crop.intrinsics, memory, elapsed)
        person = make_person(crop.track_id, found, fit)
        return Pose(
            person, person.box_xyxy, BlazePoseState(update_roi_filter(follower, found.roi_points, crop.captured_at), fit.ik_state)
        )

    def _track(self, crop: Crop, region: Roi) -> tuple[Landmarks, str]:
        """Estimate a tracked person in the filtered ROI: the landmarks, and the rejection reason."""
        found = estimate_landmarks(self._network, crop.image, region)
        return found, rejection_reason(found, region, self._fitter.bone_lengths_m, is_tracked=True)

    def _detect(self, crop: Crop) -> tuple[Landmarks, str]:
        """Estimate a new person twice: the first crop, around the box, gives hips and orientation for the second one."""
        first = estimate_landmarks(self._network, crop.image, roi_from_box(crop.box_xyxy))
        region = roi_from_points(first.roi_points)
        second = estimate_landmarks(self._network, crop.image, region)
        reason = rejection_reason(second, region, self._fitter.bone_lengths_m, is_tracked=False)
        return second, reason or ("" if landmarks_agree(first, second, region) else "unsteady")


def valid_state(crop: Crop) -> BlazePoseState | None:
    """Return the crop's state, unless it is too old or follows another person."""
    if not isinstance(crop.state, BlazePoseState):
        return None
    follower = crop.state.roi_filter
    fresh = 0 < crop.captured_at - follower.seen_at < MAX_GAP_S
    same = iou(crop.box_xyxy, follower.roi().box()[None])[0] > MIN_ROI_IOU
    return crop.state if fresh and same else None


def make_person(track_id: int, landmarks: Landmarks, fit: LandmarkFit) -> Person:
    """Make the Person message."""
    return Person(
        track_id=track_id,
        score=landmarks.person_presence * mean_heatmap_peak(landmarks),
        box_xyxy=landmark_box(landmarks.pixels),
        skeleton="blazepose33",
        keypoints_px=landmarks.pixels.astype(np.float32),
        keypoint_scores=landmarks.visibility.astype(np.float32),
        joints_m=fit.landmarks_m.astype(np.float32),
        smpl=fit.smpl,
    )
