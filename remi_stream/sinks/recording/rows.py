"""Fixed rows of bytes: what is written while a recording grows, since a torn end of such a file costs one row at most."""

from __future__ import annotations

import numpy as np

from remi_stream.messages import Bodies, Frame, Message, Person

BODIES = ("", "smpl", "open")
"""Smpl.body by its number in a row; 0 where the person has no SMPL pose."""

_WHEN = (("epoch", "<i8"), ("frame_id", "<i8"), ("captured_at", "<f8"))

FRAME = np.dtype([*_WHEN, ("people", "<i4")])
PREVIEW = np.dtype([*_WHEN, ("shown_at", "<f8")])


def person_layout(joints: int, keypoints: int) -> np.dtype:
    """The row of a person with so many joints and key points; the fields are those of Person and Smpl."""
    return np.dtype(
        [
            *_WHEN,
            ("score", "<f4"),
            ("box_xyxy", "<f4", (4,)),
            ("keypoints_px", "<f4", (keypoints, 2)),
            ("keypoint_scores", "<f4", (keypoints,)),
            ("joints_m", "<f4", (joints, 3)),
            ("body", "u1"),
            ("global_orient", "<f4", (3,)),
            ("body_pose", "<f4", (69,)),
            ("betas", "<f4", (10,)),
            ("transl", "<f4", (3,)),
            ("joint_confidence", "<f4", (24,)),
        ]
    )


def frame_row(bodies: Bodies) -> bytes:
    """When a frame was captured and how many people are in it."""
    return np.array((*_when(bodies), len(bodies.people)), FRAME).tobytes()


def preview_row(frame: Frame, shown_at: float) -> bytes:
    """Which frame a picture of the video is; shown_at: seconds in the video."""
    return np.array((*_when(frame), shown_at), PREVIEW).tobytes()


def person_row(bodies: Bodies, person: Person, layout: np.dtype) -> bytes:
    """A person in a frame; NaN for everything of SMPL if there is no SMPL pose."""
    row = np.zeros((), layout)
    row["epoch"], row["frame_id"], row["captured_at"] = _when(bodies)
    for name in ("score", "box_xyxy", "keypoints_px", "keypoint_scores", "joints_m"):
        row[name] = getattr(person, name)
    row["body"] = BODIES.index(person.smpl.body if person.smpl else "")
    for name in ("global_orient", "body_pose", "betas", "transl", "joint_confidence"):
        row[name] = getattr(person.smpl, name) if person.smpl else np.nan
    return row.tobytes()


def _when(message: Message) -> tuple[int, int, float]:
    return message.epoch, message.frame_id, message.captured_at
