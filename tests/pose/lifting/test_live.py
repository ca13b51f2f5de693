"""People are lifted live: the window's time, the place before the camera, and what is remembered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from remi_stream.body.smpl import load_default_body
from remi_stream.errors import RemiError
from remi_stream.geometry import Intrinsics, angle_between, project
from remi_stream.messages import Person
from remi_stream.models.manifest import find_manifest
from remi_stream.models.store import model_path
from remi_stream.pose.engine import load_engine
from remi_stream.pose.lifting.engine import LiftedPose, LiftingEngine, LiftingEngineState, coco_keypoints
from remi_stream.pose.videopose3d import (
    FRAME_RATE_HZ,
    RECEPTIVE_FIELD,
    KeypointHistory,
    VideoPose3DLifter,
    extend_history,
    normalise_keypoints,
    resample_history,
    start_history,
)
from remi_stream.skeletons import JOINT_NAMES, joint_indices
from remi_stream.tracking.crop import Crop, Pose
from tests.clip import truth
from tests.sample import person

SIZE = (1280, 720)
COCO, H36M, SMPL = JOINT_NAMES["coco17"], JOINT_NAMES["h36m17"], JOINT_NAMES["smpl24"]
CALLED = {"hip": "pelvis", "spine": "spine2", "thorax": "neck", "neck_nose": "head"}
SHARED = [name for name in H36M if name in COCO]
SURE = np.ones(17, np.float32)


def camera() -> Intrinsics:
    k = truth()["K"]
    return float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2])


def joints(k: int) -> np.ndarray:
    """The sample's joints as H36M's, (17, 3) m, camera frame; the top of the head straight above the neck."""
    stored = truth()["joints_m"][k].astype(float)
    found = np.array([stored[SMPL.index(CALLED.get(name, name))] for name in H36M])
    found[H36M.index("head")] = found[H36M.index("thorax")] + 1.4 * (stored[15] - stored[12])
    return found


def keypoints(k: int) -> np.ndarray:
    """The same as COCO's key points, (17, 2) px; the face is where the head is."""
    space = [joints(k)[H36M.index(name if name in H36M else "neck_nose")] for name in COCO]
    return project(np.array(space), camera()).astype(np.float32)


class KnownJoints:
    """A network with the true joints, relative to the hip, for the key points of one frame of its window (nearest neighbour)."""

    name = "fake"

    def __init__(self, frame: int = -1) -> None:
        self.frame = frame
        self.windows: list[np.ndarray] = []
        self.known = np.array([normalise_keypoints(keypoints(k), SIZE) for k in range(240)])

    def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        window = tensors["keypoints"]
        assert window.dtype == np.float32
        self.windows.append(window[0].copy())
        k = int(np.abs(self.known - window[0, self.frame]).sum((1, 2)).argmin())
        return {"joints": (joints(k) - joints(k)[0])[None, None].astype(np.float32)}


def lifted(count: int, lifter: VideoPose3DLifter, step: int = 1, scores: np.ndarray = SURE) -> list[LiftedPose]:
    """The sample's first frames, one after the other, at 30 Hz."""
    found: list[LiftedPose] = []
    for k in range(0, count, step):
        state = found[-1].state if found else None
        found.append(lifter.lift(state, keypoints(k), scores, SIZE, camera(), 50 + k / 30))
    return found


def lifter(network: KnownJoints | None = None, causal: bool = True) -> VideoPose3DLifter:
    return VideoPose3DLifter(network or KnownJoints(), load_default_body(), causal)


def test_true_joints_come_back_where_they_are() -> None:
    for k, found in zip(range(0, 240, 20), lifted(240, lifter(), 20)):
        assert found.joints_m.dtype == np.float32
        np.testing.assert_allclose(found.joints_m, joints(k), atol=0.01)


def test_body_takes_the_pose_and_the_place() -> None:
    body = load_default_body()
    bones = [("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")]
    starts, ends = ([SMPL.index(f"{side}_{bone[end]}") for side in ("left", "right") for bone in bones] for end in (0, 1))
    for k, found in zip(range(0, 240, 20), lifted(240, lifter(), 20)):
        smpl, true = found.smpl, truth()["joints_m"][k]
        assert smpl is not None
        posed = body.joints(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)
        assert np.degrees(angle_between(posed[ends] - posed[starts], true[ends] - true[starts])).max() < 8
        assert np.linalg.norm(posed[0] - true[0]) < 0.06
        assert smpl.joint_confidence[SMPL.index("head")] == 0


def test_window_is_filled_with_the_first_pose_while_the_track_is_young() -> None:
    network = KnownJoints()
    lifted(2, lifter(network))
    young = network.windows[1]
    assert young.shape == (RECEPTIVE_FIELD, 17, 2)
    np.testing.assert_allclose(young[-1], normalise_keypoints(keypoints(1), SIZE), atol=1e-6)
    np.testing.assert_allclose(
        young[:-2], np.broadcast_to(normalise_keypoints(keypoints(0), SIZE), (RECEPTIVE_FIELD - 2, 17, 2)), atol=1e-6
    )


def test_window_runs_at_the_rate_of_the_training_whatever_the_camera_does() -> None:
    network = KnownJoints()
    lifted(240, lifter(network), 3)
    assert FRAME_RATE_HZ == 50
    at = 237 - 30 / FRAME_RATE_HZ * np.arange(RECEPTIVE_FIELD - 1, -1, -1)
    known = np.array([normalise_keypoints(keypoints(k), SIZE) for k in range(0, 240, 3)])
    for row in (-1, -2, -100, 100, 0):
        k = max(at[row], 0) / 3
        low = int(k)
        between = known[low] + (k - low) * (known[min(low + 1, len(known) - 1)] - known[low])
        np.testing.assert_allclose(network.windows[-1][row], between, atol=1e-4)


def test_symmetric_network_gets_the_last_pose_for_future_frames() -> None:
    network = KnownJoints(frame=RECEPTIVE_FIELD // 2)
    found = lifted(60, lifter(network, causal=False), 5)
    np.testing.assert_allclose(found[-1].joints_m, joints(55), atol=0.01)
    window = network.windows[-1]
    assert (window[RECEPTIVE_FIELD // 2 :] == window[RECEPTIVE_FIELD // 2]).all()
    assert (window[RECEPTIVE_FIELD // 2 - 1] != window[RECEPTIVE_FIELD // 2]).any()


@pytest.mark.parametrize(("causal", "outputs", "right"), [(True, 5, 4), (False, 5, 2), (True, 1, 0), (False, 1, 0)])
def test_output_of_the_right_frame_is_taken_from_a_network_that_sees_less(causal: bool, outputs: int, right: int) -> None:
    class FewerOutputs(KnownJoints):
        def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            all_wrong = np.zeros((1, outputs, 17, 3), np.float32)
            all_wrong[:, right] = super().run(tensors)["joints"][:, 0]
            return {"joints": all_wrong}

    found = lifter(FewerOutputs(-1 if causal else RECEPTIVE_FIELD // 2), causal).lift(
        None, keypoints(0), SURE, SIZE, camera(), 1.0
    )
    np.testing.assert_allclose(found.joints_m, joints(0), atol=0.01)


def test_feet_face_and_hands_change_nothing() -> None:
    whole = np.concatenate([keypoints(0), np.full((119, 2), 7, np.float32)])
    found = lifter().lift(None, whole, np.ones(136, np.float32), SIZE, camera(), 1.0)
    np.testing.assert_array_equal(found.joints_m, lifter().lift(None, keypoints(0), SURE, SIZE, camera(), 1.0).joints_m)


def test_invisible_joints_do_not_move_the_person() -> None:
    legs = joint_indices("coco17", ("left_knee", "right_knee", "left_ankle", "right_ankle"))
    scores, wrong = SURE.copy(), keypoints(0)
    scores[legs] = 0
    wrong[legs] += 40

    class First(KnownJoints):
        def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {"joints": (joints(0) - joints(0)[0])[None, None].astype(np.float32)}

    found = lifter(First()).lift(None, wrong, scores, SIZE, camera(), 1.0)
    np.testing.assert_allclose(found.joints_m, joints(0), atol=0.02)
    assert found.smpl is not None
    assert found.smpl.joint_confidence[SMPL.index("left_knee")] == 0


def test_person_with_too_few_key_points_gets_no_joints_but_keeps_the_state() -> None:
    network = KnownJoints()
    each = lifter(network)
    nothing = each.lift(None, keypoints(0), np.full(17, 0.05, np.float32), SIZE, camera(), 1.0)
    assert nothing.joints_m.shape == (0, 3)
    assert nothing.smpl is None
    seen = each.lift(nothing.state, keypoints(1), SURE, SIZE, camera(), 1.1)
    assert len(seen.joints_m) == 17
    np.testing.assert_allclose(network.windows[-1][0], normalise_keypoints(keypoints(0), SIZE), atol=1e-6)


@pytest.mark.parametrize(("state", "at"), [("somebody else's", 1.0), ("own", 1.0), ("own", 99.0)])
def test_track_begins_anew_after_a_long_time_or_with_another_engine(state: str, at: float) -> None:
    network = KnownJoints()
    each = lifter(network)
    before = each.lift(None, keypoints(0), SURE, SIZE, camera(), 1.0).state if state == "own" else state
    each.lift(before, keypoints(60), SURE, SIZE, camera(), at)
    assert (network.windows[-1] == network.windows[-1][-1]).all()


def test_history_keeps_what_is_needed_and_no_more() -> None:
    history = start_history(np.zeros((17, 2), np.float32), 0.0)
    for k in range(1, 1000):
        history = extend_history(history, np.full((17, 2), k, np.float32), k / 10, 2.0)
    assert len(history.times) <= 23
    assert history.times[0] <= history.times[-1] - 2.0
    assert resample_history(history, 3, 1.0)[:, 0, 0].tolist() == [979, 989, 999]
    assert resample_history(history, 41, 0.05)[::10, 0, 0] == pytest.approx([979, 984, 989, 994, 999])


def test_history_holds_still_before_it_begins() -> None:
    history = KeypointHistory(np.array([1.0, 1.5]), np.array([[[2.0, 0]], [[4.0, 0]]], np.float32))
    assert resample_history(history, 5, 0.25)[:, 0, 0].tolist() == [2, 2, 2, 3, 4]
    assert resample_history(start_history(history.points[0], 3.0), 4, 0.5)[:, 0, 0].tolist() == [2] * 4


class Engine:
    """An engine that finds the same person in every crop, and counts in its state how often."""

    name, runtime_name = "fake", "none"
    is_stateless = False
    has_gates = False

    def __init__(self, found: Person | None) -> None:
        self.found = found

    def infer(self, crops: list[Crop]) -> list[Pose]:
        return [Pose(self.found, crop.box_xyxy, (crop.state if isinstance(crop.state, int) else 0) + 1) for crop in crops]


def landmarks() -> Person:
    """The sample's first frame as BlazePose's landmarks."""
    points, names = np.full((33, 2), 5, np.float32), JOINT_NAMES["blazepose33"]
    points[[names.index(name) for name in COCO]] = keypoints(0)
    return person(1, "blazepose33", 33, keypoints_px=points)


def crop(state: object | None = None, at: float = 1.0) -> Crop:
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    return Crop(image, np.array([1, 2, 3, 4], np.float32), 1, at, camera(), state)


def test_key_points_of_coco_are_found_by_name() -> None:
    points, scores = coco_keypoints(landmarks())
    np.testing.assert_array_equal(points, keypoints(0))
    assert scores.shape == (17,)


def test_engine_is_lifted_and_both_remember() -> None:
    network = KnownJoints()
    engine = LiftingEngine(Engine(landmarks()), lifter(network))
    (first,) = engine.infer([crop()])
    (second,) = engine.infer([crop(first.state, 1.1)])
    assert isinstance(second.state, LiftingEngineState)
    assert second.state.engine_state == 2
    assert second.person is not None
    assert (second.person.skeleton, second.person.effective_joints_skeleton) == ("blazepose33", "h36m17")
    np.testing.assert_allclose(second.person.joints_m, joints(0), atol=0.01)
    assert second.person.smpl is not landmarks().smpl
    assert second.person.keypoints_px.shape == (33, 2)


def test_engine_keeps_its_own_joints_where_nothing_can_be_lifted() -> None:
    unsure = person(1, "blazepose33", 33, keypoint_scores=np.zeros(33, np.float32))
    (pose,) = LiftingEngine(Engine(unsure), lifter()).infer([crop()])
    assert pose.person is not None
    assert (len(pose.person.joints_m), pose.person.effective_joints_skeleton) == (33, "blazepose33")


def test_person_who_is_lost_for_a_frame_keeps_the_state() -> None:
    network = KnownJoints()
    each = lifter(network)
    (seen,) = LiftingEngine(Engine(landmarks()), each).infer([crop()])
    (lost,) = LiftingEngine(Engine(None), each).infer([crop(seen.state, 1.1)])
    assert lost.person is None
    LiftingEngine(Engine(landmarks()), each).infer([crop(lost.state, 1.2)])
    assert isinstance(lost.state, LiftingEngineState)
    assert isinstance(seen.state, LiftingEngineState)
    assert lost.state.lifter_state is seen.state.lifter_state


@pytest.fixture
def bare_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store with BlazePose alone."""
    there = [(model_path(file), file.file) for file in find_manifest("blazepose", "pose").weights]
    monkeypatch.setenv("REMI_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    for path, name in there:
        (tmp_path / "models" / name).symlink_to(path)


def test_blazepose_is_lifted_only_with_the_option(bare_home: None) -> None:
    assert load_engine("blazepose").name == "blazepose"
    with pytest.raises(RemiError, match=r"Get it from https://github\.com/.*remi-stream models import"):
        load_engine("blazepose", options={"lift": 1.0})
