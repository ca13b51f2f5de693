"""BlazePose engine, the default: landmarks from a region of interest that follows the person, and a SMPL body fitted to them.

Bazarevsky et al., "BlazePose: On-device real-time body pose tracking" (2020).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from remi_stream.body.fit import Fit, Fitter
from remi_stream.body.ik import Memory
from remi_stream.body.smpl import load_open_body
from remi_stream.geometry import iou
from remi_stream.messages import Person
from remi_stream.models.manifest import Manifest
from remi_stream.models.store import model_file
from remi_stream.pose.engine import Crop, Engine, Pose
from remi_stream.pose.gates import agree, clarity, refusal
from remi_stream.pose.landmarks import OUTPUTS, Landmarks, body_box, look
from remi_stream.pose.lifted import LiftedEngine
from remi_stream.pose.region import LONGEST_GAP_S, Follower, Region, follow, region_around, region_of
from remi_stream.pose.videopose3d import open_lifter
from remi_stream.runtimes.runtime import Runtime, load_runtime

SAME_IOU = 0.1
"""Least IoU of the tracked ROI and the crop's box; below it the ROI follows another person."""


def open_engine(manifest: Manifest, runtime: str, settings: dict[str, Any]) -> Engine:
    """Load the landmark network; with the option `lift`, add the VideoPose3D lifter."""
    lift, model = settings.pop("lift", 0.0), model_file(manifest.weights[0])
    engine = BlazePose(load_runtime(runtime, model, outputs=OUTPUTS, bytes_scale=1 / 255, **settings))
    return LiftedEngine(engine, open_lifter(runtime, {"threads": settings["threads"]})) if lift else engine


class State(NamedTuple):
    """State of a track between frames."""

    follower: Follower
    """The filtered ROI."""
    memory: Memory
    """State of inverse kinematics."""


class BlazePose:
    """33 landmarks in 3D, and a SMPL pose of the default body."""

    name = "blazepose"

    def __init__(self, network: Runtime) -> None:
        self._network = network
        self._fitter = Fitter(load_open_body())
        self.runtime_name = network.name

    def infer(self, crops: list[Crop]) -> list[Pose]:
        """Estimate a pose per crop, one after the other."""
        return [self._pose(crop) for crop in crops]

    def _pose(self, crop: Crop) -> Pose:
        state = usable(crop)
        found, reason = self._track(crop, state.follower.region()) if state else self._detect(crop)
        if reason:
            return Pose(None, crop.box_xyxy, None, reason)
        follower, memory, elapsed = None, None, 0.0
        if state:
            follower, memory, elapsed = state.follower, state.memory, crop.captured_at - state.follower.seen_at
        fit = self._fitter.fit(found.world, found.pixels, found.visibility, crop.intrinsics, memory, elapsed)
        person = person_of(crop.track_id, found, fit)
        return Pose(person, person.box_xyxy, State(follow(follower, found.circle, crop.captured_at), fit.memory))

    def _track(self, crop: Crop, region: Region) -> tuple[Landmarks, str]:
        """Estimate a tracked person in the filtered ROI: the landmarks, and the rejection reason."""
        found = look(self._network, crop.image, region)
        return found, refusal(found, region, self._fitter.lengths, tracked=True)

    def _detect(self, crop: Crop) -> tuple[Landmarks, str]:
        """Estimate a new person twice: the first crop, around the box, gives hips and orientation for the second one."""
        first = look(self._network, crop.image, region_around(crop.box_xyxy))
        region = region_of(first.circle)
        second = look(self._network, crop.image, region)
        reason = refusal(second, region, self._fitter.lengths, tracked=False)
        return second, reason or ("" if agree(first, second, region) else "unsteady")


def usable(crop: Crop) -> State | None:
    """Return the crop's state, unless it is too old or follows another person."""
    if not isinstance(crop.state, State):
        return None
    follower = crop.state.follower
    fresh = 0 < crop.captured_at - follower.seen_at < LONGEST_GAP_S
    same = iou(crop.box_xyxy, follower.region().box()[None])[0] > SAME_IOU
    return crop.state if fresh and same else None


def person_of(track_id: int, seen: Landmarks, fit: Fit) -> Person:
    """Make the Person message."""
    return Person(
        track_id=track_id,
        score=seen.flag * clarity(seen),
        box_xyxy=body_box(seen.pixels),
        skeleton="blazepose33",
        keypoints_px=seen.pixels.astype(np.float32),
        keypoint_scores=seen.visibility.astype(np.float32),
        joints_m=fit.landmarks_m.astype(np.float32),
        smpl=fit.smpl,
    )
