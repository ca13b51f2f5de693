"""A few frames of the sample clip's truth as a take, without a network: people with SMPL's joints or any other skeleton."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from remi_stream.geometry import bounding_box
from remi_stream.messages import Bodies, Person, Smpl
from remi_stream.recordings.take import Take
from remi_stream.skeletons import JOINT_NAMES
from tests.clip import FPS, intrinsics, truth

SIZE = (1280, 720)
CLIP = Path("films/sample.clip.mp4")


def smpl(k: int, body: Literal["smpl", "open"] = "open") -> Smpl:
    poses = truth()["poses"][k]
    return Smpl(
        body=body,
        global_orient=poses[:3],
        body_pose=poses[3:],
        betas=truth()["betas"],
        transl=truth()["transl"][k],
        joint_confidence=np.linspace(0.5, 1, 24, dtype=np.float32),
    )


def somebody(k: int, body: Literal["smpl", "open"] = "open", track_id: int = 1) -> Person:
    """The person in frame k, as an engine with SMPL's joints publishes them; the detector's box is half a pixel larger."""
    pixels = truth()["joints_px"][k].astype(np.float32)
    return Person(
        track_id=track_id,
        score=0.75,
        box_xyxy=bounding_box(pixels),
        skeleton="smpl24",
        keypoints_px=pixels,
        keypoint_scores=np.full(24, 0.8, np.float32),
        joints_m=truth()["joints_m"][k].astype(np.float32),
        smpl=smpl(k, body),
        native={
            "detected_xyxy": bounding_box(pixels) + np.array([-0.5, -0.5, 0.5, 0.5], np.float32),
            "detected_score": np.array([0.625], np.float32),
        },
    )


def flat(k: int, skeleton: str, track_id: int = 1) -> Person:
    """A person with key points only, different for each frame and track."""
    count = len(JOINT_NAMES[skeleton])
    random = np.random.default_rng(1000 * k + track_id)
    points = random.uniform(100, 600, (count, 2)).astype(np.float32)
    return msgspec.structs.replace(
        somebody(k, track_id=track_id),
        skeleton=skeleton,
        keypoints_px=points,
        keypoint_scores=random.uniform(0.2, 0.9, count).astype(np.float32),
        joints_m=np.zeros((0, 3), np.float32),
        smpl=None,
    )


def bodies(k: int, people: list[Person], frame_id: int | None = None, epoch: int = 1) -> Bodies:
    return Bodies(
        camera="film",
        epoch=epoch,
        frame_id=k if frame_id is None else frame_id,
        captured_at=k / FPS,
        engine="test",
        size=SIZE,
        intrinsics=intrinsics(),
        people=people,
    )


def take_of(people: Callable[[int], list[Person]], frames: int = 5) -> Take:
    """A take of the first frames, with these people in each."""
    return Take("sample", SIZE, FPS, [bodies(k, people(k)) for k in range(frames)], source=CLIP)


def pictures(take: Take, names: list[str]) -> Take:
    """The same take as of an image folder."""
    return replace(take, images=names, source=Path("album"))
