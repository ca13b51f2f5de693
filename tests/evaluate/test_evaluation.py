from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from remi_stream.body.smpl import rotate_body
from remi_stream.errors import UsageError
from remi_stream.evaluate.evaluation import EvaluationOptions, evaluate
from remi_stream.evaluate.scores import Scores
from remi_stream.evaluate.truth import GroundTruth
from remi_stream.geometry import axis_angle_from_matrices, matrices_from_axis_angle
from remi_stream.messages import Person, Smpl
from remi_stream.recordings.take import Take
from remi_stream.skeletons import JOINT_NAMES, joint_indices
from tests.evaluate.worlds import FRAMES, changed, clip, with_people


def pose(person: Person) -> Smpl:
    assert person.smpl is not None
    return person.smpl


def test_truth_against_itself_is_all_zero() -> None:
    result = evaluate(clip(people=2), GroundTruth(clip(people=2)))
    scores = result.overall
    assert (scores.visible, scores.found, scores.switches, result.extra) == (2 * FRAMES, 2 * FRAMES, 0, 0)
    assert max(scores.mpjpe_mm, scores.pve_mm, scores.acceleration_mm, scores.rotation_deg, scores.root_mm) == 0
    assert scores.pa_mpjpe_mm < 1e-6
    assert scores.detection_rate == 1
    assert set(result.people) == {1, 2}
    assert set(result.joints) == set(JOINT_NAMES["smpl24"])
    assert result.left_out == {}


@pytest.mark.parametrize("match", ["box", "root"])
def test_known_offset_is_a_known_error_of_the_root_and_no_other(match: str) -> None:
    away = np.array([0.03, 0, 0.04], np.float32)

    def pushed(person: Person) -> Person:
        return replace(person, joints_m=person.joints_m + away, smpl=replace(pose(person), transl=pose(person).transl + away))

    scores = evaluate(changed(clip(), pushed), GroundTruth(clip()), EvaluationOptions(match=match)).overall  # type: ignore[arg-type]
    assert scores.root_mm == pytest.approx(50, abs=1e-2)
    assert max(scores.mpjpe_mm, scores.pve_mm, scores.rotation_deg) < 1e-2


def test_one_joint_that_is_off_is_that_joint_s_error_and_a_24th_of_all() -> None:
    wrist = JOINT_NAMES["smpl24"].index("left_wrist")

    def bent(person: Person) -> Person:
        joints = person.joints_m.copy()
        joints[wrist] += (0, 0.12, 0)
        return replace(person, joints_m=joints)

    result = evaluate(changed(clip(), bent), GroundTruth(clip()))
    assert result.overall.mpjpe_mm == pytest.approx(120 / 24, rel=1e-4)
    assert result.joints["left_wrist"].mpjpe_mm == pytest.approx(120, rel=1e-4)
    assert result.joints["right_wrist"].mpjpe_mm == 0
    assert 0 < result.overall.pa_mpjpe_mm < result.joints["left_wrist"].pa_mpjpe_mm < 120
    assert result.overall.acceleration_mm < 1e-3


def test_turned_root_is_a_rotation_error_that_procrustes_forgives() -> None:
    turn = matrices_from_axis_angle(np.array([0, np.radians(20), 0]))

    def turned(person: Person) -> Person:
        pelvis = person.joints_m[0].astype(float)
        orient, _ = rotate_body(turn, np.zeros(3), pose(person).global_orient, np.zeros(3))
        joints = (person.joints_m - pelvis) @ turn.T + pelvis
        smpl = replace(pose(person), global_orient=orient.astype(np.float32))
        return replace(person, joints_m=joints.astype(np.float32), smpl=smpl)

    result = evaluate(changed(clip(), turned), GroundTruth(clip()))
    assert result.joints["pelvis"].rotation_deg == pytest.approx(20, abs=1e-3)
    assert result.overall.rotation_deg == pytest.approx(20 / 24, abs=1e-3)
    assert result.overall.pa_mpjpe_mm < 1e-3
    assert result.overall.mpjpe_mm > 20
    assert result.overall.pve_mm > 20


def test_bent_elbow_is_the_elbow_s_rotation_error() -> None:
    elbow = JOINT_NAMES["smpl24"].index("right_elbow")

    def bent(person: Person) -> Person:
        vectors = pose(person).body_pose.reshape(23, 3).astype(float)
        vectors[elbow - 1] = axis_angle_from_matrices(
            matrices_from_axis_angle(vectors[elbow - 1]) @ matrices_from_axis_angle(np.array([0, 0, 0.5]))
        )
        return replace(person, smpl=replace(pose(person), body_pose=vectors.ravel().astype(np.float32)))

    joints = evaluate(changed(clip(2), bent), GroundTruth(clip(2))).joints
    assert joints["right_elbow"].rotation_deg == pytest.approx(np.degrees(0.5), abs=1e-3)
    assert max(scores.rotation_deg for name, scores in joints.items() if name != "right_elbow") < 1e-3


def test_swapped_ids_are_counted_for_both() -> None:
    def swapped(person: Person) -> Person:
        return replace(person, track_id=3 - person.track_id)

    take, half = clip(people=2), FRAMES // 2
    frames = [*take.frames[:half], *changed(take, swapped).frames[half:]]
    result = evaluate(Take("swapped", take.size, take.fps, frames), GroundTruth(take))
    assert (result.overall.switches, result.people[1].switches, result.people[2].switches) == (2, 1, 1)
    assert result.overall.mpjpe_mm == 0


def test_missed_people_lower_the_detection_rate_and_unmatched_ones_are_extra() -> None:
    take = clip(people=2)
    frames = [replace(bodies, people=bodies.people[: 1 + number % 2]) for number, bodies in enumerate(take.frames)]
    missed = Take("missed", take.size, take.fps, frames)
    result = evaluate(missed, GroundTruth(take))
    assert (result.overall.found, result.overall.detection_rate) == (FRAMES * 3 // 2, 0.75)
    assert (result.people[1].detection_rate, result.people[2].detection_rate) == (1, 0.5)
    assert [moment.found for moment in result.frame_scores] == [1, 2] * (FRAMES // 2)
    assert evaluate(take, GroundTruth(missed)).extra == FRAMES // 2


def test_prediction_without_people_has_a_detection_rate_of_zero_only() -> None:
    result = evaluate(with_people(clip(), FRAMES, lambda *_: []), GroundTruth(clip()))
    assert result.overall.detection_rate == 0
    assert np.isnan(result.overall.mpjpe_mm)
    assert list(result.left_out.values()) == ["no person was found"]


@pytest.mark.parametrize("every", [1, 2])
def test_acceleration_is_of_the_frames_compared(every: int) -> None:
    def fallen(person: Person, number: int) -> list[Person]:
        joints = person.joints_m.copy()
        joints[1:] += np.array([0, 0.0005 * number**2, 0], np.float32)
        return [replace(person, joints_m=joints)]

    truth = clip(12)
    still = with_people(truth, 12, lambda _, number: [replace(truth.frames[0].people[0], track_id=1)])
    take = with_people(still, 12, fallen)
    slower = Take("fallen", take.size, take.fps / every, take.frames[::every])
    result = evaluate(slower, GroundTruth(still))
    assert (result.frames, result.fps) == ((12, 12 // every), 30 / every)
    joints = 23 / 24  # the pelvis has none
    assert result.overall.acceleration_mm == pytest.approx(joints * every**2, rel=1e-3)
    assert result.overall.acceleration_m_per_s2 == pytest.approx(joints * 0.9, rel=1e-3)


def test_camera_clock_and_smaller_images_change_nothing() -> None:
    take = clip()
    halved = changed(
        take,
        lambda person: replace(person, box_xyxy=person.box_xyxy / 2),
        lambda bodies: replace(bodies, captured_at=bodies.captured_at + 1000.0, size=(640, 360)),
    )
    scores = evaluate(halved, GroundTruth(take)).overall
    assert (scores.found, scores.mpjpe_mm) == (FRAMES, 0)


def test_offset_is_where_in_the_truth_a_cut_video_begins() -> None:
    take = clip(8)
    cut = [replace(bodies, frame_id=number, captured_at=number / 30) for number, bodies in enumerate(take.frames[3:])]
    late = Take("late", take.size, take.fps, cut)
    assert evaluate(late, GroundTruth(take), EvaluationOptions(offset_s=0.1)).overall.mpjpe_mm == 0
    assert evaluate(late, GroundTruth(take)).overall.mpjpe_mm > 1
    with pytest.raises(UsageError, match="--offset S"):
        evaluate(late, GroundTruth(take), EvaluationOptions(offset_s=60))


def flat(person: Person, skeleton: str) -> Person:
    """A person with another skeleton, with the SMPL joints of the same names, and no pose."""
    joints = np.zeros((len(JOINT_NAMES[skeleton]), 3), np.float32)
    for index, name in enumerate(JOINT_NAMES[skeleton]):
        if name in JOINT_NAMES["smpl24"]:
            joints[index] = person.joints_m[joint_indices("smpl24", (name,))[0]]
    return replace(person, skeleton=skeleton, joints_m=joints, smpl=None)


@pytest.mark.parametrize("skeleton", ["blazepose33", "coco17", "h36m17", "mhr70"])
def test_joints_of_other_skeletons_are_compared_by_their_names(skeleton: str) -> None:
    result = evaluate(changed(clip(2), lambda person: flat(person, skeleton)), GroundTruth(clip(2)))
    assert (result.joint_set, len(result.joints), result.overall.mpjpe_mm) == ("limbs12", 12, 0)
    assert result.left_out["rotation, PVE"] == "sample has no SMPL poses"


def test_poses_of_another_body_are_compared_by_joints_alone() -> None:
    other = changed(clip(2), lambda person: replace(person, smpl=replace(pose(person), body="smpl")))
    result = evaluate(other, GroundTruth(clip(2)))
    assert (result.joint_set, result.overall.mpjpe_mm) == ("smpl24", 0)
    assert np.isnan(result.overall.rotation_deg)
    assert result.left_out["rotation, PVE"] == "poses of the body 'smpl' are not those of 'open'"


def test_body_gives_the_joints_that_an_engine_does_not_publish() -> None:
    landmarks = changed(clip(2), lambda person: replace(flat(person, "blazepose33"), smpl=person.smpl))
    assert evaluate(landmarks, GroundTruth(clip(2))).joint_set == "smpl24"
    result = evaluate(landmarks, GroundTruth(clip(2)), EvaluationOptions("lsp14"))
    placed = [name for name, scores in result.joints.items() if np.isfinite(scores.mpjpe_mm)]
    assert (len(placed), len(result.joints)) == (14, 24)  # the others only turn
    assert result.overall.mpjpe_mm < 0.01


def test_missing_joint_set_is_reported() -> None:
    blind = changed(clip(2), lambda person: flat(person, "coco17"))
    with pytest.raises(UsageError, match="--joint-set smpl24: sample does not have these joints"):
        evaluate(blind, GroundTruth(clip(2)), EvaluationOptions("smpl24"))
    with pytest.raises(UsageError, match=r"Unknown joint set 'smpl42'.*Known: limbs12, lsp14, smpl24"):
        evaluate(blind, GroundTruth(clip(2)), EvaluationOptions("smpl42"))


def test_independent_images_have_no_switches() -> None:
    take = clip(2)
    result = evaluate(Take("shots", take.size, take.fps, take.frames, ("a.jpg", "b.jpg")), GroundTruth(take))
    assert result.overall.switches is None
    assert "switches" in result.left_out


def test_people_without_any_joints_are_found_and_no_more() -> None:
    blank = changed(clip(3), lambda person: replace(person, joints_m=np.zeros((0, 3), np.float32), smpl=None))
    result = evaluate(blank, GroundTruth(clip(3)))
    assert isinstance(result.overall, Scores)
    assert (result.overall.found, np.isnan(result.overall.mpjpe_mm), result.joints) == (3, True, {})
    assert "no set of joints in common" in " ".join(result.left_out.values())
