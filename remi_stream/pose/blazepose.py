"""rough"""
from typing import NamedTuple

from remi_stream.geometry import box_of
from remi_stream.messages import Person
from remi_stream.pose.engine import Crop, Pose
from remi_stream.pose.landmarks import look
from remi_stream.pose.region import Follower, follow, region_around, region_of


class State(NamedTuple):
    follower: Follower


class BlazePose:
    name = "blazepose"

    def __init__(self, network):
        self._network = network
        self.runtime_name = network.name

    def infer(self, crops: list[Crop]) -> list[Pose]:
        return [self._pose(crop) for crop in crops]

    def _pose(self, crop):
        state = crop.state
        if state is None:
            first = look(self._network, crop.image, region_around(crop.box_xyxy))
            region = region_of(first.circle)
        else:
            region = state.follower.region()
        seen = look(self._network, crop.image, region)
        if seen.flag < 0.5:
            return Pose(None, crop.box_xyxy, None, "presence")
        f = follow(state.follower if state else None, seen.circle, crop.captured_at)
        box = box_of(seen.pixels)
        depth = crop.intrinsics[0] * 1.6 / max(box[3] - box[1], 1)
        person = Person(track_id=crop.track_id, score=seen.flag, box_xyxy=box, skeleton="blazepose33",
            keypoints_px=seen.pixels.astype("float32"), keypoint_scores=seen.visibility.astype("float32"),
            joints_m=(seen.world + [0, 0, depth]).astype("float32"))
        return Pose(person, box, State(f))
