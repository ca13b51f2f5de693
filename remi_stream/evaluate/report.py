"""Write an evaluation as JSON, with units in the key names and null for unknown values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from remi_stream.errors import RemiError
from remi_stream.evaluate.joint_sets import JOINT_SETS
from remi_stream.evaluate.scores import Evaluation, Scores

SCHEMA = 1
"""Version of the JSON layout."""


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
    return None if isinstance(value, float) and not math.isfinite(value) else value
