"""People to draw: in a T-pose, at given positions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from remi_stream.body.known_bodies import known_body, message_body_name
from remi_stream.geometry import bounding_box, project
from remi_stream.messages import Bodies, Person, Smpl
from remi_stream.recordings.take import Take

SIZE = (320, 240)
INTRINSICS = (300.0, 310.0, 150.0, 125.0)
UPRIGHT = np.array([np.pi, 0, 0], np.float32)


def somebody(track_id: int, at: tuple[float, float, float], intrinsics: tuple[float, ...] = INTRINSICS) -> Person:
    """A person with the pelvis at a position, m, facing the camera."""
    body, none = known_body(), np.zeros(69, np.float32)
    transl = (np.array(at) - body.rest_joints(np.zeros(10))[0]).astype(np.float32)
    joints = body.joints(UPRIGHT, none, np.zeros(10), transl)
    fx, fy, cx, cy = intrinsics
    points = project(joints, (fx, fy, cx, cy)).astype(np.float32)
    return Person(
        track_id=track_id,
        score=1.0,
        box_xyxy=bounding_box(points),
        skeleton="smpl24",
        keypoints_px=points,
        keypoint_scores=np.ones(24, np.float32),
        joints_m=joints.astype(np.float32),
        smpl=Smpl(
            body=message_body_name(body),
            global_orient=UPRIGHT,
            body_pose=none,
            betas=np.zeros(10, np.float32),
            transl=transl,
            joint_confidence=np.ones(24, np.float32),
        ),
    )


def frame(frame_id: int = 0, at: float = 0.0, people: list[Person] | None = None, size: tuple[int, int] = SIZE) -> Bodies:
    """A frame with these people; without any, with one in the middle."""
    if people is None:
        people = [somebody(1, (0.0, 0.2, 4.0))]
    return Bodies(
        camera="film",
        epoch=0,
        frame_id=frame_id,
        captured_at=at,
        engine="synthetic",
        size=size,
        intrinsics=INTRINSICS,
        people=people,
    )


def take(frames: list[Bodies], source: Path | None = None, images: tuple[str, ...] = ()) -> Take:
    """A take of these frames, 30 fps."""
    return Take("walk", frames[0].size, 30.0, frames, images, source)
