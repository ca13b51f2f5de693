"""The InstantHMR engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from remi_stream.errors import UsageError
from remi_stream.geometry import Intrinsics, default_intrinsics, project, shortest_rotation
from remi_stream.models.importer import import_file
from remi_stream.pose.crop import CropRect, crop_rect
from remi_stream.pose.engine import load_engine
from remi_stream.pose.instanthmr import JOINT_COUNT, InstantHmrEngine, cliff_condition, decode_output, network_inputs
from remi_stream.pose.onnx_outputs import OnnxModel
from remi_stream.skeletons import JOINT_NAMES
from remi_stream.tracking.crop import Crop
from tests.body.ik.mhr import BODY, mhr_joints, pose

SIZE = (1280, 720)
OWN = default_intrinsics(*SIZE)
CALIBRATED: Intrinsics = (1100.0, 1100.0, 655.0, 340.0)
GREY = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
STANDING = pose(pelvis=(180, 0, 0), left_shoulder=(0, 0, -60), right_shoulder=(0, 0, 60), left_elbow=(0, -40, 0))
HIPS = [JOINT_NAMES["mhr70"].index("left_hip"), JOINT_NAMES["mhr70"].index("right_hip")]


class KnownPeople:
    """A network with known people: joints (N, 70, 3), m, in the frame of its own camera, one per crop in order."""

    name = "fake"

    def __init__(self, *people: np.ndarray, scale: float = 1.2) -> None:
        self.people, self.scale = people, scale
        self.calls: list[dict[str, np.ndarray]] = []

    def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        first = sum(len(call["image"]) for call in self.calls)
        self.calls.append(tensors)
        people = np.stack([self.people[(first + row) % len(self.people)] for row in range(len(tensors["image"]))])
        roots = people[:, HIPS].mean(1)
        points = [outputs_2d(joints, crop_rect(box_of(joints), (224, 224), self.scale)) for joints in people]
        return {
            "cam_trans": roots.astype(np.float32),
            "joints_2d": np.stack(points).astype(np.float32),
            "joints_3d": (people - roots[:, None]).astype(np.float32),
        }


def outputs_2d(joints: np.ndarray, place: CropRect) -> np.ndarray:
    """Where the joints fall in the square, -1 to 1."""
    return (project(joints, OWN) - place.center_px) / (place.size_px / 2)


def standing_person(x: float = 0.3, z: float = 4.0, y: float = 0.1, scale: float = 1.0) -> np.ndarray:
    return mhr_joints(STANDING, np.array([x, y, z]), scale)


def box_of(joints: np.ndarray) -> np.ndarray:
    pixels = project(joints, OWN)
    return np.concatenate([pixels.min(0), pixels.max(0)]).astype(np.float32)


def crop_of(joints: np.ndarray, intrinsics: Intrinsics = OWN, image: np.ndarray = GREY, track_id: int = 7) -> Crop:
    return Crop(image, box_of(joints), track_id, 0.0, intrinsics)


def engine_of(network: KnownPeople, one_by_one: bool = False) -> InstantHmrEngine:
    return InstantHmrEngine("instanthmr", OnnxModel(network, one_by_one), network.scale, BODY)


def test_joints_of_the_network_are_the_persons_to_a_millimetre() -> None:
    joints = standing_person()
    person = engine_of(KnownPeople(joints)).infer([crop_of(joints)])[0].person
    assert person is not None
    assert (person.skeleton, person.track_id, person.score) == ("mhr70", 7, 1)
    assert np.linalg.norm(person.joints_m - joints, axis=1).max() < 1e-3
    assert np.linalg.norm(person.keypoints_px - project(joints, OWN), axis=1).max() < 0.5
    np.testing.assert_array_equal(person.keypoint_scores, 1)


def test_body_stands_where_the_joints_are() -> None:
    joints = standing_person()
    person = engine_of(KnownPeople(joints)).infer([crop_of(joints)])[0].person
    assert person is not None
    assert person.smpl is not None
    smpl = person.smpl
    found = BODY.joints(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)
    knees = [JOINT_NAMES["mhr70"].index(f"{side}_knee") for side in ("left", "right")]
    assert np.linalg.norm(found[[4, 5]] - joints[knees], axis=1).max() < 0.04


@pytest.mark.parametrize("camera", [CALIBRATED, (900.0, 900.0, 640.0, 360.0), (*OWN[:2], 600.0, 400.0)])
def test_root_keeps_its_pixel_and_its_size_before_another_camera(camera: Intrinsics) -> None:
    joints = standing_person(-0.9, 5.0)
    person = engine_of(KnownPeople(joints)).infer([crop_of(joints, camera)])[0].person
    assert person is not None
    found, root = person.joints_m[HIPS].mean(0), joints[HIPS].mean(0)
    np.testing.assert_allclose(project(found, camera), project(root, OWN), atol=0.5)
    assert found[2] == pytest.approx(root[2] * camera[0] / OWN[0], abs=1e-3)
    bones = np.linalg.norm(person.joints_m - found, axis=1)
    np.testing.assert_allclose(bones, np.linalg.norm(joints - root, axis=1), atol=1e-3)
    off = np.linalg.norm(project(person.joints_m.astype(float), camera) - project(joints, OWN), axis=1)
    assert off.max() < 0.04 * (box_of(joints)[3] - box_of(joints)[1])


def test_body_rotates_with_its_viewing_ray() -> None:
    joints = standing_person(-1.5, 4.0)
    camera: Intrinsics = (700.0, 700.0, 640.0, 360.0)
    person = engine_of(KnownPeople(joints)).infer([crop_of(joints, camera)])[0].person
    assert person is not None
    root, now = joints[HIPS].mean(0), person.joints_m[HIPS].mean(0).astype(float)
    turned = (joints - root) @ shortest_rotation(root, now).T
    np.testing.assert_allclose(person.joints_m - now, turned, atol=1e-3)
    assert np.abs(turned - (joints - root)).max() > 0.1


def test_key_points_do_not_depend_on_the_camera() -> None:
    joints = standing_person()
    person = engine_of(KnownPeople(joints)).infer([crop_of(joints, CALIBRATED)])[0].person
    assert person is not None
    np.testing.assert_allclose(person.keypoints_px, project(joints, OWN), atol=0.5)


@pytest.mark.parametrize(("one_by_one", "calls"), [(False, [3]), (True, [1, 1, 1])])
def test_each_person_gets_their_own_output(one_by_one: bool, calls: list[int]) -> None:
    people = [standing_person(-1.0, 4.0), standing_person(0.2, 5.0), standing_person(1.2, 6.0)]
    network = KnownPeople(*people)
    poses = engine_of(network, one_by_one).infer([crop_of(joints, track_id=i) for i, joints in enumerate(people)])
    assert [len(call["image"]) for call in network.calls] == calls
    for track_id, (joints, found) in enumerate(zip(people, poses)):
        assert found.person is not None
        assert found.person.track_id == track_id
        assert np.linalg.norm(found.person.joints_m - joints, axis=1).max() < 1e-3


def test_no_crops_run_no_inference() -> None:
    network = KnownPeople(standing_person())
    assert engine_of(network).infer([]) == []
    assert not network.calls


def test_network_reads_a_normalised_square_and_its_place() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    image[:] = (10, 120, 250)
    crop = Crop(image, np.array([40, 10, 80, 70], np.float32), 1, 0.0, OWN)
    read_by = network_inputs([crop], [crop_rect(crop.box_xyxy, (224, 224), 1.2)])
    expected = (np.array([250, 120, 10]) / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    assert read_by["image"].shape == (1, 3, 224, 224)
    np.testing.assert_allclose(read_by["image"][0, :, 112, 112], expected, atol=1e-5)
    np.testing.assert_allclose(read_by["cliff_cond"], [[2 * 60 / 200 - 1, 2 * 40 / 100 - 1, 60 / 200]], atol=1e-6)
    assert {array.dtype for array in read_by.values()} == {np.dtype("float32")}


def test_crop_is_black_outside_the_image_and_to_scale_inside() -> None:
    image = np.full((100, 100, 3), 255, np.uint8)
    crop = Crop(image, np.array([-50, 0, 50, 100], np.float32), 1, 0.0, OWN)
    picture = network_inputs([crop], [crop_rect(crop.box_xyxy, (224, 224), 1.2)])["image"][0, 0]
    edge = 112  # the image's left edge is the square's middle
    assert picture[112, edge - 3] == pytest.approx(-0.485 / 0.229, abs=1e-4)
    assert picture[112, edge + 3] == pytest.approx((1 - 0.485) / 0.229, abs=1e-4)
    assert picture[8, edge + 50] == pytest.approx(-0.485 / 0.229, abs=1e-4)
    assert picture[25, edge + 50] == pytest.approx((1 - 0.485) / 0.229, abs=1e-4)


def test_corners_of_the_crop_are_those_of_the_square() -> None:
    outputs = {
        "cam_trans": np.array([0, 0, 3.0]),
        "joints_3d": np.zeros((JOINT_COUNT, 3)),
        "joints_2d": np.zeros((JOINT_COUNT, 2)),
    }
    outputs["joints_2d"][:3] = [(-1, -1), (1, 1), (0, 0.5)]
    keypoints = decode_output(outputs, CropRect(np.array([100, 200]), np.array([60, 60]))).keypoints
    np.testing.assert_allclose(keypoints[:3], [(70, 170), (130, 230), (100, 215)])


def test_middle_of_the_image_has_condition_0() -> None:
    np.testing.assert_allclose(cliff_condition(np.array([540, 260, 740, 460]), GREY), [0, 0, 200 / 1280], atol=1e-6)


def test_joints_outside_the_image_have_score_0() -> None:
    joints = standing_person(z=3.0, y=0.75)
    person = engine_of(KnownPeople(joints)).infer([crop_of(joints)])[0].person
    assert person is not None
    below = project(joints, OWN)[:, 1] > SIZE[1]
    assert below.any()
    np.testing.assert_array_equal(person.keypoint_scores, np.where(below, 0, 1))
    assert 0 < person.score < 1
    assert person.smpl is not None
    assert person.smpl.joint_confidence[7] == 0


def test_next_box_contains_the_visible_key_points_and_the_top_of_the_head() -> None:
    joints = standing_person(z=3.0, y=0.75)
    found = engine_of(KnownPeople(joints)).infer([crop_of(joints)])[0]
    tight = box_of(joints)
    assert found.next_box_xyxy.dtype == np.float32
    assert found.next_box_xyxy[3] == SIZE[1]
    assert (found.next_box_xyxy[:2] <= tight[:2]).all()
    assert 0 < tight[1] - found.next_box_xyxy[1] < 0.15 * (tight[3] - tight[1])


def broken(joints: np.ndarray, name: str, change) -> KnownPeople:
    """A network with one output changed."""
    network = KnownPeople(joints)
    right = network.run
    network.run = lambda tensors: {**(found := right(tensors)), name: change(found[name])}  # type: ignore[method-assign]
    return network


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("joints_3d", lambda values: values * np.nan, "numbers"),
        ("cam_trans", lambda values: values * np.float32(-1), "behind"),
        ("cam_trans", lambda values: values * np.float32(0.05), "behind"),
        ("joints_2d", lambda values: values + np.float32(3), "region"),
        ("joints_2d", lambda values: values * np.float32(0.1), "apart"),
        ("joints_3d", lambda values: values * np.float32(0.02), "apart"),
    ],
)
def test_implausible_output_is_rejected(name: str, change, reason: str) -> None:
    joints = standing_person()
    crop = crop_of(joints)
    found = engine_of(broken(joints, name, change)).infer([crop])[0]
    assert (found.person, found.rejection_reason) == (None, reason)
    np.testing.assert_array_equal(found.next_box_xyxy, crop.box_xyxy)


@pytest.mark.parametrize(("scale", "reason"), [(0.25, "bones"), (2.2, "bones"), (0.6, ""), (1.25, "")])
def test_body_of_an_impossible_size_is_rejected(scale: float, reason: str) -> None:
    joints = standing_person(0.3 * scale, 4 * scale, 0.1 * scale, scale)
    assert engine_of(KnownPeople(joints)).infer([crop_of(joints)])[0].rejection_reason == reason


def test_inverse_kinematics_remembers_a_track_for_a_while() -> None:
    bent = pose(pelvis=(180, 0, 0), left_elbow=(0, -40, 0), left_wrist=(60, 0, 0))
    flat = pose(pelvis=(180, 0, 0), left_elbow=(0, -40, 0))
    before, after = (mhr_joints(rotations, np.array([0.3, 0.1, 4.0])) for rotations in (flat, bent))
    state = engine_of(KnownPeople(before)).infer([crop_of(before)])[0].state

    def turn(state: object | None, captured_at: float) -> float:
        crop = crop_of(after)._replace(state=state, captured_at=captured_at)
        person = engine_of(KnownPeople(after)).infer([crop])[0].person
        assert person is not None
        assert person.smpl is not None
        return float(np.linalg.norm(person.smpl.body_pose[57:60]))

    assert turn(state, 1 / 30) < 0.8 * turn(None, 1 / 30)
    assert turn(state, 5.0) == pytest.approx(turn(None, 5.0))


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file with InstantHMR's inputs and outputs; it finds a person who stands in the box."""
    path = tmp_path_factory.mktemp("made") / "instanthmr.onnx"
    tool = Path(__file__).parents[2] / "tools" / "make_weights.py"
    subprocess.run([sys.executable, str(tool), "instanthmr", str(path)], check=True, capture_output=True)
    return path


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REMI_HOME", str(tmp_path))
    return tmp_path


def test_imported_file_sees_two_people_alike_in_every_runtime(stand_in: Path, store: Path) -> None:
    import_file(stand_in)
    boxes = np.array([[300, 150, 420, 560], [800, 200, 930, 600]], np.float32)
    crops = [Crop(GREY, box, track_id, 0.0, OWN) for track_id, box in enumerate(boxes)]
    seen = {}
    for name in ("instanthmr", "instanthmr-ov", "instanthmr-onnx"):
        engine = load_engine(name, threads=1)
        assert engine.name == "instanthmr"
        seen[engine.runtime_name] = [pose.person for pose in engine.infer(crops)]
    for people in seen.values():
        for person, box, reference in zip(people, boxes, seen["openvino f32, 1 thread"]):
            assert person is not None
            assert reference is not None
            middle = (person.box_xyxy[:2] + person.box_xyxy[2:]) / 2
            assert np.abs(middle - (box[:2] + box[2:]) / 2).max() < 30
            assert np.abs(person.joints_m - reference.joints_m).max() < 1e-3
    assert set(seen) == {"openvino f32, 1 thread", "onnxruntime f32, 1 thread"}


def test_file_of_another_network_is_reported(stand_in: Path, store: Path) -> None:
    file = import_file(stand_in).file
    model = onnx.load(stand_in)
    model.graph.output.pop()
    path = store / "models" / file.file
    onnx.save(model, str(path))
    record = path.with_name(f"{path.name}.json")
    record.write_text(record.read_text().replace(str(stand_in.stat().st_size), str(path.stat().st_size)))
    with pytest.raises(UsageError, match=r"instanthmr.onnx has no output 'joints_3d' \(it has: mhr_params, .*\)"):
        load_engine("instanthmr")
