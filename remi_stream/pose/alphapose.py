"""AlphaPose engine, with its parametric pose NMS: 2D key points of a body; whole-body models add feet, face and hands.

Fang et al., "AlphaPose: whole-body regional multi-person pose estimation and tracking in real-time" (2022).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from remi_stream.geometry import box_with_margin
from remi_stream.inference.load import load_model
from remi_stream.inference.runtime import Runtime
from remi_stream.messages import Person
from remi_stream.models.manifest import Manifest
from remi_stream.pose.crop import (
    ALPHAPOSE_HEIGHT,
    ALPHAPOSE_WIDTH,
    alphapose_affine,
    alphapose_crops,
    boxes_from_crops,
    crop_function,
    warp_crops,
)
from remi_stream.pose.engine import Engine
from remi_stream.pose.heatmaps import decode_argmax, decode_soft_argmax, heatmap_to_image, mirror_joint_pairs, unflip_heatmaps
from remi_stream.pose.lifting.engine import LiftingEngine
from remi_stream.pose.videopose3d import find_live_weights, open_lifter
from remi_stream.skeletons import JOINT_NAMES
from remi_stream.tracking.crop import Crop, Pose

# Parametric pose NMS: of several poses of one body the best is kept, and the others are averaged into it.
#
# Fang et al., "RMPE: regional multi-person pose estimation" (2017): poses are similar if many joints are close and confident.
# Sums over joints are scaled to at most 26, so that face and hands do not outweigh the body. Values are AlphaPose's.

REFERENCE_DISTANCE = 0.1
"""Reference distance of joints, in longest sides of the box."""
MAX_MATCH_PX, MAX_MERGE_PX = 7.0, 15.0
"""Largest distance of joints that match, and of joints that are averaged."""
SCORE_SCALE, DISTANCE_SCALE = 1.0, 2.65
"""Scales of the scores and of the squared distances (sigma 1 and 2 of the paper)."""
DISTANCE_WEIGHT = 1.7
"""Weight of the distances relative to the scores (lambda)."""
MIN_SIMILARITY = 22.48
"""Least similarity of poses of the same body (gamma in AlphaPose's code)."""
MIN_MATCHING_JOINTS = 5
"""Matching joints from which poses are of the same body whatever their similarity."""
MAX_COUNTED_JOINTS = 26
"""Joints to which sums are scaled."""
MIN_SCORE_ARGMAX, MIN_SCORE_SOFT_ARGMAX = 0.3, 0.01
"""Least score of a pose's best joint: heatmap peak, and soft-argmax of whole-body models, which score lower."""


class MergedPose(NamedTuple):
    """The pose of one body that NMS keeps."""

    best: int
    """Index of the best pose."""
    merged: tuple[int, ...]
    """Indices of all poses averaged into it, ascending."""
    points: np.ndarray
    """(K, 2) px, average weighted by score."""
    scores: np.ndarray
    """(K,), average weighted by score."""


def pose_nms(points: np.ndarray, scores: np.ndarray, boxes_xyxy: np.ndarray, least_score: float) -> list[MergedPose]:
    """Return one pose per body, best first, of poses (N, K, 2) px with scores (N, K), estimated in boxes (N, 4) px."""
    rest, kept = np.arange(len(points)), []
    while len(rest):
        pick = rest[scores[rest].mean(1).argmax()]
        reach = REFERENCE_DISTANCE * float((boxes_xyxy[pick, 2:] - boxes_xyxy[pick, :2]).max())
        alike = similar_poses(points[pick], scores[pick], points[rest], scores[rest], reach) | (rest == pick)
        kept.append(_merge(pick, rest[alike], points, scores, min(reach, MAX_MERGE_PX)))
        rest = rest[~alike]
    return [one for one in kept if one.scores.max() >= least_score]


def similar_poses(
    point: np.ndarray, score: np.ndarray, points: np.ndarray, scores: np.ndarray, reference_px: float
) -> np.ndarray:
    """Return which of poses (N, K, 2), scores (N, K) are of the same body as one (K, 2), (K,): (N,) bool. reference_px: px."""
    distances = np.sqrt(((points - point) ** 2).sum(-1))
    share = min(1.0, MAX_COUNTED_JOINTS / distances.shape[1])
    confident = np.tanh(score / SCORE_SCALE) * np.tanh(scores / SCORE_SCALE) * (distances <= reference_px)
    near = np.exp(-((distances / max(reference_px, 1e-6)) ** 2) / DISTANCE_SCALE)
    similarity = share * (confident + DISTANCE_WEIGHT * near).sum(1)
    matches = share * (distances <= min(reference_px, MAX_MATCH_PX)).sum(1)
    alike: np.ndarray = (similarity > MIN_SIMILARITY) | (matches >= MIN_MATCHING_JOINTS)
    return alike


def _merge(pick: int, merged: np.ndarray, points: np.ndarray, scores: np.ndarray, reach: float) -> MergedPose:
    """Average the joints of the merged poses that are near those of the best one."""
    distances = np.sqrt(((points[merged] - points[pick]) ** 2).sum(-1))
    # the floor: joints without any score are averaged alike, not 0 / 0
    weights = np.maximum(scores[merged], 1e-12) * (distances <= reach)
    weights = weights / weights.sum(0)
    averaged = (weights[..., None] * points[merged]).sum(0).astype(np.float32)
    return MergedPose(int(pick), tuple(merged.tolist()), averaged, (weights * scores[merged]).sum(0).astype(np.float32))


COCO_JOINT_COUNT = 17
"""Number of COCO's joints, with which every model's key points begin."""
CONFIDENT_RATIO = 0.4
"""A key point counts for the bounding box if its score is at least this share of the person's score."""
HEAD_TOP_RATIO = 0.7
"""Height of the top of the head above the nose, in distances from the shoulders' middle to the nose."""
BODY_MARGIN = 0.04
"""Margin of the body around its key points, in longest sides of their box."""
MIN_VISIBLE_SHARE = 0.1
"""Least share of the box's width and height inside the image; a pose below it is rejected."""
MIN_SIDE_PX = 20.0
"""Smallest box that becomes the next frame's box; below it the crop stays where it was."""
NO_JOINTS = np.zeros((0, 3), np.float32)
"""No 3D joints."""


class HeatmapDecoding(NamedTuple):
    """How heatmaps are decoded; values from the manifest's options."""

    use_soft_argmax: bool
    """Soft-argmax instead of argmax."""
    least_score: float
    """Least person score (`person_score`); a pose below it is rejected."""
    flip: bool = False
    """Average with the heatmaps of the mirrored crop (test-time augmentation); doubles the work."""


def open_engine(manifest: Manifest, runtime: str, settings: dict[str, Any]) -> Engine:
    """Load an AlphaPose network; with the option `lift` and imported weights, add the VideoPose3D lifter."""
    own = ("integral", "least_score", "lift", "flip")
    options = {name: settings[name] for name in own}
    network = load_model(manifest.weights[0], runtime, **{key: value for key, value in settings.items() if key not in own})
    decoding = HeatmapDecoding(bool(options["integral"]), options["least_score"], bool(options["flip"]))
    engine = AlphaPoseEngine(manifest.name, network, manifest.skeleton, decoding)
    # `lift` is on by default: without imported weights the key points are published as they are
    lift = options["lift"] and find_live_weights()
    return LiftingEngine(engine, open_lifter(runtime, {"threads": settings["threads"]})) if lift else engine


class AlphaPoseEngine:
    """Key points from affine crops, all people in one batch, with pose NMS per image."""

    is_stateless = True
    has_gates = False

    def __init__(self, name: str, network: Runtime, skeleton: str, decoding: HeatmapDecoding) -> None:
        self.name = name
        self.runtime_name = network.name
        self._network, self._skeleton, self._decoding = network, skeleton, decoding
        # flip mirrors the crops in NumPy, so they must not be on a GPU
        self._warp_crops = warp_crops if decoding.flip else crop_function(network)
        self._pairs = mirror_joint_pairs(skeleton)

    def infer(self, crops: list[Crop]) -> list[Pose]:
        """Estimate a pose per crop, in order."""
        if not crops:
            return []
        points, scores = self._keypoints(crops)
        accepted = [index for index, score in enumerate(person_score(scores)) if score >= self._decoding.least_score]
        people = self._suppress(crops, points, scores, accepted)
        reasons = ["double" if index in accepted else "doubt" for index in range(len(crops))]
        return [
            self._pose(crop, people[index]) if index in people else Pose(None, crop.box_xyxy, None, reasons[index])
            for index, crop in enumerate(crops)
        ]

    def _keypoints(self, crops: list[Crop]) -> tuple[np.ndarray, np.ndarray]:
        """Return key points (N, K, 2) px of the full images, and scores (N, K), in one batch."""
        rects = alphapose_crops(np.array([crop.box_xyxy for crop in crops], np.float32))
        affines = np.stack([alphapose_affine(rect) for rect in rects])
        maps = self._heatmaps(self._warp_crops([crop.image for crop in crops], affines, (ALPHAPOSE_WIDTH, ALPHAPOSE_HEIGHT)))
        points, scores = decode_soft_argmax(maps) if self._decoding.use_soft_argmax else decode_argmax(maps)
        # peaks of heatmaps without a sigmoid may leave [0, 1]
        return heatmap_to_image(points, boxes_from_crops(rects), (maps.shape[-1], maps.shape[-2])), np.clip(scores, 0, 1)

    def _heatmaps(self, images: Any) -> np.ndarray:
        """Return the heatmaps (N, K, height, width) of crops (N, 256, 192, 3) uint8 RGB."""
        maps = self._network.run({"image": images})["heatmaps"]
        if not self._decoding.flip:
            return maps
        plain = maps.copy()  # the next run may overwrite a network's outputs
        mirrored = self._network.run({"image": np.ascontiguousarray(images[:, :, ::-1])})["heatmaps"]
        return (plain + unflip_heatmaps(mirrored, self._pairs, shift=True)) / 2

    def _suppress(self, crops: list[Crop], points: np.ndarray, scores: np.ndarray, accepted: list[int]) -> dict[int, MergedPose]:
        """Apply pose NMS per image to the accepted poses; return the kept ones by the index of their crop."""
        boxes = np.array([crop.box_xyxy for crop in crops])
        least = MIN_SCORE_SOFT_ARGMAX if self._decoding.use_soft_argmax else MIN_SCORE_ARGMAX
        people = {}
        # crops of one frame share the image object; offline, a batch may hold crops of several frames
        for image in {id(crops[index].image) for index in accepted}:
            own = np.array([index for index in accepted if id(crops[index].image) == image])
            people.update({int(own[one.best]): one for one in pose_nms(points[own], scores[own], boxes[own], least)})
        return people

    def _pose(self, crop: Crop, found: MergedPose) -> Pose:
        """Make the Person, or reject a pose that is almost entirely outside the image."""
        size = crop.image.shape[1], crop.image.shape[0]
        box = keypoint_box(self._skeleton, found.points, found.scores)
        visible = np.clip(box, 0, np.array(size * 2, np.float32))
        sides = visible[2:] - visible[:2]
        if (sides < MIN_VISIBLE_SHARE * (box[2:] - box[:2])).any():
            return Pose(None, crop.box_xyxy, None, "outside")
        person = Person(
            track_id=crop.track_id,
            score=float(person_score(found.scores)),
            box_xyxy=box,
            skeleton=self._skeleton,
            keypoints_px=found.points,
            keypoint_scores=found.scores,
            joints_m=NO_JOINTS,
        )
        return Pose(person, visible if sides.max() >= MIN_SIDE_PX else crop.box_xyxy)


def person_score(scores: np.ndarray) -> np.ndarray:
    """Return the score (...) of each person: the mean of the larger half of the body's joint scores, of scores (..., K).

    Only half, since a person at a desk shows no more. NaN where a score is NaN.
    """
    return np.sort(scores[..., :COCO_JOINT_COUNT], -1)[..., COCO_JOINT_COUNT // 2 :].mean(-1)


def keypoint_box(skeleton: str, points: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the bounding box (4,) float32 px of the confident key points (K, 2) px, with the top of the head and a margin."""
    confident = scores >= CONFIDENT_RATIO * person_score(scores)
    corners = points[confident]
    nose, left, right = (JOINT_NAMES[skeleton].index(name) for name in ("nose", "left_shoulder", "right_shoulder"))
    if "head" not in JOINT_NAMES[skeleton] and confident[[nose, left, right]].all():
        crown = points[nose] + HEAD_TOP_RATIO * (points[nose] - (points[left] + points[right]) / 2)
        corners = np.vstack([corners, crown])
    return box_with_margin(corners, BODY_MARGIN)
