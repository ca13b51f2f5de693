"""Row files of the journal: fixed-size binary rows, so that a torn end costs one row at most."""

from __future__ import annotations

import numpy as np

from remi_stream.messages import Bodies, Frame, FrameMessage, Person

BODY_CODES = ("", "smpl", "open")
"""Smpl.body by its code in a row; code 0: no SMPL pose."""

_FRAME_KEY = (("epoch", "<i8"), ("frame_id", "<i8"), ("captured_at", "<f8"))

FRAME_DTYPE = np.dtype([*_FRAME_KEY, ("people", "<i4")])
"""Row of a frame; people: their number."""
PREVIEW_DTYPE = np.dtype([*_FRAME_KEY, ("shown_at", "<f8")])
"""Row of a preview; shown_at: its time in the video, s."""


def person_dtype(joints: int, keypoints: int) -> np.dtype:
    """Row of a person with these numbers of joints and key points; fields as in Person and Smpl."""
    return np.dtype(
        [
            *_FRAME_KEY,
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


def encode_frame_row(bodies: Bodies) -> bytes:
    """Encode a frame's row."""
    return np.array((*_frame_key(bodies), len(bodies.people)), FRAME_DTYPE).tobytes()


def encode_preview_row(frame: Frame, shown_at: float) -> bytes:
    """Encode a preview's row; shown_at: its time in the video, s."""
    return np.array((*_frame_key(frame), shown_at), PREVIEW_DTYPE).tobytes()


def encode_person_row(bodies: Bodies, person: Person, dtype: np.dtype) -> bytes:
    """Encode a person's row; the SMPL fields are NaN if there is no SMPL pose."""
    row = np.zeros((), dtype)
    row["epoch"], row["frame_id"], row["captured_at"] = _frame_key(bodies)
    for name in ("score", "box_xyxy", "keypoints_px", "keypoint_scores", "joints_m"):
        row[name] = getattr(person, name)
    row["body"] = BODY_CODES.index(person.smpl.body if person.smpl else "")
    for name in ("global_orient", "body_pose", "betas", "transl", "joint_confidence"):
        row[name] = getattr(person.smpl, name) if person.smpl else np.nan
    return row.tobytes()


def _frame_key(message: FrameMessage) -> tuple[int, int, float]:
    return message.epoch, message.frame_id, message.captured_at
