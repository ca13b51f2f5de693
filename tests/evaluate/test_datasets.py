"""3DPW's and EMDB's pickles in their published layout: poses in world axes, a moving camera."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from remi_stream.body.smpl import Body, load_default_body
from remi_stream.errors import UsageError
from remi_stream.evaluate.datasets import read_truth, smpl_body_for_gender
from remi_stream.evaluate.evaluation import evaluate
from remi_stream.models.smpl_pickle import SMPL_ARRAY_SHAPES, decode_array, read_safe_pickle
from remi_stream.recordings.take import Take
from tests.evaluate.worlds import FRAMES, as_python_2, changed, clip, write_3dpw, write_emdb
from tests.models.malice import NAMES, orders

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))


@pytest.fixture(scope="module")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of SMPL's pickles: a male body as Python 2 wrote it, and a damaged one."""
    from tools.make_weights import smpl

    folder = tmp_path_factory.mktemp("bodies")
    smpl(chumpy=True)(folder / "basicmodel_m_lbs_10_207_0_v1.0.0.pkl", 1)
    (folder / "SMPL_FEMALE.pkl").write_bytes(b"not to be taken for a man's")
    return folder


def male(folder: Path) -> Body:
    body = smpl_body_for_gender("male", folder)
    assert body is not None
    return body


def as_smpl(take: Take) -> Take:
    """Label poses of the open body as SMPL's."""
    return changed(take, lambda person: replace(person, smpl=replace(person.smpl, body="smpl")))  # type: ignore[type-var]


def test_body_of_a_gender_may_be_an_npz(bodies: Path, tmp_path: Path) -> None:
    content = read_safe_pickle(bodies / "basicmodel_m_lbs_10_207_0_v1.0.0.pkl")
    np.savez(tmp_path / "SMPL_MALE.npz", **{name: decode_array(content[name]) for name in SMPL_ARRAY_SHAPES})  # type: ignore[arg-type]
    assert np.array_equal(male(tmp_path).shapedirs, male(bodies).shapedirs)


def test_3dpw_is_read_into_the_camera(tmp_path: Path) -> None:
    truth = read_truth(str(write_3dpw(tmp_path / "dance.pkl")), None)
    assert (truth.take.name, truth.take.size, truth.take.fps, len(truth.take.frames)) == ("dance_00", (1280, 720), 30, FRAMES)
    for got, wanted in zip(truth.take.frames, clip(people=2).frames, strict=True):
        for person, dancer in zip(got.people, wanted.people, strict=True):
            assert (person.track_id, person.skeleton) == (dancer.track_id, "smpl24")
            assert np.abs(person.joints_m - dancer.joints_m).max() < 1e-4
            assert person.smpl is not None
            assert dancer.smpl is not None
            assert np.abs(person.smpl.transl - dancer.smpl.transl).max() < 1e-4
            joints = load_default_body().joints(
                person.smpl.global_orient, person.smpl.body_pose, np.zeros(10), person.smpl.transl
            )
            assert np.abs(joints - dancer.joints_m).max() < 1e-4


def test_right_prediction_of_3dpw_has_no_error(tmp_path: Path) -> None:
    result = evaluate(as_smpl(clip(people=2)), read_truth(str(write_3dpw(tmp_path / "dance.pkl")), None))
    scores = result.overall
    assert (scores.found, scores.switches, set(result.people)) == (2 * FRAMES, 0, {1, 2})
    assert max(scores.mpjpe_mm, scores.pa_mpjpe_mm, scores.acceleration_mm, scores.rotation_deg, scores.root_mm) < 0.1
    assert "PVE" in result.left_out
    assert "give --bodies DIR with SMPL_FEMALE.pkl and SMPL_MALE.pkl" in result.notes[0]


def test_3dpw_people_without_a_valid_camera_pose_or_2d_points_are_not_visible(tmp_path: Path) -> None:
    valid, seen = [np.array([1, 1, 0, 0, 1, 1]), np.ones(FRAMES, int)], np.ones((FRAMES, 3, 18))
    seen[5] = 0
    path = write_3dpw(tmp_path / "dance.pkl", campose_valid=valid, poses2d=[np.ones((FRAMES, 3, 18)), seen])
    assert [len(frame.people) for frame in read_truth(str(path), None).take.frames] == [2, 2, 1, 1, 2, 1]


def test_emdb_has_the_joints_of_its_gender_s_body(bodies: Path, tmp_path: Path) -> None:
    good = [True, True, False, True, True, True]
    body = male(bodies)
    path = write_emdb(tmp_path / "P0_data.pkl", body, good=good, bboxes=boxes(invalid=[4]))
    truth = read_truth(str(path), bodies)
    assert (truth.take.name, truth.take.size, truth.notes) == ("P0_dance", (1280, 720), ())
    assert [len(frame.people) for frame in truth.take.frames] == [1, 1, 0, 1, 1, 1]
    person, dancer = truth.take.frames[3].people[0], clip().frames[3].people[0]
    assert person.smpl is not None
    assert dancer.smpl is not None
    smpl = dancer.smpl
    joints = body.joints(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)
    shift = joints[0] - person.joints_m[0]  # bodies turn about their own pelvis
    assert np.abs(shift).max() < 0.05
    assert np.abs(person.joints_m + shift - joints).max() < 1e-4
    assert np.abs(person.smpl.body_pose - smpl.body_pose).max() < 1e-5
    assert np.array_equal(person.box_xyxy, dancer.box_xyxy)
    around = truth.take.frames[4].people[0].box_xyxy - clip().frames[4].people[0].box_xyxy
    assert 0 < np.abs(around).max() < 20  # of the joints of a body that is a little different


def boxes(invalid: list[int]) -> dict[str, Any]:
    frames = clip().frames
    return {"bboxes": np.array([frame.people[0].box_xyxy for frame in frames], float), "invalid_idxs": np.array(invalid)}


def test_right_prediction_of_emdb_has_no_error_of_skin_either(
    bodies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = male(bodies)
    monkeypatch.setattr("remi_stream.evaluate.truth.known_body", lambda: body)  # as if it had been imported
    truth = read_truth(str(write_emdb(tmp_path / "P0_data.pkl", body, frames=3)), bodies)
    scores = evaluate(truth.take, truth).overall
    assert (scores.found, scores.mpjpe_mm, scores.pve_mm, scores.rotation_deg) == (3, 0, 0, 0)


def test_emdb_without_its_body_still_has_rotations_and_boxes(tmp_path: Path) -> None:
    truth = read_truth(str(write_emdb(tmp_path / "P0_data.pkl", load_default_body())), None)
    result = evaluate(as_smpl(clip()), truth)
    assert (result.overall.found, np.isnan(result.overall.mpjpe_mm)) == (FRAMES, True)
    assert result.overall.rotation_deg < 0.01
    assert "give --bodies DIR with SMPL_MALE.pkl (or .npz)" in result.notes[0]


@pytest.mark.parametrize("write", [pickle.dumps, as_python_2], ids=["3", "python 2"])
@pytest.mark.parametrize("name", NAMES)
def test_pickle_that_runs_code_is_refused_before_it_does(name: str, write: Any, tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "dance.pkl"
    path.write_bytes(write({"poses": [orders(trace)[name]], "sequence": "x"}))
    with pytest.raises(UsageError, match="would run code when it is read"):
        read_truth(str(path), None)
    assert not trace.exists()


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "cameras": ({"cam_poses": np.zeros((FRAMES, 3, 3))}, "cam_poses is 6 x 3 x 3, expected any x 4 x 4"),
    "poses": ({"poses": [np.zeros((FRAMES, 63))] * 2}, "poses is 6 x 63, expected any x 72"),
    "too short": ({"trans": [np.zeros((2, 3))] * 2}, "person 1 has 2 frames and 10 betas, expected 6 and 10"),
    "one person less": ({"betas": [np.zeros(10)]}, "index out of range"),
    "one actor's poses": ({"jointPositions": [np.zeros((FRAMES, 72))]}, "jointPositions has 1 people, poses has 2 or more"),
    "text": ({"trans": ["here", "there"]}, "trans holds no numbers"),
    "gender": ({"genders": ["x", "y"]}, "gender is 'x'"),
    "objects": ({"cam_intrinsics": np.array([None] * 9).reshape(3, 3)}, "cam_intrinsics holds no numbers"),
}


@pytest.mark.parametrize(("more", "message"), BAD.values(), ids=BAD)
def test_invalid_3dpw_field_is_reported_in_one_line(more: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read as that") as error:
        read_truth(str(write_3dpw(tmp_path / "dance.pkl", **more)), None)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps({"a": 1, "b": 2}), "is no sequence of 3DPW or EMDB: it holds a, b; expected"),
        (pickle.dumps([1]), "it holds a list"),
        (b"nothing", "truncated or damaged, or not a pickle"),
        (b"", "truncated or damaged, or not a pickle"),
    ],
)
def test_other_pickles_are_reported_in_one_line(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "some.pkl").write_bytes(content)
    with pytest.raises(UsageError) as error:
        read_truth(str(tmp_path / "some.pkl"), None)
    assert message in str(error.value)


def test_missing_emdb_fields_are_reported(tmp_path: Path) -> None:
    path = write_emdb(tmp_path / "P0_data.pkl", load_default_body(), camera={"extrinsics": np.zeros((FRAMES, 4, 4))})
    with pytest.raises(UsageError, match="it has no intrinsics"):
        read_truth(str(path), None)
    path = write_emdb(tmp_path / "P0_data.pkl", load_default_body(), smpl=[1])
    with pytest.raises(UsageError, match="smpl is a list, expected named arrays"):
        read_truth(str(path), None)
