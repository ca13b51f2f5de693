"""VideoPose3D lifter, live: 3D joints from the last seconds of a person's 2D key points, and a SMPL body fitted to them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from remi_stream.body.h36m import SOURCE, H36mFitter, scores_of
from remi_stream.body.ik import Memory
from remi_stream.body.smpl import Body
from remi_stream.body.smpl_file import body_for_engines
from remi_stream.body.translation import translation
from remi_stream.geometry import Intrinsics
from remi_stream.models.manifest import ModelFile, find_manifest
from remi_stream.models.store import fault
from remi_stream.networks.network import find_network
from remi_stream.pose.history import History, begun, extended, resampled
from remi_stream.pose.lift import KEYPOINTS, normalise, padded, padding
from remi_stream.pose.lifter import Lifted
from remi_stream.runtimes.runtime import Runtime, load_weights
from remi_stream.skeletons import JOINTS, LIMB_JOINTS, indices

MANIFEST, SYMMETRIC, CAUSAL = "videopose3d", "videopose3d", "videopose3d_causal"
"""The manifest, and the names of its two weight files."""
WINDOW: int = find_network(CAUSAL).inputs["keypoints"][0]
"""Receptive field of the network, frames."""
RATE_HZ = 50.0
"""Frame rate of the published network's training data (Human3.6M)."""
COUNT = len(JOINTS[KEYPOINTS])
LIMBS = indices(KEYPOINTS, LIMB_JOINTS)
CLEAR, LEAST_CLEAR = 0.2, 4
"""Least score, and least number, of limb key points from which the translation is estimated."""
NEAREST_M = 0.2
"""Least depth of a joint."""
NOTHING = np.zeros((0, 3), np.float32)
"""No 3D joints."""


class State(NamedTuple):
    """State of a track between frames."""

    history: History
    """Normalised key points of the receptive field."""
    memory: Memory | None
    """State of inverse kinematics, if it has been solved."""
    solved_at: float
    """Capture time of `memory`, s."""


class VideoPose3D:
    """Lifts key points that begin with COCO's 17.

    causal: the network's output belongs to the last frame of its window. A symmetric network's output belongs to the middle
    frame; the future half of its window is then filled with the last frame, as if the person stood still.
    """

    def __init__(self, network: Runtime, body: Body, causal: bool = True) -> None:
        self.name = network.name
        self._network, self._fitter = network, H36mFitter(body)
        self._ahead = padding(WINDOW, causal)[1]

    def lift(
        self,
        track_state: object | None,
        keypoints_px: np.ndarray,
        scores: np.ndarray,
        size: tuple[int, int],
        intrinsics: Intrinsics,
        captured_at: float,
    ) -> Lifted:
        """See Lifter: the network's root-relative H36M joints, translated so that they project onto the key points."""
        pixels, coco_scores = keypoints_px[:COUNT], scores[:COUNT].astype(float)
        before = track_state if isinstance(track_state, State) and track_state.history.continues(captured_at) else None
        history = remember(before.history if before else None, normalise(pixels, size), captured_at)
        joints = self._joints(history)
        transl = distance(joints, pixels, coco_scores, intrinsics)
        if transl is None:
            return Lifted(NOTHING, None, State(history, *(before[1:] if before else (None, 0.0))))
        memory, elapsed = (before.memory, captured_at - before.solved_at) if before else (None, 0.0)
        fit = self._fitter.fit(joints + transl, scores_of(coco_scores), memory, elapsed)
        return Lifted((joints + transl).astype(np.float32), fit.smpl, State(history, fit.memory, captured_at))

    def _joints(self, history: History) -> np.ndarray:
        """Return the joints (17, 3), m, camera axes, relative to the hip, of the history's last frame."""
        window = padded(resampled(history, WINDOW - self._ahead, 1 / RATE_HZ), 0, self._ahead)
        found = self._network.run({"keypoints": np.ascontiguousarray(window[None])})["joints"][0]
        return found[-1 if self._ahead == 0 else len(found) // 2].astype(float)


def remember(history: History | None, points: np.ndarray, at: float) -> History:
    """Append a frame to the history, or start one."""
    return extended(history, points, at, (WINDOW - 1) / RATE_HZ) if history else begun(points, at)


def distance(joints: np.ndarray, pixels: np.ndarray, scores: np.ndarray, intrinsics: Intrinsics) -> np.ndarray | None:
    """Return the translation (3,) m that projects H36M joints (17, 3), m, onto COCO's pixels (17, 2); scores: (17,).

    None if too few key points are confident, or if the body would not be in front of the camera.
    """
    if (scores[LIMBS] >= CLEAR).sum() < LEAST_CLEAR:
        return None
    transl = translation(joints[SOURCE], pixels[LIMBS].astype(float), scores[LIMBS] ** 2, intrinsics)
    return transl if (joints[:, 2] + transl[2]).min() > NEAREST_M else None


def live_weights() -> ModelFile | None:
    """Return the imported weights for live lifting: the causal network's, else the symmetric one's, else None."""
    files = {file.name: file for file in find_manifest(MANIFEST, "lifter").weights}
    return next((files[name] for name in (CAUSAL, SYMMETRIC) if not fault(files[name])), None)


def lifts_in(runtime: str) -> str:
    """Return the lifter's runtime for an engine's runtime: the same one, but PyTorch for TensorRT (no plan is built for it)."""
    return "torch" if runtime == "tensorrt" else runtime


def open_lifter(runtime: str, settings: dict[str, Any]) -> VideoPose3D:
    """Load the lifter, whose weights must have been imported; settings override the manifest's."""
    manifest = find_manifest(MANIFEST, "lifter")
    file = live_weights() or manifest.weights[0]
    runtime = lifts_in(runtime)
    network = load_weights(file, runtime, **{**manifest.runtimes[runtime], **settings})
    return VideoPose3D(network, body_for_engines(), file.name == CAUSAL)
