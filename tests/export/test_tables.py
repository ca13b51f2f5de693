"""The tables: CSV, read by NumPy and csv, and JSON."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from remi_stream.export import tables
from remi_stream.recordings.take import Take
from remi_stream.skeletons import JOINT_NAMES
from tests.clip import FPS
from tests.export.dance import FRAMES, joints_of, person, smpl, take, there
from tests.sample import bodies


def test_numpy_reads_a_row_for_each_person_in_each_frame_by_name(tmp_path: Path) -> None:
    (path,) = tables.write_csv(take(), tmp_path)
    rows = np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf-8")
    assert rows["frame"].tolist() == sorted(there(1) + there(2))
    second = rows[rows["track_id"] == 2]
    assert second["frame"].tolist() == there(2)
    np.testing.assert_allclose(second["time_s"], np.array(there(2)) / FPS, atol=1e-6)
    assert set(rows["body"]) == {"open"}
    for row, k in zip(second, there(2)):
        pose = smpl(k, 2)
        turned = [row[f"pose_left_knee_{axis}_rad"] for axis in "xyz"]
        at = JOINT_NAMES["smpl24"].index("left_knee")
        np.testing.assert_allclose(turned, pose.body_pose.reshape(23, 3)[at - 1], atol=1e-6)
        np.testing.assert_allclose([row[f"joint_left_knee_{axis}_m"] for axis in "xyz"], joints_of(pose)[at], atol=1e-6)
        np.testing.assert_allclose([row[f"transl_{axis}_m"] for axis in "xyz"], pose.transl, atol=1e-6)
        np.testing.assert_allclose([row[f"beta_{index}"] for index in range(10)], pose.betas, atol=1e-6)
    assert len(rows) == FRAMES + len(there(2))


def test_what_is_not_known_is_an_empty_cell(tmp_path: Path) -> None:
    flat = person(0, 2, smpl=None, skeleton="coco17", joints_m=np.ones((17, 3), np.float32))
    frames = [bodies(people=[person(0, 1), flat]), bodies(1, people=[])]
    (path,) = tables.write_csv(Take("two", (640, 360), 30.0, frames), tmp_path)
    with path.open() as file:
        full, empty = csv.DictReader(file)
    assert full["pose_pelvis_x_rad"] != ""
    assert full["joint_nose_x_m"] == ""
    assert (empty["pose_pelvis_x_rad"], empty["beta_9"], empty["transl_z_m"], empty["body"]) == ("",) * 4
    assert (empty["joint_nose_x_m"], empty["joint_left_knee_z_m"], empty["joint_pelvis_x_m"]) == ("1.000000", "1.000000", "")
    assert None not in full
    assert None not in empty


def test_json_has_the_people_of_each_frame_in_the_fields_of_the_protocol(tmp_path: Path) -> None:
    flat = person(0, 2, smpl=None, skeleton="coco17", joints_m=np.full((17, 3), np.nan, np.float32))
    frames = [bodies(people=[person(0, 1), flat]), bodies(1, people=[])]
    (path,) = tables.write_json(Take("two", (640, 360), 30.0, frames), tmp_path)
    found = json.loads(path.read_text())
    assert {name: found[name] for name in ("name", "size", "fps")} == {"name": "two", "size": [640, 360], "fps": 30.0}
    assert found["joint_names"]["smpl24"] == list(JOINT_NAMES["smpl24"])
    assert [(frame["frame"], len(frame["people"])) for frame in found["frames"]] == [(0, 2), (1, 0)]
    full, empty = found["frames"][0]["people"]
    pose = smpl(0, 1)
    assert (full["track_id"], full["skeleton"], full["smpl"]["body"]) == (1, "smpl24", "open")
    for name in ("global_orient", "body_pose", "betas", "transl"):
        np.testing.assert_allclose(full["smpl"][name], getattr(pose, name), atol=1e-6)
    np.testing.assert_allclose(full["joints_m"], joints_of(pose), atol=1e-6)
    assert (empty["smpl"], empty["joints_m"][0]) == (None, [None] * 3)
    assert path.read_text().count("\n") == 4  # head, two frames, end
