"""Ground truth: a take, and the body models of its people; of the sample clip. Also reads a person's .npz as a take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from remi_stream.body.known_bodies import known_body
from remi_stream.body.smpl import Body, load_default_body
from remi_stream.errors import UsageError
from remi_stream.evaluate.scores import JointSet, joint_set_positions
from remi_stream.geometry import Intrinsics, bounding_box, project
from remi_stream.messages import Bodies, Person, Smpl
from remi_stream.paths import SAMPLE_BOX_MARGIN, data_file, sample_boxes, sample_clip
from remi_stream.recordings.index import EpochEntry, RecordingIndex
from remi_stream.recordings.reader import Arrays, RecordedFrames, read_npz
from remi_stream.recordings.take import Take

MIN_DEPTH_M = 0.05
"""Depths are clamped to this before projection: joints at or behind the camera plane have no useful projection."""


class GroundTruth(NamedTuple):
    """Ground truth of a video."""

    take: Take
    """Without people in frames that the data set marks as invalid for them."""
    bodies: Mapping[int, Body | None] = {}
    """Body models by track_id, where it is neither the open body nor SMPL's neutral one; None if not available."""
    notes: tuple[str, ...] = ()
    """Notes for the report."""

    def body_for(self, person: Person) -> Body | None:
        """Return the body model of a person's pose, or None if not available."""
        return self.bodies[person.track_id] if person.track_id in self.bodies else available_body(person)

    def joint_positions(self, person: Person, joint_set: JointSet) -> np.ndarray | None:
        """Return a person's joints (J, 3) m, or None if unknown."""
        return joint_set_positions(person, joint_set, self.body_for(person))


def available_body(person: Person) -> Body | None:
    """Return the body model of a pose by its name: the open body, or SMPL's neutral one if it was imported."""
    if person.smpl is None:
        return None
    body = load_default_body() if person.smpl.body == "open" else known_body()
    return body if body.name == person.smpl.body else None


def make_true_person(
    track_id: int, joints: np.ndarray | None, smpl: Smpl, intrinsics: Intrinsics, box: np.ndarray | None
) -> Person:
    """Make a person of the truth. joints: SMPL's 24, (24, 3) m, camera frame; box: (4,) px, by default around the joints."""
    points = np.zeros((0, 3)) if joints is None else joints
    pixels = project(np.maximum(points, (-np.inf, -np.inf, MIN_DEPTH_M)), intrinsics)
    return Person(
        track_id=track_id,
        score=1.0,
        box_xyxy=np.asarray(padded_box(pixels) if box is None else box, np.float32),
        skeleton="smpl24",
        keypoints_px=pixels.astype(np.float32),
        keypoint_scores=np.ones(len(points), np.float32),
        joints_m=points.astype(np.float32),
        smpl=smpl,
    )


def padded_box(pixels: np.ndarray) -> np.ndarray:
    """Return the bounding box (4,) px of joints (J, 2) px, enlarged since the body extends beyond its joints."""
    if not len(pixels):
        return np.zeros(4, np.float32)
    box = bounding_box(pixels)
    margin = SAMPLE_BOX_MARGIN * float((box[2:] - box[:2]).max())
    return box + np.array([-margin, -margin, margin, margin], np.float32)


def make_true_frame(number: int, fps: float, size: tuple[int, int], intrinsics: Intrinsics, people: list[Person]) -> Bodies:
    """Make a frame of a video that begins at 0 s."""
    return Bodies(
        camera="truth",
        epoch=0,
        frame_id=number,
        captured_at=number / fps,
        engine="truth",
        size=size,
        intrinsics=intrinsics,
        people=people,
    )


def intrinsics_from_matrix(matrix: np.ndarray) -> Intrinsics:
    """Return fx, fy, cx, cy px of a camera matrix (3, 3)."""
    return float(matrix[0, 0]), float(matrix[1, 1]), float(matrix[0, 2]), float(matrix[1, 2])


def make_smpl(pose: np.ndarray, betas: np.ndarray, transl: np.ndarray, body: str = "smpl") -> Smpl:
    """Make a Smpl of a pose (72,) axis-angle, rad, in camera axes."""
    return Smpl(
        body="open" if body == "open" else "smpl",
        global_orient=pose[:3].astype(np.float32),
        body_pose=pose[3:].astype(np.float32),
        betas=betas.astype(np.float32),
        transl=transl.astype(np.float32),
        joint_confidence=np.ones(24, np.float32),
    )


def read_sample_truth() -> GroundTruth:
    """Read the truth of the sample clip, which is rendered: one person in all frames."""
    with np.load(data_file("sample_truth.npz")) as file:
        truth = {name: file[name] for name in file}
    fps, intrinsics = float(truth["fps"]), intrinsics_from_matrix(truth["K"])
    # rendered with the principal point in the middle
    size = (round(2 * intrinsics[2]), round(2 * intrinsics[3]))
    frames = []
    for number, (pose, transl, joints, box) in enumerate(zip(truth["poses"], truth["transl"], truth["joints_m"], sample_boxes())):
        smpl = make_smpl(pose, truth["betas"], transl, "open")
        frames.append(make_true_frame(number, fps, size, intrinsics, [make_true_person(1, joints, smpl, intrinsics, box)]))
    return GroundTruth(Take("sample", size, fps, frames, source=sample_clip()))


ROW_ARRAYS = ("epochs", "frame_ids", "captured_at", "scores", "boxes_xyxy", "keypoints_px", "keypoint_scores", "joints_m")
TRACK_FIELDS = ("track_id", "skeleton", "joints_skeleton", "body")
"""Required arrays of a person's .npz: with a row per frame, and with one value."""
UNKNOWN_ENGINE = "unknown engine"


def read_track_file(path: Path) -> Take:
    """Read a file; its take has no image size, (0, 0). Raises UsageError, or RemiError if it cannot be read."""
    track = read_npz(path)
    missing = [name for name in (*TRACK_FIELDS, *ROW_ARRAYS) if name not in track]
    if missing:
        raise UsageError(f"{path} is no person's file of a recording: it has no {', '.join(missing)}. See docs/use/recording.md")
    try:
        frames = RecordedFrames(make_index(track), {name: track[name] for name in ROW_ARRAYS[:3]}, [track])
        return Take(path.stem, (0, 0), frames.mean_fps, list(frames))
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise UsageError(f"{path} is no person's file of a recording, or it is damaged ({error}).") from None


def make_index(track: Arrays) -> RecordingIndex:
    """Make a recording index for this person's frames."""
    # RecordedFrames reads only camera and epochs; the rest is unknown
    return RecordingIndex(
        version="",
        camera="file",
        source="",
        fps=0.0,
        camera_from_world=None,
        started_at="",
        ended_at=None,
        wall_minus_monotonic_s=0.0,
        clean=True,
        reason="",
        frames=len(track["frame_ids"]),
        missing={},
        epochs=[make_epoch_entry(int(epoch)) for epoch in np.unique(track["epochs"])],
        tracks=[],
        preview=None,
        gaps=[],
    )


def make_epoch_entry(epoch: int) -> EpochEntry:
    """Make the index entry of an epoch (start of the camera) with unknown engine and size."""
    return EpochEntry(epoch=epoch, engine=UNKNOWN_ENGINE, size=(0, 0), intrinsics=(1, 1, 0, 0), frames=0, frame_ids=(0, 0))
