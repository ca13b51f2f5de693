"""VideoPose3D, live: joints in space from the last seconds of a person's 2D key points, and a SMPL body that follows them."""

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
"""The manifest, and what its two files of weights are called."""
WINDOW: int = find_network(CAUSAL).inputs["keypoints"][0]
"""Frames that the network sees."""
RATE_HZ = 50.0
"""Of the recordings that the published network was trained with."""
COUNT = len(JOINTS[KEYPOINTS])
LIMBS = indices(KEYPOINTS, LIMB_JOINTS)
CLEAR, LEAST_CLEAR = 0.2, 4
"""So sure, and so many, must joints of the limbs be for a person's distance to be known."""
NEAREST_M = 0.2
NOTHING = np.zeros((0, 3), np.float32)


class State(NamedTuple):
    """What a track carries from frame to frame. memory: what inverse kinematics held at solved_at, s."""

    history: History
    memory: Memory | None
    solved_at: float


class VideoPose3D:
    """Lifts people whose key points begin with COCO's 17, or are these.

    causal: whether the network gives the joints of its window's last frame. One that gives the middle frame's is shown the
    last pose for the rest of the window, as if the person stood still from now on.
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
        """See Lifter: joints of H36M as the network has them, moved to where they are seen in the picture."""
        pixels, sure = keypoints_px[:COUNT], scores[:COUNT].astype(float)
        before = track_state if isinstance(track_state, State) and track_state.history.continues(captured_at) else None
        history = remember(before.history if before else None, normalise(pixels, size), captured_at)
        joints = self._joints(history)
        away = distance(joints, pixels, sure, intrinsics)
        if away is None:
            return Lifted(NOTHING, None, State(history, *(before[1:] if before else (None, 0.0))))
        memory, elapsed = (before.memory, captured_at - before.solved_at) if before else (None, 0.0)
        fit = self._fitter.fit(joints + away, scores_of(sure), memory, elapsed)
        return Lifted((joints + away).astype(np.float32), fit.smpl, State(history, fit.memory, captured_at))

    def _joints(self, history: History) -> np.ndarray:
        """The joints (17, 3), m, camera axes, around the hip, in the history's last frame."""
        seen = padded(resampled(history, WINDOW - self._ahead, 1 / RATE_HZ), 0, self._ahead)
        found = self._network.run({"keypoints": np.ascontiguousarray(seen[None])})["joints"][0]
        return found[-1 if self._ahead == 0 else len(found) // 2].astype(float)


def remember(history: History | None, points: np.ndarray, at: float) -> History:
    """The history with one more frame, or one that begins with it."""
    return extended(history, points, at, (WINDOW - 1) / RATE_HZ) if history else begun(points, at)


def distance(joints: np.ndarray, pixels: np.ndarray, scores: np.ndarray, intrinsics: Intrinsics) -> np.ndarray | None:
    """Where joints (17, 3), m, of H36M are to be moved, (3,) m, so that they are seen at COCO's pixels (17, 2); scores: (17,).

    None if too few are clear, or if that is not before the camera.
    """
    if (scores[LIMBS] >= CLEAR).sum() < LEAST_CLEAR:
        return None
    away = translation(joints[SOURCE], pixels[LIMBS].astype(float), scores[LIMBS] ** 2, intrinsics)
    return away if (joints[:, 2] + away[2]).min() > NEAREST_M else None


def live_weights() -> ModelFile | None:
    """The weights that people are lifted with, if any are here: the causal network's, else the symmetric one's."""
    files = {file.name: file for file in find_manifest(MANIFEST, "lifter").weights}
    return next((files[name] for name in (CAUSAL, SYMMETRIC) if not fault(files[name])), None)


def lifts_in(runtime: str) -> str:
    """The runtime of the lifter beside an engine's: the same one, but PyTorch beside TensorRT, for which no plan is built."""
    return "torch" if runtime == "tensorrt" else runtime


def open_lifter(runtime: str, settings: dict[str, Any]) -> VideoPose3D:
    """Load the lifter; its weights must be here. settings: those that are not to be as the manifest has them."""
    manifest = find_manifest(MANIFEST, "lifter")
    file = live_weights() or manifest.weights[0]
    runtime = lifts_in(runtime)
    network = load_weights(file, runtime, **{**manifest.runtimes[runtime], **settings})
    return VideoPose3D(network, body_for_engines(), file.name == CAUSAL)
