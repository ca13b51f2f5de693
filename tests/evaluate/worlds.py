"""Data set files in their published layout, made from the sample clip's truth, and takes to compare with it."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from msgspec.structs import replace

from remi_stream.body.smpl import Body, load_default_body, rotate_body
from remi_stream.evaluate import truth as sample_truth
from remi_stream.geometry import matrices_from_axis_angle
from remi_stream.messages import Bodies, Person
from remi_stream.recordings.take import Take
from tests.clip import truth

FRAMES = 6
PICKLER: Any = vars(pickle)["_Pickler"]
"""Python's own pickler, which can be subclassed."""
AWAY = np.array([0.9, 0.05, 0.4])
"""Offset of the second person from the first, m."""


def clip(frames: int = FRAMES, people: int = 1) -> Take:
    """The first frames of the truth, as a take; a second person moves alike beside the first."""
    take = sample_truth.read_sample_truth().take
    return with_people(take, frames, lambda person, _: [moved(person, track, track * AWAY) for track in range(people)])


def with_people(take: Take, frames: int, change: Callable[[Person, int], Sequence[Person]]) -> Take:
    """The first frames of a take with other people."""
    kept = [replace(bodies, people=list(change(bodies.people[0], number))) for number, bodies in enumerate(take.frames[:frames])]
    return Take(take.name, take.size, take.fps, kept)


def moved(person: Person, track: int, away: np.ndarray) -> Person:
    """The same person at an offset; the box is moved roughly."""
    assert person.smpl is not None
    pixels = 300 * np.float32(away[0])
    return replace(
        person,
        track_id=track + 1,
        joints_m=person.joints_m + away.astype(np.float32),
        box_xyxy=person.box_xyxy + np.array([pixels, 0, pixels, 0], np.float32),
        smpl=replace(person.smpl, transl=person.smpl.transl + away.astype(np.float32)),
    )


def changed(take: Take, change: Callable[[Person], Person], of_frame: Callable[[Bodies], Bodies] = lambda bodies: bodies) -> Take:
    """A take with every person changed, then every frame."""
    frames = [of_frame(replace(bodies, people=[change(person) for person in bodies.people])) for bodies in take.frames]
    return Take(take.name, take.size, take.fps, frames)


def camera_from_world(number: int) -> np.ndarray:
    """Extrinsics (4, 4) of a moving, rotating camera."""
    camera = np.eye(4)
    camera[:3, :3] = matrices_from_axis_angle(np.array([0.3, 0.1 * number, -0.2]))
    camera[:3, 3] = 0.5 - 0.1 * number, 0.2, 1.0
    return camera


class Motion:
    """A person's first frames in world axes: orient (F, 3), body_pose (F, 69), transl (F, 3), joints (F, 24, 3)."""

    def __init__(self, frames: int, away: np.ndarray, body: Body) -> None:
        self.body_pose = truth()["poses"][:frames, 3:].astype(float)
        pelvis = body.rest_joints(np.zeros(10))[0]
        rows = []
        for number in range(frames):
            camera = camera_from_world(number)
            turn, transl = camera[:3, :3].T, truth()["transl"][number] + away
            orient, transl = rotate_body(turn, pelvis, truth()["poses"][number, :3], transl)
            transl = transl - turn @ camera[:3, 3]
            rows.append((orient, transl, body.joints(orient, self.body_pose[number], np.zeros(10), transl)))
        self.orient, self.transl, self.joints = (np.array(column) for column in zip(*rows))


def write_3dpw(path: Path, people: int = 2, frames: int = FRAMES, **more: Any) -> Path:
    """A sequence as Python 2 wrote it; more: fields instead of these."""
    motions = [Motion(frames, index * AWAY, load_default_body()) for index in range(people)]
    content = {
        "sequence": "dance_00",
        "poses": [np.concatenate([motion.orient, motion.body_pose], 1) for motion in motions],
        "trans": [motion.transl for motion in motions],
        "betas": [np.zeros(10) for _ in motions],
        "jointPositions": [motion.joints.reshape(frames, 72) for motion in motions],
        "genders": ["m", "f"][:people],
        "cam_poses": np.array([camera_from_world(number) for number in range(frames)]),
        "cam_intrinsics": truth()["K"].astype(float),
        "campose_valid": [np.ones(frames, int) for _ in motions],
        "img_frame_ids": np.arange(frames) * 2,
        "poses2d": [np.ones((frames, 3, 18)) for _ in motions],
        "texture_maps": [np.zeros((2, 2, 3), np.uint8) for _ in motions],
    }
    path.write_bytes(as_python_2({**content, **more}))
    return path


def write_emdb(path: Path, body: Body, frames: int = FRAMES, good: Sequence[bool] = (), **more: Any) -> Path:
    """A sequence of the body's gender; more: fields instead of these."""
    motion = Motion(frames, np.zeros(3), body)
    boxes = np.array([bodies.people[0].box_xyxy for bodies in clip(frames).frames], float)
    content = {
        "gender": "male",
        "name": "P0_dance",
        "emdb1": True,
        "n_frames": frames,
        "good_frames_mask": np.array(good or [True] * frames),
        "camera": {
            "intrinsics": truth()["K"].astype(float),
            "extrinsics": np.array([camera_from_world(number) for number in range(frames)]),
            "width": 1280,
            "height": 720,
        },
        "smpl": {
            "poses_root": motion.orient,
            "poses_body": motion.body_pose,
            "trans": motion.transl,
            "betas": np.zeros(10),
        },
        "bboxes": {"bboxes": boxes, "invalid_idxs": np.zeros(0, int)},
        "kp2d": np.zeros((frames, 24, 2)),
    }
    path.write_bytes(pickle.dumps({**content, **more}))
    return path


class Python2(PICKLER):  # type: ignore[misc]
    """Writes text and bytes alike, as Python 2 does."""

    dispatch: ClassVar = dict(PICKLER.dispatch)

    def save_text(self, value: str | bytes) -> None:
        content = value if isinstance(value, bytes) else value.encode("latin1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)

    dispatch[str] = dispatch[bytes] = save_text


def as_python_2(content: Any) -> bytes:
    """A pickle of protocol 2 with NumPy 1's names."""
    file = BytesIO()
    Python2(file, protocol=2).dump(content)
    return file.getvalue().replace(b"cnumpy._core.", b"cnumpy.core.")
