"""BlazePose engine, the default: landmarks from a region of interest that follows the person, and a SMPL body fitted to them.

Bazarevsky et al., "BlazePose: On-device real-time body pose tracking" (2020).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from remi_stream.body.fit.fitter import ClosedForm, FitState, TrackFit, TrackFitter
from remi_stream.body.fit.gauss_newton import RotationPrior
from remi_stream.body.ik.solver import landmark_box
from remi_stream.body.smpl import load_default_body
from remi_stream.config import Sensitivity
from remi_stream.errors import UsageError
from remi_stream.geometry import iou
from remi_stream.inference.load import load_runtime
from remi_stream.inference.runtime import Runtime
from remi_stream.messages import Person
from remi_stream.models.manifest import Manifest
from remi_stream.models.store import ensure_model_file
from remi_stream.pose.engine import SENSITIVITIES, Engine
from remi_stream.pose.gates import (
    GATES,
    MIN_PRESENCE_ON_THE_WAY,
    Gates,
    is_roi_size_valid,
    is_steady,
    mean_heatmap_peak,
    rejection_reason,
)
from remi_stream.pose.landmarks import (
    MAX_GAP_S,
    OUTPUT_TENSORS,
    Landmarks,
    Roi,
    RoiFilter,
    estimate_landmarks,
    roi_from_box,
    roi_from_points,
    update_roi_filter,
)
from remi_stream.pose.lifting.engine import LiftingEngine
from remi_stream.pose.lifting.features import lifter_input
from remi_stream.pose.lifting.network import load_lifter
from remi_stream.pose.videopose3d import open_lifter
from remi_stream.tracking.crop import Crop, Pose

MIN_ROI_IOU = 0.1
"""Least IoU of the tracked ROI and the crop's box; below it the ROI follows another person."""

SPREAD_SHARE = 0.8
"""Standard deviation of the lifter's rotations in the fit, in expected errors. Measured on real footage: 0.5 and 0.9 gave
69.8 and 67.8 mm PA-MPJPE; on rendered clips smaller shares are better."""


def open_engine(manifest: Manifest, runtime: str, settings: dict[str, Any]) -> Engine:
    """Load the landmark network; with the option `lift`, add the VideoPose3D lifter."""
    lift, model = settings.pop("lift", 0.0), ensure_model_file(manifest.weights[0])
    gates = GATES[chosen_sensitivity(settings.pop("sensitivity", 1.0))]
    # the network reads [0, 1]
    engine = BlazePoseEngine(load_runtime(runtime, model, outputs=OUTPUT_TENSORS, bytes_scale=1 / 255, **settings), gates)
    return LiftingEngine(engine, open_lifter(runtime, {"threads": settings["threads"]})) if lift else engine


def chosen_sensitivity(index: float) -> Sensitivity:
    """Return the sensitivity of an option's value, its index. Raises UsageError."""
    if index not in range(len(SENSITIVITIES)):
        names = ", ".join(f"{number} ({name})" for number, name in enumerate(SENSITIVITIES))
        raise UsageError(f"The engine option sensitivity is {names}; got {index:g}. Use --sensitivity NAME")
    return SENSITIVITIES[int(index)]


class BlazePoseState(NamedTuple):
    """State of a track between frames."""

    roi_filter: RoiFilter
    """The filtered ROI."""
    fit_state: FitState
    """State of the body's fit."""
    lifter_memory: np.ndarray
    """Memory of the learned lifter."""


class BlazePoseEngine:
    """33 landmarks in 3D, and a SMPL pose of the default body."""

    name = "blazepose"
    is_stateless = False
    has_gates = True

    def __init__(self, network: Runtime, gates: Gates) -> None:
        self._network, self._gates = network, gates
        self._fitter, self._lifter = TrackFitter(load_default_body()), load_lifter()
        self.runtime_name = network.name

    def infer(self, crops: list[Crop]) -> list[Pose]:
        """Estimate a pose per crop, one after the other."""
        return [self._pose(crop) for crop in crops]

    def _pose(self, crop: Crop) -> Pose:
        state = valid_state(crop)
        found, region, reason = self._track(crop, state.roi_filter.roi()) if state else self._detect(crop)
        if reason:
            return Pose(None, crop.box_xyxy, None, reason)
        elapsed = crop.captured_at - state.roi_filter.seen_at if state else 0.0
        ik_state = state.fit_state.ik_state if state else None
        start = self._fitter.solve_closed_form(found.world, found.pixels, found.visibility, crop.intrinsics, ik_state, elapsed)
        seen = lifter_input(found, region, start, crop.intrinsics, elapsed, is_new=state is None)
        lifted = self._lifter.lift(seen, state.lifter_memory if state else None)
        prior = RotationPrior(lifted.rotations, SPREAD_SHARE * lifted.spread_rad)
        start = self._fitter.move_depths(start, lifted.rotations)
        fit = self._fitter.fit(start, prior, crop.intrinsics, state.fit_state if state else None, elapsed)
        person = make_person(crop.track_id, found, start, fit)
        follower = update_roi_filter(state.roi_filter if state else None, found.roi_points, crop.captured_at)
        return Pose(person, person.box_xyxy, BlazePoseState(follower, fit.state, lifted.memory), circle_px=found.roi_points)

    def _track(self, crop: Crop, region: Roi) -> tuple[Landmarks, Roi, str]:
        """Estimate a tracked person in the filtered ROI: the landmarks, their ROI, and the rejection reason."""
        found = estimate_landmarks(self._network, crop.image, region)
        return found, region, rejection_reason(found, region, self._fitter.bone_lengths_m, self._gates.tracked)

    def _detect(self, crop: Crop) -> tuple[Landmarks, Roi, str]:
        """Estimate a new person three times: each crop gives the ROI of the next, and the third confirms the second."""
        region = roi_from_box(crop.box_xyxy) if crop.circle_px is None else roi_from_points(crop.circle_px)
        found = estimate_landmarks(self._network, crop.image, region)
        for _ in range(2):
            before, region = found, roi_from_points(found.roi_points)
            if not is_roi_size_valid(region) or before.person_presence < MIN_PRESENCE_ON_THE_WAY:
                return before, region, "presence"
            found = estimate_landmarks(self._network, crop.image, region)
        reason = rejection_reason(found, region, self._fitter.bone_lengths_m, self._gates.new)
        return found, region, reason or ("" if is_steady(before, found, region, self._gates) else "unsteady")


def valid_state(crop: Crop) -> BlazePoseState | None:
    """Return the crop's state, unless it is too old or follows another person."""
    if not isinstance(crop.state, BlazePoseState):
        return None
    follower = crop.state.roi_filter
    fresh = 0 < crop.captured_at - follower.seen_at < MAX_GAP_S
    same = iou(crop.box_xyxy, follower.roi().box()[None])[0] > MIN_ROI_IOU
    return crop.state if fresh and same else None


def make_person(track_id: int, landmarks: Landmarks, start: ClosedForm, fit: TrackFit) -> Person:
    """Make the Person message; its key points have left and right as the body has them."""
    return Person(
        track_id=track_id,
        score=landmarks.person_presence * mean_heatmap_peak(landmarks),
        box_xyxy=landmark_box(landmarks.pixels),
        skeleton="blazepose33",
        keypoints_px=start.pixels.astype(np.float32),
        keypoint_scores=start.visibility.astype(np.float32),
        joints_m=fit.landmarks_m.astype(np.float32),
        smpl=fit.smpl,
    )
