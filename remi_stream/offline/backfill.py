"""Backfill: a person who was just found is followed back in time through the last frames.

The detector finds a person late who comes into the image, turns or rises. The engine's state follows the person from the first
pose backwards as it does forwards, until its gates reject a pose or another track has the body.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from remi_stream.messages import Frame, Person
from remi_stream.pose.engine import Engine
from remi_stream.tracking.crop import Crop, Pose
from remi_stream.tracking.occlusion import masked_image, mostly_occluded, occluders, occlusion_mask
from remi_stream.tracking.re_identification import person_depth_m
from remi_stream.tracking.tracker import is_same_body

MAX_BACK_S = 0.75
"""How far back a person is followed, s."""
MAX_KEPT_BYTES = 128 << 20
"""Images that are kept for it: 46 frames of 1280x720, 5 of 3840x2160."""


class PosedFrame(NamedTuple):
    """A frame with its poses, all accepted."""

    frame: Frame
    poses: list[Pose]

    @property
    def people(self) -> list[Person]:
        """The people, in the order of their tracks."""
        return [pose.person for pose in self.poses if pose.person is not None]

    @property
    def track_ids(self) -> set[int]:
        """Their track ids."""
        return {person.track_id for person in self.people}


class Backfill:
    """Keeps the last frames, and completes them with people who are found later."""

    def __init__(self, engine: Engine, max_people: int | None) -> None:
        self._engine, self._max_people = engine, max_people
        self._kept: deque[PosedFrame] = deque()

    def add(self, posed: PosedFrame) -> Iterator[PosedFrame]:
        """Add the next frame; yield the frames that are complete."""
        if self._kept:
            for pose in posed.poses:
                if pose.person is not None and pose.person.track_id not in self._kept[-1].track_ids:
                    self._follow_back(pose, posed.frame)
        self._kept.append(posed)
        while self._kept and self._is_complete(self._kept[0], posed.frame):
            yield self._kept.popleft()

    def rest(self) -> Iterator[PosedFrame]:
        """Yield the frames that are still kept."""
        while self._kept:
            yield self._kept.popleft()

    def _is_complete(self, oldest: PosedFrame, newest: Frame) -> bool:
        return (
            newest.captured_at - oldest.frame.captured_at > MAX_BACK_S or len(self._kept) * newest.image.nbytes > MAX_KEPT_BYTES
        )

    def _follow_back(self, pose: Pose, found_in: Frame) -> None:
        """Follow a person back from the first pose, and add the poses to the kept frames."""
        for posed in reversed(self._kept):
            assert pose.person is not None
            if pose.person.track_id in posed.track_ids or len(posed.people) == self._max_people:
                return
            pose = self._pose_before(pose, pose.person, posed, found_in.captured_at)
            if pose.person is None or any(is_same_body(pose, other) for other in posed.poses):
                return
            posed.poses.append(pose)

    def _pose_before(self, pose: Pose, person: Person, posed: PosedFrame, found_at: float) -> Pose:
        """Estimate a person in the frame before the one of a pose. found_at: time of the first pose, s."""
        frame = posed.frame
        assert frame.intrinsics
        front = occluders(pose.next_box_xyxy, person_depth_m(person), posed.people)
        mask = occlusion_mask(frame.size, front, frame.intrinsics[0]) if front else None
        image = frame.image if mask is None else masked_image(frame.image, pose.next_box_xyxy, mask)
        # for the engine time runs on: it is mirrored at the first pose
        at = 2 * found_at - frame.captured_at
        crop = Crop(image, pose.next_box_xyxy, person.track_id, at, frame.intrinsics, pose.state, pose.circle_px)
        before = self._engine.infer([crop])[0]
        if before.person is None or (mask is not None and mostly_occluded(before.person, mask)):
            return before._replace(person=None)
        return before._replace(person=msgspec.structs.replace(before.person, track_id=person.track_id))
