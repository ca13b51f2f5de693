"""The POCO engine, with a network of given outputs."""

from __future__ import annotations

import numpy as np
import pytest

from remi_stream.body.known_bodies import SMPL_PELVIS_M, Retargeter
from remi_stream.geometry import project
from remi_stream.models.manifest import find_engine
from remi_stream.pose import smpl_regressor as engines
from remi_stream.pose.crop import square_crop
from remi_stream.pose.smpl_regressor import RegressorOptions, SmplRegressor, poco_confidence
from remi_stream.tracking.crop import Pose
from tests.pose.smpl_regressor.regressing import BODY, LENS, SIZE, FakeNetwork, crop_of, engine_of, perfect_pose, random_person


def refused(outputs: dict[str, np.ndarray], box: np.ndarray, **look: float) -> Pose:
    pose = engine_of(FakeNetwork(outputs), poco_confidence, RegressorOptions(1.2, look.get("least_score", 0.1), False)).infer(
        [crop_of(box)]
    )[0]
    assert pose.person is None
    np.testing.assert_array_equal(pose.next_box_xyxy, box)
    return pose


def perfect(seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    person = random_person(seed)
    return person.outputs(square_crop(person.box(), 1.2)), person.box()


def test_message_is_a_smpl_body_with_its_own_joints() -> None:
    found = perfect_pose(random_person(2), poco_confidence).person
    assert found is not None
    assert found.smpl is not None
    assert (found.skeleton, found.smpl.body, found.track_id, found.native) == ("smpl24", "smpl", 7, {})
    smpl = found.smpl
    joints = BODY.joints(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)
    np.testing.assert_allclose(found.joints_m, joints, atol=1e-5)
    np.testing.assert_allclose(found.keypoints_px, project(found.joints_m.astype(float), LENS), atol=0.01)
    np.testing.assert_array_equal(found.keypoint_scores, smpl.joint_confidence)


def test_box_is_around_the_whole_body_and_the_next_box_inside_the_image() -> None:
    person = random_person(4)
    low = person._replace(transl=person.transl + (0, 1.0, 0))
    pose = perfect_pose(low, poco_confidence)
    assert pose.person is not None
    vertices = BODY.vertices(low.vectors[0], low.vectors[1:].ravel(), low.betas, low.transl)
    pixels = project(vertices.astype(float), LENS)
    skin = np.concatenate([pixels.min(0), pixels.max(0)])
    size = float((skin[2:] - skin[:2]).max())
    np.testing.assert_allclose(pose.person.box_xyxy, skin, atol=0.06 * size)
    assert pose.person.box_xyxy[3] > SIZE[1]
    assert pose.next_box_xyxy[3] == SIZE[1]
    assert (pose.next_box_xyxy[:2] >= 0).all()


def test_many_people_are_one_call_and_the_same_as_one_by_one() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    outputs, _ = perfect()

    def answer(crop: np.ndarray, info: np.ndarray) -> dict[str, np.ndarray]:
        return outputs | {"betas": info.repeat(4)[:10], "camera": np.float32([0.8 + crop.mean() / 1e3, 0.1, crop[0, 0, 0] / 1e3])}

    boxes = [(300, 100, 500, 600), (700, 50, 900, 400), (100, 200, 350, 700)]
    crops = [crop_of(box, image, track_id=index) for index, box in enumerate(boxes)]
    network = FakeNetwork(answer)
    engine = engine_of(network, poco_confidence, RegressorOptions(1.2, 0.1, True))
    together = engine.infer(crops)
    assert [network.calls[0][name].shape for name in ("image", "bbox_info")] == [(3, 224, 224, 3), (3, 3)]
    assert (len(network.calls), network.calls[0]["image"].dtype) == (1, np.uint8)
    for index, (crop, pose) in enumerate(zip(crops, together)):
        alone = engine.infer([crop])[0]
        assert pose.person is not None
        assert alone.person is not None
        assert pose.person.track_id == index
        np.testing.assert_array_equal(pose.person.joints_m, alone.person.joints_m)
        np.testing.assert_array_equal(pose.next_box_xyxy, alone.next_box_xyxy)


def test_no_crops_run_no_inference() -> None:
    network = FakeNetwork({})
    assert engine_of(network, poco_confidence).infer([]) == []
    assert network.calls == []


def test_answer_outlives_the_networks_memory() -> None:
    outputs, box = perfect()
    network = FakeNetwork(outputs)
    kept: dict[str, np.ndarray] = {}

    class Reusing(FakeNetwork):
        def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            kept.update(network.run(tensors))
            return kept

    person = engine_of(Reusing(outputs), poco_confidence).infer([crop_of(box)])[0].person
    assert person is not None
    assert person.smpl is not None
    before = person.smpl.betas.copy(), person.smpl.joint_confidence.copy(), person.smpl.global_orient.copy()
    for array in kept.values():
        array[:] = 99
    after = person.smpl.betas, person.smpl.joint_confidence, person.smpl.global_orient
    for old, new in zip(before, after):
        np.testing.assert_array_equal(old, new)


def test_confidence_falls_along_the_limb_and_stays_in_range() -> None:
    sure, unsure = (poco_confidence({"joint_variance": np.full(24, variance, np.float32)}) for variance in (0.1, 0.3))
    assert sure.score == pytest.approx(0.9)
    assert sure.joint_confidence[[0, 16, 18, 20, 22]] == pytest.approx([0.9, 0.4, 0.3, 0.2, 0.1], abs=1e-6)
    assert sure.joint_confidence.dtype == np.float32
    assert unsure.joint_confidence.min() == 0
    assert unsure.joint_confidence[1] == pytest.approx(0.4)


@pytest.mark.parametrize("name", ["rotations", "betas", "camera", "joint_variance"])
def test_non_finite_output_is_rejected(name: str) -> None:
    outputs, box = perfect()
    outputs[name].flat[-1] = np.nan
    assert refused(outputs, box).rejection_reason == "numbers"


@pytest.mark.parametrize("camera", [(-0.9, 0.0, 0.0), (0.0, 0.0, 0.0), (40.0, 0.0, 0.0)])
def test_body_that_is_not_in_front_of_the_camera_is_rejected(camera: tuple[float, float, float]) -> None:
    outputs, box = perfect()
    outputs["camera"][:] = camera
    assert refused(outputs, box).rejection_reason == "behind"


@pytest.mark.parametrize("camera", [(0.9, 30.0, 0.0), (0.9, 0.0, -30.0), (1e-4, 0.0, 0.0), (1e-38, 1.0, 1.0), (0.9, 1e30, 0.0)])
def test_body_outside_the_image_is_rejected(camera: tuple[float, float, float]) -> None:
    outputs, box = perfect()
    outputs["camera"][:] = camera
    assert refused(outputs, box).rejection_reason == "outside"


def test_body_beside_its_crop_is_rejected() -> None:
    outputs, box = perfect()
    outputs["camera"][1] += 1.6
    assert refused(outputs, box).rejection_reason == "elsewhere"


def test_head_in_a_box_is_accepted_though_its_body_is_much_larger() -> None:
    person = random_person(0)
    x, y = project(person.joints()[15], LENS)
    head = np.array([x - 30, y - 30, x + 30, y + 30], np.float32)
    network = FakeNetwork(person.outputs(square_crop(head, 1.2)))
    assert engine_of(network, poco_confidence).infer([crop_of(head)])[0].person is not None


def test_pose_below_the_least_score_is_rejected() -> None:
    outputs, box = perfect()
    outputs["joint_variance"][0] = 0.7
    assert refused(outputs, box, least_score=0.31).rejection_reason == "doubt"
    assert (
        engine_of(FakeNetwork(outputs), poco_confidence, RegressorOptions(1.2, 0.29, False)).infer([crop_of(box)])[0].person
        is not None
    )


@pytest.mark.parametrize("box", [(200, 200, 200, 200), (-3000, -3000, -2900, -2900), (0, 0, 1280, 720)])
def test_strange_boxes_do_no_harm(box: tuple[float, ...]) -> None:
    outputs, _ = perfect()
    (pose,) = engine_of(FakeNetwork(outputs), poco_confidence, RegressorOptions(1.2, 0.1, True)).infer([crop_of(np.array(box))])
    assert pose.person is not None or pose.rejection_reason in ("outside", "elsewhere", "behind")


def test_without_smpls_file_joints_are_the_open_bodys_at_smpls_pelvis() -> None:
    outputs, box = perfect(3)
    engine = SmplRegressor(
        "test", FakeNetwork(outputs), poco_confidence, RegressorOptions(1.2, 0.1, False), Retargeter(None, BODY)
    )
    person = engine.infer([crop_of(box)])[0].person
    assert person is not None
    assert person.smpl is not None
    np.testing.assert_allclose(person.joints_m[0], SMPL_PELVIS_M + person.smpl.transl, atol=1e-5)
    joints = BODY.joints(person.smpl.global_orient, person.smpl.body_pose, np.zeros(10), np.zeros(3))
    np.testing.assert_allclose(person.joints_m - person.joints_m[0], joints - joints[0], atol=1e-5)


@pytest.mark.parametrize(("name", "sees_place"), [("poco", True), ("poco-pare", False)])
def test_manifest_opens_the_variant(name: str, sees_place: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs, box = perfect()
    network, asked = FakeNetwork(outputs), {}

    def load(file, kind: str, **settings: object) -> FakeNetwork:
        asked.update(settings, file=file.name, kind=kind)
        return network

    monkeypatch.setattr(engines, "load_model", load)
    manifest = find_engine(name)
    engine = engines.open_poco(manifest, "torch", {"threads": 2, **manifest.options})
    assert asked == {"threads": 2, "file": manifest.weights[0].name, "kind": "torch"}
    assert (engine.name, engine.runtime_name) == (name, "fake")
    engine.infer([crop_of(box)])
    assert ("bbox_info" in network.calls[0]) == sees_place
