"""What an evaluation comes to: for everybody, for each person of the truth, for each joint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

NAN = float("nan")


class Scores(NamedTuple):
    """Means over all sightings that were found; NaN where it cannot be told.

    visible: how often the truth has somebody; found: how often they were; switches: None for pictures that are no film.
    acceleration: mm per step squared, a step being that of the frames compared; acceleration_m_per_s2: the same in real time.
    """

    visible: int
    found: int
    switches: int | None
    mpjpe_mm: float
    pa_mpjpe_mm: float
    pve_mm: float
    acceleration_mm: float
    acceleration_m_per_s2: float
    rotation_deg: float
    root_mm: float

    @property
    def detection_rate(self) -> float:
        """Found of visible, in [0, 1]."""
        return self.found / self.visible if self.visible else NAN


class JointScores(NamedTuple):
    """One joint's means; a joint that is only known to turn, or only to be somewhere, has NaN for the other."""

    mpjpe_mm: float
    pa_mpjpe_mm: float
    rotation_deg: float


class Moment(NamedTuple):
    """A frame of the truth: at_s of the film; the means over the people found in it, NaN if none is. visible, found: people."""

    at_s: float
    visible: int
    found: int
    mpjpe_mm: float
    pa_mpjpe_mm: float


class Evaluation(NamedTuple):
    """names, engines: of prediction and truth. fps: of the frames compared; frames: of the truth, and how many
    of them were compared.

    extra: sightings that are nobody of the truth. left_out: measures that could not be taken, and why; notes: what else to say.
    """

    names: tuple[str, str]
    engines: tuple[str, str]
    joint_set: str
    fps: float
    frames: tuple[int, int]
    extra: int
    overall: Scores
    people: Mapping[int, Scores]
    joints: Mapping[str, JointScores]
    moments: tuple[Moment, ...]
    left_out: Mapping[str, str]
    notes: tuple[str, ...]

    @property
    def title(self) -> str:
        """What was held against what."""
        prediction, truth = (f"{name} ({engine})" for name, engine in zip(self.names, self.engines))
        return f"{prediction} against {truth}"


def mean(values: np.ndarray, axis: int | None = None) -> np.ndarray:
    """The mean of those that are known, NaN if none is."""
    known = np.isfinite(values)
    count = known.sum(axis)
    return np.where(count > 0, np.where(known, values, 0).sum(axis) / np.maximum(count, 1), NAN)
