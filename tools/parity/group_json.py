"""AlphaPose's result files, in their three formats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from parity.rows import Entries, Row, compare, same
from remi_stream.export.alphapose import (
    RESULTS_FILE,
    AlphaPoseFormat,
    AlphaPoseResult,
    keypoint_triples,
    result_documents,
    to_openpose18,
)

GROUP = "json"
FORMS: tuple[AlphaPoseFormat, ...] = ("coco", "cmu", "open")
TOLERANCE = 1e-12


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """Check whole files for 17 joints, and key-point lists for 136. Names, boxes and ids come from the expected files."""
    files = manifest["json_files"]
    people = results(entries, "j17", files["j17.coco"][RESULTS_FILE])
    for form in FORMS:
        yield same(f"json.j17.{form}", result_documents(people, form), files[f"j17.{form}"])
    many = results(entries, "j136", files["j17.coco"][RESULTS_FILE])
    yield compare("json.j136.out.coco", [keypoint_triples(one).ravel() for one in many], entries["json.j136.out.coco"], TOLERANCE)
    for form in FORMS[1:]:
        lists = [to_openpose18(keypoint_triples(one)).ravel() for one in many]
        yield compare(f"json.j136.out.{form}", lists, entries[f"json.j136.out.{form}"], TOLERANCE)


def results(entries: Entries, joints: str, expected: list[dict[str, Any]]) -> list[AlphaPoseResult]:
    """Read the inputs of the writer."""
    inputs = [entries[f"json.{joints}.in.{name}"] for name in ("keypoints", "kp_score", "proposal_score")]
    return [
        AlphaPoseResult(
            each["image_id"], points, scores[:, 0], float(score), tuple(each["box"]), tuple(i for (i,) in each["idx"])
        )
        for each, points, scores, score in zip(expected, *inputs)
    ]
