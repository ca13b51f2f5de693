"""Rows of a recording: binary ones of fixed size in the journal, so that a torn end costs one row, and arrays made of them.

The arrays of a person's .npz file are as published, and as AMASS', z up (Mahmood et al., "AMASS: Archive of Motion Capture as
Surface Shapes", 2019).
"""

from __future__ import annotations

import numpy as np

from remi_stream.body.smpl import load_default_body
from remi_stream.geometry import axis_angle_from_matrices, matrices_from_axis_angle
from remi_stream.messages import Bodies, Frame, FrameMessage, Person
from remi_stream.skeletons import JOINT_NAMES

BODY_CODES = ("", "smpl", "open")
"""Smpl.body by its code in a row; code 0: no SMPL pose."""
Z_UP_FROM_CAMERA = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""Rotation from camera axes to AMASS' z-up axes, for a level camera: x stays, forward becomes y, down becomes -z."""
AXES_NOTE = "camera: x right, y down, z forward; poses and trans: x right, y forward, z up"
"""Note about the axes, stored in each file."""

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


def frame_arrays(rows: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays of `frames.npz`, of N rows of FRAME_DTYPE."""
    fields = {"epochs": "epoch", "frame_ids": "frame_id", "captured_at": "captured_at", "people": "people"}
    return {name: rows[field] for name, field in fields.items()}


def track_arrays(rows: np.ndarray, track_id: int, skeleton: str, joints_skeleton: str = "") -> dict[str, np.ndarray]:
    """Arrays of N rows: the fields of Person and Smpl as published, and AMASS' keys if there is any SMPL pose."""
    joints_skeleton = joints_skeleton or skeleton
    arrays = {
        "track_id": np.array(track_id),
        "axes": np.array(AXES_NOTE),
        "skeleton": np.array(skeleton),
        "joints_skeleton": np.array(joints_skeleton),
        "body": np.array(body_name(rows)),
        "epochs": rows["epoch"],
        "frame_ids": rows["frame_id"],
        "captured_at": rows["captured_at"],
        "scores": rows["score"],
        "boxes_xyxy": rows["box_xyxy"],
        "keypoints_px": rows["keypoints_px"],
        "keypoint_scores": rows["keypoint_scores"],
        "joints_m": rows["joints_m"],
    }
    return {**arrays, **_smpl(rows, joints_skeleton)} if rows["body"].any() else arrays


def body_name(rows: np.ndarray) -> str:
    """Body whose rest pose the poses are for (see Smpl.body); "" if there are none."""
    # rows without a pose have code 0
    return BODY_CODES[rows["body"].max(initial=0)]


def amass_arrays(
    global_orient: np.ndarray, body_pose: np.ndarray, transl: np.ndarray, betas: np.ndarray, rest_pelvis: np.ndarray, fps: float
) -> dict[str, np.ndarray]:
    """Convert N frames in camera axes to AMASS' arrays; a frame without a pose is NaN.

    global_orient (N, 3) and body_pose (N, 69): axis-angle, rad. betas (N, 10). transl (N, 3), m. rest_pelvis (N, 3): SMPL's rest
    pelvis, m. The result's poses are (N, 72), SMPL's 24 joints; AMASS' SMPL+H has the same first 22, then fingers.
    """
    root = Z_UP_FROM_CAMERA @ matrices_from_axis_angle(global_orient.astype(np.float64))
    # The root rotates about the pelvis, so the pelvis is what changes axes; trans is relative to the rest pelvis.
    pelvis = (rest_pelvis + transl) @ Z_UP_FROM_CAMERA.T
    return {
        "poses": np.concatenate([axis_angle_from_matrices(root), body_pose], 1).astype(np.float32),
        "trans": (pelvis - rest_pelvis).astype(np.float32),
        # AMASS has one shape per file
        "betas": np.nanmedian(betas, 0).astype(np.float32),
        "gender": np.array("neutral"),
        "mocap_framerate": np.array(fps),
        "mocap_frame_rate": np.array(fps),  # its name in AMASS' releases since 2022
    }


def to_smplh(motion: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Pad to SMPL+H as in AMASS' own files: poses (N, 156) with flat hands, betas (16,), dmpls (N, 8) of zeros.

    With the keys of both layouts: of the first releases (`*_poses.npz`), and of the later ones (`*_stageii.npz`), which also have
    the parts of `poses` under their names.
    """
    # SMPL+H: 22 body joints, then 30 of the fingers in place of SMPL's two hands (66 + 90 = 156)
    poses = np.pad(motion["poses"][:, :66], [(0, 0), (0, 90)])
    return {
        **motion,
        "poses": poses,
        "betas": np.pad(motion["betas"], (0, 6)),
        "dmpls": np.zeros((len(poses), 8), np.float32),
        "surface_model_type": np.array("smplh"),
        "num_betas": np.array(16),
        "mocap_time_length": np.array(len(poses) / float(motion["mocap_frame_rate"])),
        "root_orient": poses[:, :3],
        "pose_body": poses[:, 3:66],
        "pose_hand": poses[:, 66:],
    }


def _smpl(rows: np.ndarray, skeleton: str) -> dict[str, np.ndarray]:
    published = {name: rows[name] for name in ("global_orient", "transl", "joint_confidence")}
    pose = {name: rows[name] for name in ("global_orient", "body_pose", "transl", "betas")}
    motion = amass_arrays(**pose, rest_pelvis=_rest_pelvis(rows, skeleton), fps=_mean_fps(rows["captured_at"]))
    return {**motion, **published, "frame_betas": rows["betas"]}


def _rest_pelvis(rows: np.ndarray, skeleton: str) -> np.ndarray:
    """Rest pelvis of each row, (N, 3) m: from the published pelvis, else of the default body."""
    names = JOINT_NAMES.get(skeleton, ())
    if "pelvis" in names:
        return rows["joints_m"][:, names.index("pelvis")] - rows["transl"]
    # betas seldom change within a track: rest joints are computed once per distinct betas
    shapes, inverse = np.unique(rows["betas"], axis=0, return_inverse=True)
    return np.array([load_default_body().rest_joints(betas)[0] for betas in shapes])[inverse]


def _mean_fps(captured_at: np.ndarray) -> float:
    """Mean rows per second: played at this rate, the track keeps its duration."""
    duration_s = float(captured_at[-1] - captured_at[0])
    return (len(captured_at) - 1) / duration_s if duration_s > 0 else 0.0
