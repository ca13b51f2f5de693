"""VideoPose3D lifter, live: 3D joints from the last seconds of a person's 2D key points, and a SMPL body fitted to them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from remi_stream.body.ik.joints import H36M_LIMBS, H36mFitter, h36m_scores_from_coco
from remi_stream.body.ik.solver import IkState
from remi_stream.body.known_bodies import load_engine_body
from remi_stream.body.smpl import Body, fit_translation
from remi_stream.geometry import Intrinsics
from remi_stream.inference.runtime import Runtime, load_model
from remi_stream.models.manifest import ModelFile, find_manifest
from remi_stream.models.store import file_fault
from remi_stream.networks.network import find_network
from remi_stream.pose.lifting.clips import (
    INPUT_SKELETON,
    KeypointHistory,
    clip_padding,
    extend_history,
    normalise_keypoints,
    pad_clip,
    resample_history,
    start_history,
)
from remi_stream.pose.lifting.lifting_engine import LiftedPose
from remi_stream.skeletons import JOINT_NAMES, LIMB_JOINTS, joint_indices

VIDEOPOSE3D_MANIFEST, SYMMETRIC_WEIGHTS, CAUSAL_WEIGHTS = "videopose3d", "videopose3d", "videopose3d_causal"
"""The manifest, and the names of its two weight files."""
RECEPTIVE_FIELD: int = find_network(CAUSAL_WEIGHTS).inputs["keypoints"][0]
"""Receptive field of the network, frames."""
FRAME_RATE_HZ = 50.0
"""Frame rate of the published network's training data (Human3.6M)."""
KEYPOINT_COUNT = len(JOINT_NAMES[INPUT_SKELETON])
LIMBS = joint_indices(INPUT_SKELETON, LIMB_JOINTS)
MIN_LIMB_SCORE, MIN_LIMB_COUNT = 0.2, 4
"""Least score, and least number, of limb key points from which the translation is estimated."""
MIN_DEPTH_M = 0.2
"""Least depth of a joint."""
NO_JOINTS = np.zeros((0, 3), np.float32)
"""No 3D joints."""


class VideoPose3DState(NamedTuple):
    """State of a track between frames."""

    history: KeypointHistory
    """Normalised key points of the receptive field."""
    ik_state: IkState | None
    """State of inverse kinematics, if it has been solved."""
    solved_at: float
    """Capture time of `ik_state`, s."""


class VideoPose3DLifter:
    """Lifts key points that begin with COCO's 17.

    is_causal: the network's output belongs to the last frame of its window. A symmetric network's output belongs to the middle
    frame; the future half of its window is then filled with the last frame, as if the person stood still.
    """

    def __init__(self, network: Runtime, body: Body, is_causal: bool = True) -> None:
        self.name = network.name
        self._network, self._fitter = network, H36mFitter(body)
        self._ahead = clip_padding(RECEPTIVE_FIELD, is_causal)[1]

    def lift(
        self,
        track_state: object | None,
        keypoints_px: np.ndarray,
        scores: np.ndarray,
        size: tuple[int, int],
        intrinsics: Intrinsics,
        captured_at: float,
    ) -> LiftedPose:
        """See Lifter: the network's root-relative H36M joints, translated so that they project onto the key points."""
        pixels, coco_scores = keypoints_px[:KEYPOINT_COUNT], scores[:KEYPOINT_COUNT].astype(float)
        before = (
            track_state
            if isinstance(track_state, VideoPose3DState) and track_state.history.is_continued_at(captured_at)
            else None
        )
        history = update_history(before.history if before else None, normalise_keypoints(pixels, size), captured_at)
        joints = self._joints(history)
        transl = fit_root_translation(joints, pixels, coco_scores, intrinsics)
        if transl is None:
            return LiftedPose(NO_JOINTS, None, VideoPose3DState(history, *(before[1:] if before else (None, 0.0))))
        memory, elapsed = (before.ik_state, captured_at - before.solved_at) if before else (None, 0.0)
        fit = self._fitter.fit(joints + transl, h36m_scores_from_coco(coco_scores), memory, elapsed)
        return LiftedPose((joints + transl).astype(np.float32), fit.smpl, VideoPose3DState(history, fit.ik_state, captured_at))

    def _joints(self, history: KeypointHistory) -> np.ndarray:
        """Return the joints (17, 3), m, camera axes, relative to the hip, of the history's last frame."""
        window = pad_clip(resample_history(history, RECEPTIVE_FIELD - self._ahead, 1 / FRAME_RATE_HZ), 0, self._ahead)
        found = self._network.run({"keypoints": np.ascontiguousarray(window[None])})["joints"][0]
        return found[-1 if self._ahead == 0 else len(found) // 2].astype(float)


def update_history(history: KeypointHistory | None, points: np.ndarray, at: float) -> KeypointHistory:
    """Append a frame to the history, or start one."""
    return extend_history(history, points, at, (RECEPTIVE_FIELD - 1) / FRAME_RATE_HZ) if history else start_history(points, at)


def fit_root_translation(joints: np.ndarray, pixels: np.ndarray, scores: np.ndarray, intrinsics: Intrinsics) -> np.ndarray | None:
    """Return the translation (3,) m that projects H36M joints (17, 3), m, onto COCO's pixels (17, 2); scores: (17,).

    None if too few key points are confident, or if the body would not be in front of the camera.
    """
    if (scores[LIMBS] >= MIN_LIMB_SCORE).sum() < MIN_LIMB_COUNT:
        return None
    transl = fit_translation(joints[H36M_LIMBS], pixels[LIMBS].astype(float), scores[LIMBS] ** 2, intrinsics)
    return transl if (joints[:, 2] + transl[2]).min() > MIN_DEPTH_M else None


def find_live_weights() -> ModelFile | None:
    """Return the imported weights for live lifting: the causal network's, else the symmetric one's, else None."""
    files = {file.name: file for file in find_manifest(VIDEOPOSE3D_MANIFEST, "lifter").weights}
    return next((files[name] for name in (CAUSAL_WEIGHTS, SYMMETRIC_WEIGHTS) if not file_fault(files[name])), None)


def lifter_runtime(runtime: str) -> str:
    """Return the lifter's runtime for an engine's runtime: the same one, but PyTorch for TensorRT (no plan is built for it)."""
    return "torch" if runtime == "tensorrt" else runtime


def open_lifter(runtime: str, settings: dict[str, Any]) -> VideoPose3DLifter:
    """Load the lifter, whose weights must have been imported; settings override the manifest's."""
    manifest = find_manifest(VIDEOPOSE3D_MANIFEST, "lifter")
    file = find_live_weights() or manifest.weights[0]
    runtime = lifter_runtime(runtime)
    network = load_model(file, runtime, **{**manifest.runtimes[runtime], **settings})
    return VideoPose3DLifter(network, load_engine_body(), file.name == CAUSAL_WEIGHTS)
