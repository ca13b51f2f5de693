"""Reads the ground truth of rendered clips, as tools/render_sample.py writes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from remi_stream.body.smpl import load_default_body
from remi_stream.errors import UsageError
from remi_stream.skeletons import LIMB_JOINTS, joint_indices


class RenderedPerson(NamedTuple):
    """A rendered person."""

    joints_m: np.ndarray
    """(frames, 12, 3) m, camera frame, in the order of `LIMB_JOINTS`; NaN where the person can hardly be seen."""
    joints_px: np.ndarray
    """(frames, 12, 2) px."""
    meshes: Sequence[np.ndarray]
    """Vertices (V, 3) m of each frame, camera frame."""


class PosedMeshes(Sequence[np.ndarray]):
    """The meshes of all frames, posed when they are asked for."""

    def __init__(self, poses: np.ndarray, betas: np.ndarray, transl: np.ndarray) -> None:
        self._poses, self._betas, self._transl = poses, betas, transl

    def __len__(self) -> int:
        return len(self._poses)

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]  # no slices
        pose = self._poses[index]
        return load_default_body().vertices(pose[:3], pose[3:], self._betas, self._transl[index])


class RenderedClip(NamedTuple):
    """A rendered clip with its truth."""

    video: Path
    focal_px: float
    people: list[RenderedPerson]


MIN_VISIBLE_SHARE = 0.5
"""A person of whom others and the image's border hide more need not be found."""


def read_clip(video: Path) -> RenderedClip:
    """Read CLIP_truth.npz beside CLIP.mp4. Raises UsageError."""
    path = video.with_name(f"{video.stem}_truth.npz")
    try:
        with np.load(path) as stored:
            truth = {name: stored[name] for name in stored.files}
    except (OSError, ValueError) as error:
        raise UsageError(
            f"Cannot read {path}, the ground truth of {video.name} ({error}). Make both: tools/render_sample.py"
        ) from None
    if truth["poses"].ndim == 2:  # the sample clip, of one person
        truth |= {name: truth[name][None] for name in ("poses", "betas", "transl", "joints_m", "joints_px")}
    visible = truth.get("visible", np.ones(truth["poses"].shape[:2])) >= MIN_VISIBLE_SHARE
    return RenderedClip(video, float(truth["K"][0, 0]), [_person(truth, index, visible[index]) for index in range(len(visible))])


def _person(truth: dict[str, np.ndarray], index: int, visible: np.ndarray) -> RenderedPerson:
    limbs = list(joint_indices("smpl24", LIMB_JOINTS))
    joints = np.where(visible[:, None, None], truth["joints_m"][index][:, limbs].astype(float), np.nan)
    meshes = PosedMeshes(truth["poses"][index], truth["betas"][index], truth["transl"][index])
    return RenderedPerson(joints, truth["joints_px"][index][:, limbs], meshes)
