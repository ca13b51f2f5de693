"""Export a take as CSV: `people.csv`, one row per person and frame, in camera axes. Unknown values are empty cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from remi_stream.formats.frame_numbers import numbered
from remi_stream.formats.take import Take
from remi_stream.messages import Person, Smpl
from remi_stream.sinks.recording.files import written_whole
from remi_stream.skeletons import JOINTS

FILE = "people.csv"
WHO = ("frame", "time_s", "track_id", "score", "skeleton", "body")
POSE = tuple(f"pose_{joint}_{axis}_rad" for joint in JOINTS["smpl24"] for axis in "xyz")
SHAPE = tuple(f"beta_{index}" for index in range(10))
PLACE = tuple(f"transl_{axis}_m" for axis in "xyz")
NOT_KNOWN = "," * (len(POSE + SHAPE + PLACE) - 1)


def write(take: Take, folder: Path) -> list[Path]:
    """Write `people.csv`. Raises OSError."""
    joints = joint_names(take)
    with written_whole(folder / FILE) as file:
        file.write((",".join(header(joints)) + "\n").encode())
        for row in rows(take, joints):
            file.write(f"{row}\n".encode())
    return [folder / FILE]


def header(joints: Sequence[str]) -> list[str]:
    """Return the column names, with their units."""
    return [*WHO, *POSE, *SHAPE, *PLACE, *(f"joint_{joint}_{axis}_m" for joint in joints for axis in "xyz")]


def joint_names(take: Take) -> list[str]:
    """Return the joint names of all skeletons in a take, without duplicates."""
    skeletons = dict.fromkeys(person.skeleton_of_joints for bodies in take.frames for person in bodies.people)
    return list(dict.fromkeys(joint for skeleton in skeletons for joint in JOINTS.get(skeleton, ())))


def rows(take: Take, joints: Sequence[str]) -> Iterator[str]:
    """Yield the rows as text; time_s counts from the take's first frame."""
    start_s: float | None = None
    for number, bodies in numbered(take):
        start_s = bodies.captured_at if start_s is None else start_s
        for person in bodies.people:
            yield _row(number, bodies.captured_at - start_s, person, joints)


def _row(number: int, time_s: float, person: Person, joints: Sequence[str]) -> str:
    body = person.smpl.body if person.smpl else ""
    identity = f"{number},{time_s:.6f},{person.track_id},{person.score:.4f},{person.skeleton_of_joints},{body}"
    return ",".join([identity, _pose(person.smpl), *_joints(person, joints)])


def _pose(smpl: Smpl | None) -> str:
    if smpl is None:
        return NOT_KNOWN
    return _numbers(np.concatenate([smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl]))


def _joints(person: Person, joints: Sequence[str]) -> Iterator[str]:
    known = dict(zip(JOINTS.get(person.skeleton_of_joints, ()), person.joints_m))
    for joint in joints:
        yield _numbers(known[joint]) if joint in known else ",,"


def _numbers(values: np.ndarray) -> str:
    return ",".join(f"{value:.6f}" if np.isfinite(value) else "" for value in values.tolist())
