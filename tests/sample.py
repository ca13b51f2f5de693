"""Messages to test with."""

from __future__ import annotations

from typing import Any

import numpy as np

from remi_stream.messages import Bodies, CameraFacts, Health, Person, Smpl


def person(track_id: int = 1, skeleton: str = "smpl24", joints: int = 24, **more: Any) -> Person:
    """A person three metres away."""
    joints_m = np.tile(np.array([[0.25, -0.5, 3]], np.float32), (joints, 1))
    smpl = Smpl(
        body="open",
        global_orient=np.array([np.pi, 0, 0], np.float32),
        body_pose=np.zeros(69, np.float32),
        betas=np.zeros(10, np.float32),
        transl=np.array([0.25, -0.5, 3], np.float32),
        joint_confidence=np.ones(24, np.float32),
    )
    values = {
        "track_id": track_id,
        "score": 0.75,
        "box_xyxy": np.array([1, 2, 30, 40], np.float32),
        "skeleton": skeleton,
        "keypoints_px": np.zeros((joints, 2), np.float32),
        "keypoint_scores": np.ones(joints, np.float32),
        "joints_m": joints_m,
        "smpl": smpl,
    }
    return Person(**{**values, **more})


def bodies(frame_id: int = 0, captured_at: float = 100.0, hop_s: float = 0.002, **more: Any) -> Bodies:
    """One person in one frame, hop_s seconds at each hop."""
    hops = ("capture", "pose_in", "pose", "relay_in", "relay")
    values = {
        "camera": "front",
        "epoch": 1,
        "frame_id": frame_id,
        "captured_at": captured_at,
        "stamps": {hop: captured_at + hop_s * (index + 1) for index, hop in enumerate(hops)},
        "engine": "synthetic",
        "size": (640, 360),
        "intrinsics": (734.0, 734.0, 320.0, 180.0),
        "people": [person()],
    }
    return Bodies(**{**values, **more})


def facts(captured: int = 1, **more: Any) -> CameraFacts:
    """Status of a live camera."""
    values = {"camera": "front", "epoch": 1, "state": "live", "source": "synthetic", "size": (640, 360), "fps": 30.0}
    return CameraFacts(**{**values, "captured": captured, **more})


def health(stage: str = "pose", **more: Any) -> Health:
    """Heartbeat of a ready stage."""
    return Health(**{"stage": stage, "state": "ready", "pid": 100, **more})
