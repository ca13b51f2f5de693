"""A prediction held against the truth, from their frames to the means."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from remi_stream.errors import UsageError, unknown
from remi_stream.evaluate.joint_sets import JOINT_SETS, JointSet, joints_of
from remi_stream.evaluate.meeting import Match, Meeting, frame_pairs, meet, usual_step
from remi_stream.evaluate.scores import Evaluation, JointScores, Moment, mean
from remi_stream.evaluate.sightings import Errors, Sighting, errors_of, scores_of
from remi_stream.evaluate.truth import Truth, published_body
from remi_stream.formats.take import Take
from remi_stream.messages import Person
from remi_stream.skeletons import JOINTS

Tell = Callable[[int, int], None]


class Question(NamedTuple):
    """How it is compared. joint_set: its name, "" for the largest that both have. offset_s: when in the truth the take begins."""

    joint_set: str = ""
    match: Match = "box"
    offset_s: float = 0.0


PLAIN = Question()


def evaluate(take: Take, truth: Truth, question: Question = PLAIN, tell: Tell = lambda done, of: None) -> Evaluation:
    """Compare. tell: hears how many sightings are done, of how many. Raises UsageError when there is nothing to compare."""
    joint_set = chosen_set(question.joint_set, take, truth)
    pairs = frame_pairs(take, truth.take, question.offset_s)
    if not pairs:
        raise UsageError(
            f"No frame of {take.name} is at a time of {truth.take.name}. Give --offset S, where in it the film begins"
        )
    meeting = meet(pairs, truth, joint_set, question.match)
    if not any(seen.pair.truth.people for seen in meeting.seen):
        raise UsageError(f"{truth.take.name} has nobody in the {len(pairs)} frames that are compared; nothing can be told.")
    step = usual_step([pair.number for pair in pairs])
    through = partial(counted, itertools.count(1), sum(map(len, meeting.sightings.values())), tell)
    errors = {track: errors_of(rows, joint_set, step, through) for track, rows in meeting.sightings.items()}
    return summed_up(take, truth, joint_set, meeting, errors)


def counted(numbers: Iterator[int], of: int, tell: Tell, rows: list[Sighting]) -> Iterator[Sighting]:
    """Give the sightings, and tell of each that is done."""
    for row in rows:
        yield row
        tell(next(numbers), of)


def chosen_set(name: str, take: Take, truth: Truth) -> JointSet:
    """The joints that are compared. Raises UsageError for a set that one of both has not."""
    if name and name not in JOINT_SETS:
        raise unknown("joint set", name, JOINT_SETS)
    people, true_people = everybody(take), everybody(truth.take)
    for joint_set in [JOINT_SETS[name]] if name else JOINT_SETS.values():
        known = any(joints_of(person, joint_set, published_body(person)) is not None for person in people) or not people
        if known and any(truth.joints_of(person, joint_set) is not None for person in true_people):
            return joint_set
        if name:
            raise UsageError(
                f"--joint-set {name}: {(truth.take if known else take).name} does not have these joints. Leave it out"
            )
    return JOINT_SETS["smpl24"]


def everybody(take: Take) -> list[Person]:
    """All sightings of people."""
    return [person for bodies in take.frames for person in bodies.people]


def summed_up(take: Take, truth: Truth, joint_set: JointSet, meeting: Meeting, errors: Mapping[int, Errors]) -> Evaluation:
    """The means over everything that was measured."""
    apart = bool(take.images)
    step_s = usual_step([seen.pair.number for seen in meeting.seen]) / truth.take.fps
    visible = Counter(person.track_id for seen in meeting.seen for person in seen.pair.truth.people)
    found = {track: len(meeting.sightings.get(track, ())) for track in visible}
    switches = {track: None if apart else meeting.switches.get(track, 0) for track in visible}
    all_switches = None if apart else sum(meeting.switches.values())
    return Evaluation(
        names=(take.name, truth.take.name),
        engines=(take.frames[0].engine, truth.take.frames[0].engine),
        joint_set=joint_set.name,
        fps=1 / step_s,
        frames=(len(truth.take.frames), len(meeting.seen)),
        extra=sum(len(seen.pair.prediction.people) - len(seen.matches) for seen in meeting.seen),
        overall=scores_of(list(errors.values()), visible.total(), sum(found.values()), all_switches, step_s),
        people={
            track: scores_of([errors[track]] if track in errors else [], count, found[track], switches[track], step_s)
            for track, count in sorted(visible.items())
        },
        joints=joint_scores(joint_set, list(errors.values())),
        moments=moments(meeting, errors),
        left_out=left_out(take, truth, list(errors.values())),
        notes=truth.notes,
    )


def joint_scores(joint_set: JointSet, errors: Sequence[Errors]) -> dict[str, JointScores]:
    """Each joint's means: first those that are compared by place, then those that only turn."""
    if not errors:
        return {}
    place = {name: np.concatenate([each.joint_mm[:, index] for each in errors]) for index, name in enumerate(joint_set.names)}
    fitted = {name: np.concatenate([each.pa_mm[:, index] for each in errors]) for index, name in enumerate(joint_set.names)}
    turns = {name: np.concatenate([each.turn_deg[:, index] for each in errors]) for index, name in enumerate(JOINTS["smpl24"])}
    rows = {
        name: JointScores(*(float(mean(column.get(name, np.zeros(0)))) for column in (place, fitted, turns)))
        for name in dict.fromkeys([*joint_set.names, *JOINTS["smpl24"]])
    }
    return {name: row for name, row in rows.items() if np.isfinite(row).any()}


def moments(meeting: Meeting, errors: Mapping[int, Errors]) -> tuple[Moment, ...]:
    """The means of each frame."""
    by_frame: dict[int, list[tuple[float, float]]] = {}
    for each in errors.values():
        for number, own, fitted in zip(each.frames.tolist(), mean(each.joint_mm, 1), mean(each.pa_mm, 1)):
            by_frame.setdefault(number, []).append((float(own), float(fitted)))
    rows = []
    for seen in meeting.seen:
        means = mean(np.array(by_frame.get(seen.pair.number, [(np.nan, np.nan)])), 0)
        rows.append(Moment(seen.pair.at_s, len(seen.pair.truth.people), len(seen.matches), *map(float, means)))
    return tuple(rows)


def left_out(take: Take, truth: Truth, errors: Sequence[Errors]) -> dict[str, str]:
    """The measures that could not be taken, and why."""
    if not errors:
        return {"all but the detection rate": "nobody was found"}
    why = {}
    if take.images:
        why["switches"] = "pictures of their own: nobody goes on from one to the next"
    if not any(np.isfinite(each.joint_mm).any() for each in errors):
        why["MPJPE, PA-MPJPE, acceleration, root"] = "the two have no set of joints in common"
    elif not any(len(each.acceleration_mm) for each in errors):
        why["acceleration"] = "nobody is found in three frames in a row"
    if not any(np.isfinite(each.turn_deg).any() for each in errors):
        why["rotation, PVE"] = different_poses(take, truth)
    elif not any(np.isfinite(each.pve_mm).any() for each in errors):
        why["PVE"] = (
            "a body that the poses are for is not there: import SMPL (remi-stream models import SMPL_NEUTRAL.pkl), give --bodies"
        )
    return why


def different_poses(take: Take, truth: Truth) -> str:
    """Why two poses cannot be held against each other."""
    sides = [{person.smpl.body for person in everybody(each) if person.smpl} for each in (take, truth.take)]
    for each, bodies in zip((take, truth.take), sides):
        if not bodies:
            return f"{each.name} has no SMPL poses"
    names = [" and ".join(sorted(bodies)) for bodies in sides]
    return f"poses of the body '{names[0]}' are not those of '{names[1]}'"
