"""Scores of an evaluation: overall, per true person, per joint, per frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

NAN = float("nan")


class Scores(NamedTuple):
    """Mean errors over all matched people and frames; NaN if unknown. The field names are keys of the JSON report."""

    visible: int
    """People-frames in the truth."""
    found: int
    """Of these, matched ones."""
    switches: int | None
    """Id switches; None for separate images."""
    mpjpe_mm: float
    pa_mpjpe_mm: float
    pve_mm: float
    acceleration_mm: float
    """Acceleration error, mm per step squared, a step being that of the compared frames."""
    acceleration_m_per_s2: float
    rotation_deg: float
    root_mm: float

    @property
    def detection_rate(self) -> float:
        """Return found / visible, in [0, 1]."""
        return self.found / self.visible if self.visible else NAN


class JointScores(NamedTuple):
    """Mean errors of one joint; NaN where only its position or only its rotation is known."""

    mpjpe_mm: float
    pa_mpjpe_mm: float
    rotation_deg: float


class FrameScores(NamedTuple):
    """Mean errors over the people found in one frame; NaN if none is."""

    at_s: float
    """Time in the truth, s."""
    visible: int
    """People in the truth."""
    found: int
    """People matched."""
    mpjpe_mm: float
    pa_mpjpe_mm: float


class Evaluation(NamedTuple):
    """The result of an evaluation."""

    names: tuple[str, str]
    """Of prediction and truth."""
    engines: tuple[str, str]
    """Of prediction and truth."""
    joint_set: str
    fps: float
    """Rate of the compared frames."""
    frames: tuple[int, int]
    """Frames in the truth, and compared ones."""
    extra: int
    """Predicted people-frames without a match."""
    overall: Scores
    people: Mapping[int, Scores]
    """By true track_id."""
    joints: Mapping[str, JointScores]
    frame_scores: tuple[FrameScores, ...]
    """Per compared frame."""
    left_out: Mapping[str, str]
    """Measures that could not be computed, with the reason."""
    notes: tuple[str, ...]

    @property
    def title(self) -> str:
        """Return the title: prediction against truth."""
        prediction, truth = (f"{name} ({engine})" for name, engine in zip(self.names, self.engines))
        return f"{prediction} against {truth}"


def nan_mean(values: np.ndarray, axis: int | None = None) -> np.ndarray:
    """Return the mean of the finite values, NaN if there are none (np.nanmean without its warning)."""
    known = np.isfinite(values)
    count = known.sum(axis)
    return np.where(count > 0, np.where(known, values, 0).sum(axis) / np.maximum(count, 1), NAN)
