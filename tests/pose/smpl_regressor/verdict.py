"""Published people compared with the true ones."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from remi_stream.messages import Bodies, Person
from remi_stream.skeletons import LIMB_JOINTS, joint_indices

NEAR = 0.12
"""Median distance of limb joints, in body heights, up to which a published person is the true one."""
SEEN, UNSEEN = 0.8, 0.2
"""Visible share above which a person should be published, and below which they should not."""
SMPL = joint_indices("smpl24", LIMB_JOINTS)
MIRRORED = [SMPL[index ^ 1] for index in range(len(SMPL))]


@dataclass
class Verdict:
    """ids: of each true person, in order, without repeats. Counts of person-frames: seen and published, missed, false.

    false: published, and no one who is visible is there; unknown: published, who is hardly visible.
    """

    ids: list[list[int]] = field(default_factory=list)
    found: list[int] = field(default_factory=list)
    missed: list[int] = field(default_factory=list)
    false: int = 0
    log: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """Whether everyone has one id, and each their own."""
        return all(len(ids) == 1 for ids in self.ids) and len({ids[0] for ids in self.ids}) == len(self.ids)


def judge(published: list[Bodies], joints_px: np.ndarray, visible: np.ndarray) -> Verdict:
    """Compare with the truth: joints_px (P, N, 24, 2), visible (P, N)."""
    count = len(joints_px)
    verdict = Verdict([[] for _ in range(count)], [0] * count, [0] * count)
    for frame, bodies in enumerate(published):
        pairs = match(bodies.people, joints_px[:, frame], visible[:, frame])
        for who, index in pairs.items():
            _note(verdict, frame, who, bodies.people[index].track_id)
        verdict.false += len(bodies.people) - len(pairs)
        if len(bodies.people) > len(pairs):
            verdict.log.append(f"{frame}: false {[p.track_id for i, p in enumerate(bodies.people) if i not in pairs.values()]}")
        for who in range(count):
            if visible[who, frame] > SEEN:
                verdict.found[who] += who in pairs
                verdict.missed[who] += who not in pairs
    return verdict


def _note(verdict: Verdict, frame: int, who: int, track_id: int) -> None:
    if verdict.ids[who][-1:] != [track_id]:
        verdict.ids[who].append(track_id)
        verdict.log.append(f"{frame}: person {who} is {track_id}")


def match(people: list[Person], joints_px: np.ndarray, visible: np.ndarray) -> dict[int, int]:
    """Give {true person: index of the published one}, the nearest together, no one twice."""
    if not people:
        return {}
    away = np.array([[distance(person, true) for person in people] for true in joints_px])
    away[visible < UNSEEN] = np.inf
    rows, columns = linear_sum_assignment(np.minimum(away, 1e3))
    return {int(row): int(column) for row, column in zip(rows, columns) if away[row, column] < NEAR}


def distance(person: Person, true_px: np.ndarray) -> float:
    """Median distance of limb joints, in heights of the true body. Left and right may be confused: it is the same body."""
    mine = person.keypoints_px[joint_indices(person.skeleton, LIMB_JOINTS)]
    away = [np.linalg.norm(mine - true_px[joints], axis=1) for joints in (SMPL, MIRRORED)]
    return float(min(np.median(a) for a in away) / np.ptp(true_px[:, 1]))
