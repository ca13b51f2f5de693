"""VideoPose3D: lifts clips of 2D key points to 3D joints; live, the last seconds of a track, with a SMPL body fitted to them.

Pavllo et al., "3D human pose estimation in video with temporal convolutions and semi-supervised training" (2019).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from remi_stream.body.ik.joints import H36M_LIMBS, H36mFitter, h36m_scores_from_coco
from remi_stream.body.ik.solver import IkState
from remi_stream.body.known_bodies import load_engine_body
from remi_stream.body.smpl import Body, fit_translation
from remi_stream.geometry import Intrinsics
from remi_stream.inference.load import load_model
from remi_stream.inference.runtime import Runtime
from remi_stream.models.manifest import ModelFile, find_manifest
from remi_stream.models.store import file_fault
from remi_stream.networks.network import find_network
from remi_stream.pose.lifting.engine import INPUT_SKELETON, OUTPUT_SKELETON, LiftedPose
from remi_stream.skeletons import JOINT_NAMES, LIMB_JOINTS, joint_indices, left_right_pairs

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
        """See `Lifter`: the network's root-relative H36M joints, translated so that they project onto the key points."""
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
        # a network for whole clips returns several frames
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


# Key-point history of a track, resampled to a fixed frame rate by linear interpolation.

MAX_GAP_S = 1.0
"""After a longer gap the history restarts."""


class KeypointHistory(NamedTuple):
    """The key points of one track in its last frames."""

    times: np.ndarray
    """(n,) float64 s, rising: capture times."""
    points: np.ndarray
    """(n, K, 2) float32."""

    def is_continued_at(self, at: float) -> bool:
        """Return whether a frame captured at this time, s, continues the history."""
        return 0 < at - self.times[-1] <= MAX_GAP_S


def start_history(points: np.ndarray, at: float) -> KeypointHistory:
    """Start a history with the points (K, 2) of one frame."""
    return KeypointHistory(np.array([at]), points[None])


def extend_history(history: KeypointHistory, points: np.ndarray, at: float, length_s: float) -> KeypointHistory:
    """Append a frame, and drop frames that the last length_s seconds do not need."""
    first = max(0, int(np.searchsorted(history.times, at - length_s, side="right")) - 1)
    return KeypointHistory(np.append(history.times[first:], at), np.concatenate([history.points[first:], points[None]]))


def resample_history(history: KeypointHistory, count: int, step_s: float) -> np.ndarray:
    """Resample to points (count, K, 2) float32, step_s apart, ending at the last frame.

    Linear interpolation between frames; before the first frame its points are repeated.
    """
    if len(history.times) == 1:
        return history.points.repeat(count, 0)
    times = history.times[-1] - step_s * np.arange(count - 1, -1, -1)
    after = np.clip(np.searchsorted(history.times, times), 1, len(history.times) - 1)
    start, end = history.times[after - 1], history.times[after]
    share = np.clip((times - start) / (end - start), 0, 1).astype(np.float32)[:, None, None]
    found: np.ndarray = history.points[after - 1] * (1 - share) + history.points[after] * share
    return found


# Clips as the network takes them: normalisation, padding, flip augmentation, chunks.

LiftNetwork = Callable[[np.ndarray], np.ndarray]
"""The network: normalised key points (B, F, 17, 2) float32 -> joints (B, F - receptive field + 1, 17, 3) float32, m."""


def normalise_keypoints(keypoints_px: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Normalise key points (..., 2) px, float32: x to -1..1, y on the same scale; size: (width, height) px of the image."""
    width, height = size
    return (keypoints_px / width * 2 - np.array([1, height / width])).astype(np.float32)


def lift_clip(run: LiftNetwork, keypoints: np.ndarray, *, is_causal: bool, receptive_field: int, flip: bool) -> np.ndarray:
    """Lift a normalised clip (F, 17, 2) to joints (F, 17, 3) float32, m, camera axes, relative to the hip.

    The first and the last frame are repeated. flip: average with the mirrored clip's joints (test-time augmentation).
    """
    clip = pad_clip(keypoints, *clip_padding(receptive_field, is_causal))
    if not flip:
        return run(clip[None])[0]
    plain, turned = run(np.stack([clip, mirror_points(clip, INPUT_SKELETON)]))
    joints: np.ndarray = (plain + mirror_points(turned, OUTPUT_SKELETON)) / 2
    return joints


def clip_padding(receptive_field: int, is_causal: bool) -> tuple[int, int]:
    """Return the frames to pad before and behind a clip. is_causal: outputs belong to the window's last frame, not its middle."""
    around = receptive_field - 1
    return (around, 0) if is_causal else (around // 2, around - around // 2)


def pad_clip(clip: np.ndarray, before: int, behind: int) -> np.ndarray:
    """Pad a clip (F, ...) by repeating its first and its last frame."""
    return np.concatenate([clip[:1].repeat(before, 0), clip, clip[-1:].repeat(behind, 0)])


def mirror_points(points: np.ndarray, skeleton: str) -> np.ndarray:
    """Mirror points (..., J, 2 or 3): negate x, swap left and right joints."""
    order = np.arange(points.shape[-2])
    for left, right in left_right_pairs(JOINT_NAMES[skeleton]):
        order[[left, right]] = right, left
    turned = points[..., order, :]
    turned[..., 0] *= -1
    return turned


def run_in_chunks(
    run: LiftNetwork, receptive_field: int, frames: int, on_progress: Callable[[int], object] = lambda done: None
) -> LiftNetwork:
    """Wrap a network with a fixed clip length to take any clip, in chunks; also for clips that do not fit into memory.

    on_progress: called with the number of outputs done.
    """
    step = frames - receptive_field + 1

    def run_all(clips: np.ndarray) -> np.ndarray:
        count = clips.shape[1] - receptive_field + 1
        parts = []
        for piece in split_into_chunks(clips, frames, step, count):
            parts.append(run(piece).copy())  # the next run may overwrite the outputs
            on_progress(min(step * len(parts), count))
        return np.concatenate(parts, axis=1)[:, :count]

    return run_all


def split_into_chunks(clips: np.ndarray, frames: int, step: int, count: int) -> Iterator[np.ndarray]:
    """Split clips (B, F, ...) into overlapping chunks of this length, a step apart; the last frame pads the last chunk."""
    # a whole number of chunks, since a converted network takes one clip length only
    missing = -count % step
    extended = np.concatenate([clips, clips[:, -1:].repeat(missing, 1)], axis=1)
    for start in range(0, count, step):
        yield np.ascontiguousarray(extended[:, start : start + frames])
