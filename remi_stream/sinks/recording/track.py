"""A person's rows as the arrays of an .npz file."""

from __future__ import annotations

import numpy as np

from remi_stream.body.smpl import load_open_body
from remi_stream.formats import amass
from remi_stream.sinks.recording.rows import BODIES
from remi_stream.skeletons import JOINTS

AXES = "camera: x right, y down, z forward; poses and trans: x right, y forward, z up"


def track_arrays(rows: np.ndarray, track_id: int, skeleton: str, joints_skeleton: str = "") -> dict[str, np.ndarray]:
    """Give the arrays of N rows: all of Person and Smpl as it was published, and AMASS' keys if there was any SMPL pose."""
    of_joints = joints_skeleton or skeleton
    arrays = {
        "track_id": np.array(track_id),
        "axes": np.array(AXES),
        "skeleton": np.array(skeleton),
        "joints_skeleton": np.array(of_joints),
        "body": np.array(body_of(rows)),
        "epochs": rows["epoch"],
        "frame_ids": rows["frame_id"],
        "captured_at": rows["captured_at"],
        "scores": rows["score"],
        "boxes_xyxy": rows["box_xyxy"],
        "keypoints_px": rows["keypoints_px"],
        "keypoint_scores": rows["keypoint_scores"],
        "joints_m": rows["joints_m"],
    }
    return {**arrays, **_smpl(rows, of_joints)} if rows["body"].any() else arrays


def body_of(rows: np.ndarray) -> str:
    """Whose rest pose the poses are meant for; "" if there are none."""
    return BODIES[rows["body"].max(initial=0)]


def _smpl(rows: np.ndarray, skeleton: str) -> dict[str, np.ndarray]:
    published = {name: rows[name] for name in ("global_orient", "transl", "joint_confidence")}
    pose = {name: rows[name] for name in ("global_orient", "body_pose", "transl", "betas")}
    motion = amass.motion(**pose, rest_pelvis=_rest_pelvis(rows, skeleton), fps=_mean_fps(rows["captured_at"]))
    return {**motion, **published, "frame_betas": rows["betas"]}


def _rest_pelvis(rows: np.ndarray, skeleton: str) -> np.ndarray:
    """J0 of each row, (N, 3) m: what the published pelvis says, or the open body's where none is published."""
    names = JOINTS.get(skeleton, ())
    if "pelvis" in names:
        return rows["joints_m"][:, names.index("pelvis")] - rows["transl"]
    shapes, which = np.unique(rows["betas"], axis=0, return_inverse=True)
    return np.array([load_open_body().rest_joints(betas)[0] for betas in shapes])[which]


def _mean_fps(captured_at: np.ndarray) -> float:
    """Rows a second, so that a player at this rate takes as long as it took."""
    duration_s = float(captured_at[-1] - captured_at[0])
    return (len(captured_at) - 1) / duration_s if duration_s > 0 else 0.0
