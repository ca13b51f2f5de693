"""Recorded motion: CMU recordings retargeted to the SMPL layout, cut into segments of any speed.

The file is an npz: names (R,), lens (R,) frames of each recording at 30 Hz, rotvec (F, 24, 3) rad, each relative to the parent,
and root (F, 3) m, world axes with y up. docs/reference/lifter.md says where they come from and how they were retargeted.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from train_lifter.rotations import J, blend_poses

Array = NDArray[Any]

MOTION_SHA256 = "dadf77c59b76cee9d00aaf9247d3734b5316f86f533320d89b14f0571bec934e"
"""Checksum of the file that the shipped weights were trained on."""
RECORDED_FPS = 30.0
HELD_BACK_SHARE = 8
"""Every eighth recording is held back for validation."""
MAX_COUNTED_FRAMES = 400
"""A longer recording is not drawn more often."""
RARITY = {"walking": 0.25, "01_": 0.7, "traffic": 0.7, "signal": 0.8, "03": 0.8}
"""Weights of the recordings by a part of their name: there are many walks. All others have COMMON_WEIGHT."""
COMMON_WEIGHT = 1.5
SOURCE_LEG_M = 0.82
"""Height of the hip above the ankle of CMU's skeletons; root tracks are scaled by it."""


class Segment(NamedTuple):
    """A piece of a recording."""

    rotations: Array
    """(N, 24, 3, 3), each relative to its parent."""
    root: Array
    """(N, 3) m, world axes, in sizes of the source's legs: multiply by the body's leg length."""
    name: str
    """The recording's."""


class RecordedMotion:
    """The recordings, split into those for training and those held back for validation."""

    def __init__(self, path: Path, is_validation: bool) -> None:
        with np.load(path) as stored:
            self.names = [str(name) for name in stored["names"]]
            self.lengths = stored["lens"].astype(int)
            rotvec, self.root = stored["rotvec"].astype(float), stored["root"].astype(float)
        self.poses = Rotation.from_rotvec(centre_hands(rotvec).reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
        self.starts = np.r_[0, np.cumsum(self.lengths)]
        held_back = np.random.default_rng(5).permutation(len(self.names))[: len(self.names) // HELD_BACK_SHARE]
        usable = (np.isin(np.arange(len(self.names)), held_back) == is_validation) & (self.lengths > 20)
        weights = np.array([weight_of(name) for name in self.names]) * np.minimum(self.lengths, MAX_COUNTED_FRAMES) * usable
        self.weights = weights / weights.sum()

    def segment(self, rng: np.random.Generator, frames: int, speed: float) -> Segment:
        """Cut a random segment; speed: recorded frames per frame. A recording that is too short plays to and fro."""
        number = int(rng.choice(len(self.names), p=self.weights))
        last = self.lengths[number] - 1
        times = (rng.uniform(0, max(0.0, last - frames * speed)) + np.arange(frames) * speed) % (2 * last)
        times = np.where(times > last, 2 * last - times, times)
        before = np.minimum(times.astype(int), last - 1)
        index, share = self.starts[number] + before, times - before
        rotations = blend_poses(self.poses[index], self.poses[index + 1], share)
        root = self.root[index] + share[:, None] * (self.root[index + 1] - self.root[index])
        return Segment(rotations, root / SOURCE_LEG_M, self.names[number])

    def pose(self, rng: np.random.Generator) -> Array:
        """Return the local rotations (24, 3, 3) of a random frame of a random recording."""
        number = int(rng.choice(len(self.names), p=self.weights))
        return self.poses[self.starts[number] + rng.integers(self.lengths[number])].copy()


def centre_hands(rotvec: Array) -> Array:
    """Take the recordings' median rotation out of the hands: CMU's zero differs from a straight wrist."""
    for joint in (J["left_wrist"], J["right_wrist"]):
        median = Rotation.from_rotvec(np.median(rotvec[:, joint], 0))
        rotvec[:, joint] = (Rotation.from_rotvec(rotvec[:, joint]) * median.inv()).as_rotvec()
    return rotvec


def weight_of(name: str) -> float:
    """Return the weight of a recording."""
    return next((weight for part, weight in RARITY.items() if part in name), COMMON_WEIGHT)


def check_motion(path: Path) -> str:
    """Return a warning if the file is not the one that the shipped weights were trained on, else an empty string."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    return "" if found == MOTION_SHA256 else f"{path} has sha256 {found}, the shipped weights were trained on {MOTION_SHA256}"
