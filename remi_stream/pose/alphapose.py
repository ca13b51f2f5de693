"""AlphaPose: key points of a body, with feet, face and hands for those models that know them.

Fang et al., "AlphaPose: whole-body regional multi-person pose estimation and tracking in real-time" (2022).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from remi_stream.geometry import box_of
from remi_stream.messages import Person
from remi_stream.models.manifest import Manifest
from remi_stream.pose.crops import HEIGHT, WIDTH, boxes_of, crop_from_picture, grown
from remi_stream.pose.engine import Crop, Engine, Pose
from remi_stream.pose.heatmaps import in_picture, means, peaks, unflipped
from remi_stream.pose.lifted import LiftedEngine
from remi_stream.pose.mirror import mirrored_joints
from remi_stream.pose.square import cut_all, cut_for
from remi_stream.pose.suppression import LEAST_INTEGRAL, LEAST_PEAK, Kept, suppress
from remi_stream.pose.videopose3d import live_weights, open_lifter
from remi_stream.runtimes.runtime import Runtime, load_weights
from remi_stream.skeletons import JOINTS

BODY = 17
"""Every model begins with COCO's joints."""
CONFIDENT = 0.4
"""A joint is part of the box if it scores this share of the person's score."""
CROWN = 0.7
"""How far the top of the head is above the nose, in distances from the shoulders' middle to the nose."""
FLESH = 0.04
"""How far the body reaches around its key points, in longest sides of their box."""
LEAST_SHOWN = 0.1
"""Share of the box's width and height that the picture shows, below which nobody is there."""
SMALLEST_PX = 20.0
"""A smaller body's box is not followed: the look stays where it was."""
NOWHERE = np.zeros((0, 3), np.float32)


class Decoding(NamedTuple):
    """integral: maps are decoded by their mass, not by their peaks. least_score: nobody is there below it (`certainty_of`).

    flip: maps are the mean with those of the mirrored crop; twice the work.
    """

    integral: bool
    least_score: float
    flip: bool = False


def open_engine(manifest: Manifest, runtime: str, settings: dict[str, Any]) -> Engine:
    """Load a pose network, and what lifts its key points if that is here; how maps are decoded is in the manifest's options."""
    own = ("integral", "least_score", "lift", "flip")
    options = {name: settings[name] for name in own}
    network = load_weights(manifest.weights[0], runtime, **{key: value for key, value in settings.items() if key not in own})
    decoding = Decoding(bool(options["integral"]), options["least_score"], bool(options["flip"]))
    engine = AlphaPose(manifest.name, network, manifest.skeleton, decoding)
    lift = options["lift"] and live_weights()
    return LiftedEngine(engine, open_lifter(runtime, {"threads": settings["threads"]})) if lift else engine


class AlphaPose:
    """Key points from upright crops, all people in one call; people who are found twice in a picture are merged."""

    memoryless = True

    def __init__(self, name: str, network: Runtime, skeleton: str, decoding: Decoding) -> None:
        self.name = name
        self.runtime_name = network.name
        self._network, self._skeleton, self._decoding = network, skeleton, decoding
        self._cut = cut_all if decoding.flip else cut_for(network)
        self._pairs = mirrored_joints(skeleton)

    def infer(self, crops: list[Crop]) -> list[Pose]:
        """Estimate a pose per crop, in order."""
        if not crops:
            return []
        points, scores = self._look(crops)
        certainty = certainty_of(scores)
        credible = [index for index, sure in enumerate(certainty) if sure >= self._decoding.least_score]
        people = self._people(crops, points, scores, credible)
        reasons = ["double" if index in credible else "doubt" for index in range(len(crops))]
        return [
            self._pose(crop, people[index]) if index in people else Pose(None, crop.box_xyxy, None, reasons[index])
            for index, crop in enumerate(crops)
        ]

    def _look(self, crops: list[Crop]) -> tuple[np.ndarray, np.ndarray]:
        """Key points (N, K, 2) px of the full pictures, and their scores (N, K), of every crop, in one call."""
        places = grown(np.array([crop.box_xyxy for crop in crops], np.float32))
        affines = np.stack([crop_from_picture(place) for place in places])
        pictures = self._cut([crop.image for crop in crops], affines, (WIDTH, HEIGHT))
        maps = self._maps(pictures)
        points, scores = means(maps) if self._decoding.integral else peaks(maps)
        return in_picture(points, boxes_of(places), (maps.shape[-1], maps.shape[-2])), np.clip(scores, 0, 1)

    def _maps(self, pictures: Any) -> np.ndarray:
        """Maps (N, K, height, width) of crops."""
        maps = self._network.run({"image": pictures})["heatmaps"]
        if not self._decoding.flip:
            return maps
        seen = maps.copy()  # what a network gives may be overwritten by its next run
        mirrored = self._network.run({"image": np.ascontiguousarray(pictures[:, :, ::-1])})["heatmaps"]
        return (seen + unflipped(mirrored, self._pairs, shift=True)) / 2

    def _people(self, crops: list[Crop], points: np.ndarray, scores: np.ndarray, credible: list[int]) -> dict[int, Kept]:
        """What suppression leaves of the credible poses of each picture, by the index of the crop."""
        boxes = np.array([crop.box_xyxy for crop in crops])
        least = LEAST_INTEGRAL if self._decoding.integral else LEAST_PEAK
        people = {}
        for picture in {id(crops[index].image) for index in credible}:
            own = np.array([index for index in credible if id(crops[index].image) == picture])
            people.update({int(own[one.pick]): one for one in suppress(points[own], scores[own], boxes[own], least)})
        return people

    def _pose(self, crop: Crop, found: Kept) -> Pose:
        """Make the message, unless next to nothing of the body is in the picture."""
        size = crop.image.shape[1], crop.image.shape[0]
        box = body_box(self._skeleton, found.points, found.scores)
        visible = np.clip(box, 0, np.array(size * 2, np.float32))
        sides = visible[2:] - visible[:2]
        if (sides < LEAST_SHOWN * (box[2:] - box[:2])).any():
            return Pose(None, crop.box_xyxy, None, "outside")
        person = Person(
            track_id=crop.track_id,
            score=float(certainty_of(found.scores)),
            box_xyxy=box,
            skeleton=self._skeleton,
            keypoints_px=found.points,
            keypoint_scores=found.scores,
            joints_m=NOWHERE,
        )
        return Pose(person, visible if sides.max() >= SMALLEST_PX else crop.box_xyxy)


def certainty_of(scores: np.ndarray) -> np.ndarray:
    """How sure people are, (...): mean score of the clearer half of the body's joints, of scores (..., K).

    Of somebody at a desk no more is to be seen. NaN where a score is.
    """
    return np.sort(scores[..., :BODY], -1)[..., BODY // 2 :].mean(-1)


def body_box(skeleton: str, points: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The box (4,) float32 px around the part of a body that is clear, with the crown and some flesh, of key points (K, 2) px."""
    clear = scores >= CONFIDENT * certainty_of(scores)
    corners = points[clear]
    nose, left, right = (JOINTS[skeleton].index(name) for name in ("nose", "left_shoulder", "right_shoulder"))
    if "head" not in JOINTS[skeleton] and clear[[nose, left, right]].all():
        crown = points[nose] + CROWN * (points[nose] - (points[left] + points[right]) / 2)
        corners = np.vstack([corners, crown])
    box = box_of(corners)
    flesh = FLESH * (box[2:] - box[:2]).max()
    return box + np.array([-flesh, -flesh, flesh, flesh], np.float32)
