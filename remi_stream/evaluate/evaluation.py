"""Compare a prediction with the truth: match frames and people, compute errors and their means."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from remi_stream.errors import RemiError, UsageError, unknown_name_error
from remi_stream.evaluate.matching import MatchedTake, MatchMode, frame_pairs, match_people, median_frame_step
from remi_stream.evaluate.scores import (
    JOINT_SETS,
    Evaluation,
    FrameScores,
    JointScores,
    JointSet,
    MatchedPerson,
    PersonErrors,
    Scores,
    joint_set_positions,
    mean_scores,
    person_errors,
)
from remi_stream.evaluate.truth import GroundTruth, available_body
from remi_stream.measure.kinematics import nan_mean
from remi_stream.messages import Person
from remi_stream.recordings.take import Take
from remi_stream.skeletons import JOINT_NAMES

ProgressCallback = Callable[[int, int], None]
"""Called with the number of people-frames done, and their total."""


class EvaluationOptions(NamedTuple):
    """Options of a comparison."""

    joint_set: str = ""
    """Name of the joint set; "" for the first in JOINT_SETS that both have."""
    match: MatchMode = "box"
    offset_s: float = 0.0
    """Time in the truth at which the take begins, s."""


DEFAULT_OPTIONS = EvaluationOptions()


def evaluate(
    take: Take,
    truth: GroundTruth,
    options: EvaluationOptions = DEFAULT_OPTIONS,
    on_progress: ProgressCallback = lambda done, of: None,
) -> Evaluation:
    """Evaluate a take against the truth. Raises UsageError if there is nothing to compare."""
    joint_set = choose_joint_set(options.joint_set, take, truth)
    pairs = frame_pairs(take, truth.take, options.offset_s)
    if not pairs:
        raise UsageError(
            f"No frame of {take.name} is at a time of {truth.take.name}. "
            "Give --offset S, the time in it at which the prediction begins"
        )
    matched = match_people(pairs, truth, joint_set, options.match)
    if not any(frame.pair.truth.people for frame in matched.frames):
        raise UsageError(f"{truth.take.name} has no people in the {len(pairs)} frames that are compared.")
    step = median_frame_step([pair.number for pair in pairs])
    through = partial(report_progress, itertools.count(1), sum(map(len, matched.matches_by_track.values())), on_progress)
    errors = {track: person_errors(rows, joint_set, step, through) for track, rows in matched.matches_by_track.items()}
    return summarise(take, truth, joint_set, matched, errors)


def report_progress(
    numbers: Iterator[int], total: int, on_progress: ProgressCallback, rows: list[MatchedPerson]
) -> Iterator[MatchedPerson]:
    """Yield the rows, and report progress after each."""
    for row in rows:
        yield row
        on_progress(next(numbers), total)


def choose_joint_set(name: str, take: Take, truth: GroundTruth) -> JointSet:
    """Choose the joint set to compare. Raises UsageError for a named set that one of the two does not have."""
    if name and name not in JOINT_SETS:
        raise unknown_name_error("joint set", name, JOINT_SETS)
    # a prediction without people has every joint set: it still has a detection rate
    people, true_people = all_people(take), all_people(truth.take)
    for joint_set in [JOINT_SETS[name]] if name else JOINT_SETS.values():
        in_prediction = (
            any(joint_set_positions(person, joint_set, available_body(person)) is not None for person in people) or not people
        )
        if in_prediction and any(truth.joint_positions(person, joint_set) is not None for person in true_people):
            return joint_set
        if name:
            raise UsageError(
                f"--joint-set {name}: {(truth.take if in_prediction else take).name} does not have these joints. Leave it out"
            )
    # no common set: positions stay NaN, but detection, ids and rotations can be evaluated
    return JOINT_SETS["smpl24"]


def all_people(take: Take) -> list[Person]:
    """Return the people of all frames."""
    return [person for bodies in take.frames for person in bodies.people]


def summarise(
    take: Take, truth: GroundTruth, joint_set: JointSet, matched: MatchedTake, errors: Mapping[int, PersonErrors]
) -> Evaluation:
    """Summarise the errors as means over all people, each person, each joint and each frame."""
    is_image_folder = bool(take.images)
    step_s = median_frame_step([frame.pair.number for frame in matched.frames]) / truth.take.fps
    # people-frames, not people: a person of one frame weighs as much as that frame
    visible = Counter(person.track_id for frame in matched.frames for person in frame.pair.truth.people)
    found = {track: len(matched.matches_by_track.get(track, ())) for track in visible}
    switches = {track: None if is_image_folder else matched.switches.get(track, 0) for track in visible}
    all_switches = None if is_image_folder else sum(matched.switches.values())
    return Evaluation(
        names=(take.name, truth.take.name),
        engines=(take.frames[0].engine, truth.take.frames[0].engine),
        joint_set=joint_set.name,
        fps=1 / step_s,
        frames=(len(truth.take.frames), len(matched.frames)),
        extra=sum(len(frame.pair.prediction.people) - len(frame.matches) for frame in matched.frames),
        overall=mean_scores(list(errors.values()), visible.total(), sum(found.values()), all_switches, step_s),
        people={
            track: mean_scores([errors[track]] if track in errors else [], count, found[track], switches[track], step_s)
            for track, count in sorted(visible.items())
        },
        joints=mean_joint_scores(joint_set, list(errors.values())),
        frame_scores=mean_frame_scores(matched, errors),
        left_out=unmeasured_reasons(take, truth, list(errors.values())),
        notes=truth.notes,
    )


def mean_joint_scores(joint_set: JointSet, errors: Sequence[PersonErrors]) -> dict[str, JointScores]:
    """Return the means of each joint: first those with positions, then those with rotations only."""
    if not errors:
        return {}
    position = {name: np.concatenate([each.joint_mm[:, index] for each in errors]) for index, name in enumerate(joint_set.names)}
    aligned = {name: np.concatenate([each.pa_mm[:, index] for each in errors]) for index, name in enumerate(joint_set.names)}
    rotation = {
        name: np.concatenate([each.rotation_deg[:, index] for each in errors]) for index, name in enumerate(JOINT_NAMES["smpl24"])
    }
    rows = {
        name: JointScores(*(float(nan_mean(column.get(name, np.zeros(0)))) for column in (position, aligned, rotation)))
        for name in dict.fromkeys([*joint_set.names, *JOINT_NAMES["smpl24"]])
    }
    return {name: row for name, row in rows.items() if np.isfinite(row).any()}


def mean_frame_scores(matched: MatchedTake, errors: Mapping[int, PersonErrors]) -> tuple[FrameScores, ...]:
    """Return the means of each frame."""
    by_frame: dict[int, list[tuple[float, float]]] = {}
    for each in errors.values():
        for number, error, aligned in zip(each.frames.tolist(), nan_mean(each.joint_mm, 1), nan_mean(each.pa_mm, 1)):
            by_frame.setdefault(number, []).append((float(error), float(aligned)))
    rows = []
    for frame in matched.frames:
        means = nan_mean(np.array(by_frame.get(frame.pair.number, [(np.nan, np.nan)])), 0)
        rows.append(FrameScores(frame.pair.at_s, len(frame.pair.truth.people), len(frame.matches), *map(float, means)))
    return tuple(rows)


def unmeasured_reasons(take: Take, truth: GroundTruth, errors: Sequence[PersonErrors]) -> dict[str, str]:
    """Return the measures that could not be computed, with the reason."""
    if not errors:
        return {"all but the detection rate": "no person was found"}
    reasons = {}
    if take.images:
        reasons["switches"] = "separate images: there are no tracks from one to the next"
    if not any(np.isfinite(each.joint_mm).any() for each in errors):
        reasons["MPJPE, PA-MPJPE, acceleration, root"] = "the two have no set of joints in common"
    elif not any(len(each.acceleration_mm) for each in errors):
        reasons["acceleration"] = "no person is found in three consecutive frames"
    if not any(np.isfinite(each.rotation_deg).any() for each in errors):
        reasons["rotation, PVE"] = pose_mismatch_reason(take, truth)
    elif not any(np.isfinite(each.pve_mm).any() for each in errors):
        reasons["PVE"] = (
            "a body model of the poses is missing: import SMPL (remi-stream models import SMPL_NEUTRAL.pkl), give --bodies"
        )
    return reasons


def pose_mismatch_reason(take: Take, truth: GroundTruth) -> str:
    """Return why the two takes' poses cannot be compared."""
    sides = [{person.smpl.body for person in all_people(each) if person.smpl} for each in (take, truth.take)]
    for each, bodies in zip((take, truth.take), sides):
        if not bodies:
            return f"{each.name} has no SMPL poses"
    names = [" and ".join(sorted(bodies)) for bodies in sides]
    return f"poses of the body '{names[0]}' are not those of '{names[1]}'"


SCHEMA = 1
"""Version of the JSON report, whose key names contain the units; unknown values are null."""


def write_report(evaluation: Evaluation, path: Path) -> None:
    """Write the JSON file. Raises RemiError if it cannot be written."""
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(json_compatible(report_document(evaluation)))) + b"\n")
    except OSError as error:
        raise RemiError(f"{path} cannot be written: {error.strerror or error}.") from None


def report_document(evaluation: Evaluation) -> dict[str, Any]:
    """Return the JSON document, without the single frames."""
    joint_set = JOINT_SETS[evaluation.joint_set]
    return {
        "schema": SCHEMA,
        "prediction": evaluation.names[0],
        "truth": evaluation.names[1],
        "engine": evaluation.engines[0],
        "truth_engine": evaluation.engines[1],
        "joint_set": {"name": joint_set.name, "joints": joint_set.names, "root": joint_set.root},
        "frames": {"truth": evaluation.frames[0], "compared": evaluation.frames[1], "per_second": evaluation.fps},
        "extra": evaluation.extra,
        "overall": score_fields(evaluation.overall),
        "people": {str(track): score_fields(each) for track, each in evaluation.people.items()},
        "joints": {name: each._asdict() for name, each in evaluation.joints.items()},
        "left_out": evaluation.left_out,
        "notes": evaluation.notes,
    }


def score_fields(values: Scores) -> dict[str, Any]:
    """Return the fields of one row of scores."""
    named = values._asdict()
    named["id_switches"] = named.pop("switches")
    named["acceleration_mm_per_frame2"] = named.pop("acceleration_mm")
    return {"detection_rate": values.detection_rate, **named}


def json_compatible(value: Any) -> Any:
    """Replace NaN and infinite numbers by None (null), recursively."""
    if isinstance(value, Mapping):
        return {name: json_compatible(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [json_compatible(each) for each in value]
    # JSON has no NaN
    return None if isinstance(value, float) and not math.isfinite(value) else value
