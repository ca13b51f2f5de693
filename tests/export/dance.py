"""A take with known joints: the person of the sample clip, and a second one who comes late, leaves and returns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.body.smpl import Body, load_default_body
from remi_stream.messages import Bodies, Frame, Person, Smpl
from remi_stream.recordings.recording import CameraRecording
from remi_stream.recordings.take import Take
from tests.clip import FPS, intrinsics, truth
from tests.sample import facts

FRAMES = 45
LATE, AWAY = 5, range(12, 32)
"""First frame of the second person, and frames in which they are away."""
Y_UP = np.array([1.0, -1.0, -1.0])


@cache
def take(body: str = "open", frames: int = FRAMES) -> Take:
    """Frame ids and times as of a video; the second person has another shape, and stands beside the first."""
    return Take("dance", (1280, 720), FPS, [_bodies(k, body) for k in range(frames)])


def smpl(k: int, track_id: int = 1, body: str = "open") -> Smpl:
    """The pose of a frame of the clip; the second person's is some frames ahead."""
    known, second = truth(), track_id == 2
    pose = known["poses"][k + 60 * second].astype(np.float32)
    betas = known["betas"] + (np.linspace(1, -1, 10) if second else 0)
    return Smpl(
        body=body,  # type: ignore[arg-type]
        global_orient=pose[:3],
        body_pose=pose[3:],
        betas=betas.astype(np.float32),
        transl=(known["transl"][k] + [0.8 * second, 0, 0.3 * second]).astype(np.float32),
        joint_confidence=np.ones(24, np.float32),
    )


def joints_of(pose: Smpl, body: Body | None = None) -> np.ndarray:
    """The joints (24, 3), m, camera frame."""
    body = body or load_default_body()
    return body.joints(pose.global_orient, pose.body_pose, pose.betas, pose.transl)


def there(track_id: int, frames: int = FRAMES) -> list[int]:
    """The frames with a person."""
    return [k for k in range(frames) if track_id == 1 or (k >= LATE and k not in AWAY)]


def person(k: int, track_id: int, body: str = "open", **more: Any) -> Person:
    pose = smpl(k, track_id, body)
    joints = joints_of(pose).astype(np.float32)
    values = {
        "track_id": track_id,
        "score": 0.75,
        "box_xyxy": np.array([10, 20, 300, 400], np.float32),
        "skeleton": "smpl24",
        "keypoints_px": np.zeros((24, 2), np.float32),
        "keypoint_scores": np.ones(24, np.float32),
        "joints_m": joints,
        "smpl": pose,
    }
    return Person(**{**values, **more})


def _bodies(k: int, body: str) -> Bodies:
    return Bodies(
        camera="film",
        epoch=7,
        frame_id=k,
        captured_at=k / FPS,
        engine="blazepose",
        size=(1280, 720),
        intrinsics=intrinsics(),
        people=[person(k, track_id, body) for track_id in (1, 2) if k in there(track_id)],
    )


def record(parent: Path, frames: Sequence[Bodies], fps: float = FPS, pictures: Sequence[Frame] = ()) -> Path:
    """A finished recording of frames, and of JPEG previews of some of them."""
    parent.mkdir(exist_ok=True)
    recording = CameraRecording(parent, "film")
    recording.add_camera_facts(facts(fps=fps))
    for frame in frames:
        recording.add_bodies(frame)
    for picture in pictures:
        recording.add_preview(picture)
    recording.flush()
    recording.end()
    return recording.folder
