"""Engines described by a manifest only: ONNX networks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from remi_stream.body.known_bodies import Retargeter
from remi_stream.body.smpl import load_default_body
from remi_stream.errors import UsageError
from remi_stream.geometry import default_intrinsics, matrices_from_axis_angle, project
from remi_stream.models.manifest import register_custom_skeletons
from remi_stream.models.onnx_description import OnnxDescription
from remi_stream.pose.crop import ImageNormalisation, crop_rect, crop_to_image
from remi_stream.pose.engine import load_engine
from remi_stream.pose.onnx_engine import OnnxEngine, OnnxEngineOptions
from remi_stream.pose.onnx_outputs import OnnxModel
from remi_stream.render.colours import visible_bones
from remi_stream.skeletons import BONES, JOINT_NAMES
from remi_stream.tracking.crop import Crop

PAGE = (Path(__file__).parents[2] / "docs" / "extend" / "onnx-engines.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
TOML = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
BODY = load_default_body()
CAMERA = default_intrinsics(640, 480)
GREY = np.full((480, 640, 3), 90, np.uint8)
BOX = np.array([200, 100, 300, 400], np.float32)
K = len(JOINT_NAMES["coco17"])


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's own folder of engines, empty, and the current one."""
    monkeypatch.setenv("REMI_HOME", str(tmp_path))
    (tmp_path / "engines").mkdir()
    monkeypatch.chdir(tmp_path / "engines")
    yield tmp_path / "engines"
    for table in (JOINT_NAMES, BONES):
        for name in ("dots3", "mine"):
            table.pop(name, None)


@pytest.fixture
def dots(engines: Path) -> Path:
    """The worked example of docs/extend/onnx-engines.md."""
    exec(PYTHON[0], {})
    (engines / "dots.toml").write_text(TOML[0])
    return engines / "dots.toml"


@pytest.mark.parametrize("engine", ["dots", "dots-ov", "dots-onnx"])
def test_worked_example_finds_both_people(dots: Path, engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    scope: dict[str, Any] = {}
    exec(PYTHON[1].replace('"dots"', f'"{engine}"'), scope)
    first, second = scope["people"]
    for person, middle in ((first, (150, 100)), (second, (430, 160))):
        expected = np.array([middle]) + [(0, 0), (0, 100), (0, 200)]
        assert np.abs(person.keypoints_px - expected).max() < 11  # a cell of the heat maps is 15 px of the image here
        assert person.keypoint_scores.min() > 0.4
        assert person.joints_m.shape == (0, 3)
    assert (first.track_id, second.track_id) == (0, 1)
    assert capsys.readouterr().out.startswith("0 dots3 [[")
    assert BONES["dots3"] == ((0, 1), (1, 2))


def test_listed_skeleton_is_learned_for_drawing_in_spite_of_a_broken_manifest(dots: Path) -> None:
    (dots.parent / "broken.toml").write_text("what = ")
    (dots.parent / "thief.toml").write_text(TOML[0].replace('"dots3"', '"coco17"'))
    register_custom_skeletons()
    assert JOINT_NAMES["dots3"] == ("head", "hips", "foot")
    assert visible_bones("dots3", np.array([True, True, False])) == [(0, 1)]
    assert len(JOINT_NAMES["coco17"]) == 17


def test_image_without_dots_gives_no_people(dots: Path) -> None:
    found = load_engine("dots").infer([Crop(GREY, BOX, 1, 0.0, CAMERA)])[0]
    assert (found.person, found.rejection_reason) == (None, "doubt")
    np.testing.assert_array_equal(found.next_box_xyxy, BOX)


def test_file_may_be_anywhere_that_the_manifest_says(dots: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (dots.parent / "dots.onnx").rename(tmp_path / "elsewhere" / "net.onnx")
    for said in ("../elsewhere/net.onnx", str(tmp_path / "elsewhere" / "net.onnx")):
        dots.write_text(TOML[0].replace("dots.onnx", said))
        assert load_engine("dots").name == "dots"


def test_second_description_of_the_page_runs_too(engines: Path) -> None:
    vectors = np.zeros((24, 3))
    vectors[0, 0] = np.pi
    outputs = {"pred_rotmat": matrices_from_axis_angle(vectors), "pred_shape": np.zeros(10), "pred_cam": np.array([0.9, 0, 0])}
    write_constants(engines / "my-mesh.onnx", (3, 224, 224), outputs)
    (engines / "my-mesh.toml").write_text(TOML[1])
    person = load_engine("my-mesh", threads=1).infer([Crop(GREY, BOX, 1, 0.0, CAMERA)])[0].person
    assert person is not None
    assert person.smpl is not None
    assert (person.smpl.body, person.joints_m.shape) == ("smpl", (24, 3))
    depth = CAMERA[0] / (0.9 * 300 * 1.2 / 2)
    assert person.smpl.transl[2] == pytest.approx(depth, abs=1e-3)
    assert person.smpl.global_orient[0] == pytest.approx(np.pi, abs=1e-3)


def write_constants(path: Path, shape: tuple[int, ...], outputs: dict[str, np.ndarray], batch: Any = 1, more: str = "") -> None:
    """Write a network with constant outputs, plus 0 times the image's mean."""
    nodes = [
        helper.make_node("ReduceMean", ["picture"], ["mean"], keepdims=0, axes=list(range(len(shape) + 1))),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        *(helper.make_node("Add", [f"{name}_fixed", "nothing"], [name]) for name in outputs),
    ]
    inputs = [helper.make_tensor_value_info("picture", TensorProto.FLOAT, (batch, *shape))]
    if more:
        inputs.append(helper.make_tensor_value_info(more, TensorProto.FLOAT, (batch, 3)))
        nodes.append(helper.make_node("Identity", [more], [f"{more}_again"]))
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, *value.shape)) for name, value in outputs.items()]
    if more:
        ports.append(helper.make_tensor_value_info(f"{more}_again", TensorProto.FLOAT, (batch, 3)))
    fixed = {f"{name}_fixed": value[None] for name, value in outputs.items()} | {"zero": np.array(0)}
    weights = [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in fixed.items()]
    graph = helper.make_graph(nodes, "constants", inputs, ports, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


class ConstantNetwork:
    """A network with the same outputs for everyone; records its inputs."""

    name = "fake"

    def __init__(self, **outputs: np.ndarray) -> None:
        self.outputs, self.calls = outputs, []  # type: ignore[var-annotated]

    def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.calls.append(tensors)
        count = len(tensors["picture"])
        return {name: np.repeat(value[None], count, 0).astype(np.float32) for name, value in self.outputs.items()}


ORDINARY = OnnxEngineOptions(1.25, 0.3)


def make_engine(
    network: ConstantNetwork, skeleton: str = "coco17", look: OnnxEngineOptions = ORDINARY, **tables: Any
) -> OnnxEngine:
    """An engine of these tables; the crop is 192 x 256 px by default."""
    description = msgspec.convert({"size": [192, 256], **tables}, OnnxDescription)
    return OnnxEngine("test", OnnxModel(network), description, "picture", skeleton, look, Retargeter(BODY, BODY))


def person_of(engine: OnnxEngine, box: np.ndarray = BOX):
    return engine.infer([Crop(GREY, box, 7, 0.0, CAMERA)])[0].person


FRACTIONS = np.random.default_rng(5).uniform(0.1, 0.9, (K, 2))
EXPECTED = crop_to_image(FRACTIONS, crop_rect(BOX, (192, 256), 1.25))


@pytest.mark.parametrize(
    ("unit", "values"), [("pixels", FRACTIONS * (192, 256)), ("fraction", FRACTIONS), ("signed", 2 * FRACTIONS - 1)]
)
def test_key_points_of_any_unit_become_image_px(unit: str, values: np.ndarray) -> None:
    person = person_of(make_engine(ConstantNetwork(kp=values), keypoints={"output": "kp", "unit": unit}))
    np.testing.assert_allclose(person.keypoints_px, EXPECTED, atol=0.01)
    np.testing.assert_array_equal(person.keypoint_scores, 1)
    assert (person.skeleton, person.track_id, person.smpl) == ("coco17", 7, None)


def test_third_number_of_a_key_point_is_its_score() -> None:
    scores = np.linspace(0.2, 1, K)
    values = np.concatenate([FRACTIONS, scores[:, None]], 1)
    person = person_of(make_engine(ConstantNetwork(kp=values.ravel()), keypoints={"output": "kp", "unit": "fraction"}))
    np.testing.assert_allclose(person.keypoint_scores, scores, atol=1e-6)
    np.testing.assert_allclose(person.keypoints_px, EXPECTED, atol=0.01)
    assert person.score == pytest.approx(scores.mean())


@pytest.mark.parametrize(("logits", "expected"), [(False, 0.5), (True, 1 / (1 + np.exp(-0.5)))])
def test_scores_may_be_an_output_of_their_own(logits: bool, expected: float) -> None:
    network = ConstantNetwork(kp=FRACTIONS, sure=np.full(K, 0.5))
    person = person_of(
        make_engine(network, keypoints={"output": "kp", "unit": "fraction"}, scores={"output": "sure", "logits": logits})
    )
    np.testing.assert_allclose(person.keypoint_scores, expected, atol=1e-6)


@pytest.mark.parametrize("read", ["peaks", "softmax", "sigmoid", "absolute"])
def test_heatmap_is_decoded_at_its_peak(read: str) -> None:
    cells = np.floor(FRACTIONS * (48, 64)).astype(int)
    rest, hot = (-60.0, 60.0) if read in ("softmax", "sigmoid") else (0.0, 0.9)
    maps = np.full((K, 64, 48), rest)
    maps[np.arange(K), cells[:, 1], cells[:, 0]] = hot
    person = person_of(make_engine(ConstantNetwork(maps=maps), heatmaps={"output": "maps", "read": read}))
    expected = crop_to_image(cells / (48, 64), crop_rect(BOX, (192, 256), 1.25))
    np.testing.assert_allclose(person.keypoints_px, expected, atol=0.05)


JOINTS_M = np.random.default_rng(1).normal(0, 0.4, (K, 3))
WHERE = np.array([-0.3, 0.05, 4.0])


@pytest.mark.parametrize(("unit", "factor"), [("m", 1), ("mm", 1000)])
def test_joints_from_the_camera_are_taken_as_they_are(unit: str, factor: float) -> None:
    network = ConstantNetwork(xyz=(JOINTS_M + WHERE) * factor)
    person = person_of(make_engine(network, joints={"output": "xyz", "origin": "camera", "unit": unit}))
    np.testing.assert_allclose(person.joints_m, JOINTS_M + WHERE, atol=1e-3)
    np.testing.assert_allclose(person.keypoints_px, project(JOINTS_M + WHERE, CAMERA), atol=0.5)


def test_joints_relative_to_the_body_are_placed_by_its_key_points() -> None:
    place = crop_rect(BOX, (192, 256), 1.25)
    points = (project(JOINTS_M + WHERE, CAMERA) - place.center_px) / place.size_px + 0.5
    network = ConstantNetwork(xyz=JOINTS_M - 0.2, kp=points)
    tables = {"joints": {"output": "xyz", "origin": "body"}, "keypoints": {"output": "kp", "unit": "fraction"}}
    person = person_of(make_engine(network, **tables))
    assert np.linalg.norm(person.joints_m - (JOINTS_M + WHERE), axis=1).max() < 1e-3
    np.testing.assert_allclose(person.keypoints_px, project(JOINTS_M + WHERE, CAMERA), atol=0.5)


def weak(place: Any, where: np.ndarray) -> np.ndarray:
    """The weak camera of a square crop that sees the origin at `where`."""
    radius = CAMERA[0] / where[2]
    return np.array([2 * radius / place.size_px[0], *(where[:2] - (place.center_px - CAMERA[2:]) / radius)])


def test_joints_relative_to_the_body_are_placed_by_its_camera() -> None:
    network = ConstantNetwork(xyz=JOINTS_M, cam=weak(crop_rect(BOX, (64, 64), 1.25), WHERE))
    tables = {"joints": {"output": "xyz", "origin": "body"}, "camera": {"output": "cam"}}
    person = person_of(make_engine(network, size=[64, 64], **tables))
    np.testing.assert_allclose(person.joints_m, JOINTS_M + WHERE, atol=1e-3)


VECTORS = np.random.default_rng(2).normal(0, 0.3, (24, 3)) + (np.arange(24) == 0)[:, None] * (np.pi, 0, 0)


@pytest.mark.parametrize(("kind", "values"), [("matrices", matrices_from_axis_angle(VECTORS)), ("vectors", VECTORS.ravel())])
def test_smpl_pose_is_published_with_its_joints(kind: str, values: np.ndarray) -> None:
    betas = np.linspace(-1, 1, 10)
    network = ConstantNetwork(turns=values, shape=betas, cam=weak(crop_rect(BOX, (224, 224), 1.25), WHERE))
    tables = {
        "rotations": {"output": "turns", "kind": kind},
        "betas": {"output": "shape"},
        "camera": {"output": "cam"},
    }
    person = person_of(make_engine(network, "smpl24", size=[224, 224], **tables))
    expected = BODY.joints(VECTORS[0], VECTORS[1:].ravel(), betas, WHERE)
    np.testing.assert_allclose(
        matrices_from_axis_angle(person.smpl.body_pose.reshape(23, 3)), matrices_from_axis_angle(VECTORS[1:]), atol=1e-5
    )
    np.testing.assert_allclose(person.smpl.betas, betas, atol=1e-6)
    np.testing.assert_allclose(person.smpl.transl, WHERE, atol=1e-3)
    assert person.skeleton == "smpl24"
    turned = person.joints_m - person.joints_m[0]
    np.testing.assert_allclose(turned, expected - expected[0], atol=1e-3)
    np.testing.assert_allclose(person.keypoints_px, project(person.joints_m.astype(float), CAMERA), atol=0.5)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_image_is_normalised_as_described(layout: Any, colour: Any) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 6, 5, 3), np.uint8)
    reading = ImageNormalisation(1 / 128, (0.1, 0.2, 0.3), (1.0, 2.0, 4.0), colour, layout)
    expected = (pictures[..., :: -1 if colour == "rgb" else 1] / 128 - (0.1, 0.2, 0.3)) / (1, 2, 4)
    found = reading.to_tensor(pictures)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.transpose(0, 3, 1, 2) if layout == "nchw" else expected, atol=1e-6)


def test_crop_is_the_box_in_the_crops_proportions_and_enlarged() -> None:
    wide, tall = crop_rect(np.array([0, 0, 300, 100]), (192, 256), 1.25), crop_rect(np.array([10, 20, 30, 420]), (192, 256), 1.25)
    np.testing.assert_allclose(wide.size_px, np.array([300, 400]) * 1.25)
    np.testing.assert_allclose(tall.size_px, np.array([300, 400]) * 1.25)
    np.testing.assert_allclose(tall.center_px, (20, 220))


def test_network_sees_the_crop_upright_with_black_around() -> None:
    network = ConstantNetwork(kp=FRACTIONS)
    engine = make_engine(network, look=OnnxEngineOptions(1.0, 0.0), keypoints={"output": "kp", "unit": "fraction"})
    image = np.zeros((256, 192, 3), np.uint8)
    image[64:, :, 2] = 255
    engine.infer([Crop(image, np.array([96, 0, 288, 256], np.float32), 1, 0.0, CAMERA)])
    red = network.calls[0]["picture"][0, 0]
    assert red.shape == (256, 192)
    assert red[100, 48] == 1
    assert red[40, 48] == red[100, 150] == 0


@pytest.mark.parametrize(("one_by_one", "calls"), [(False, [3]), (True, [1, 1, 1])])
def test_people_share_a_call_unless_the_batch_is_one(one_by_one: bool, calls: list[int]) -> None:
    network = ConstantNetwork(kp=FRACTIONS)
    engine = make_engine(network, keypoints={"output": "kp", "unit": "fraction"})
    engine._network = OnnxModel(network, one_by_one)
    boxes = [BOX + shift for shift in (0, 20, 40)]
    found = engine.infer([Crop(GREY, box, number, 0.0, CAMERA) for number, box in enumerate(boxes)])
    assert [len(call["picture"]) for call in network.calls] == calls
    for number, pose in enumerate(found):
        assert pose.person is not None
        assert pose.person.track_id == number
        np.testing.assert_allclose(pose.person.keypoints_px, EXPECTED + 20 * number, atol=0.01)


class Overwriting:
    """A network of one row that gives its own memory, as runtimes may."""

    name = "fake"
    memory = np.zeros((1, 2))

    def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.memory[:] = tensors["x"] * 2
        return {"y": self.memory}


def test_answers_one_by_one_outlast_the_next_call() -> None:
    found = OnnxModel(Overwriting(), has_batch_of_one=True).run({"x": np.array([[1.0, 2], [3, 4]])})
    np.testing.assert_array_equal(found["y"], [[2, 4], [6, 8]])


def test_file_with_a_batch_of_one_takes_several_people(engines: Path) -> None:
    maps = np.zeros((3, 32, 24))
    maps[[0, 1, 2], [4, 16, 28], [4, 12, 20]] = 1
    write_constants(engines / "dots.onnx", (3, 128, 96), {"maps": maps})
    (engines / "dots.toml").write_text(TOML[0])
    for engine in ("dots", "dots-onnx"):
        found = load_engine(engine).infer([Crop(GREY, BOX + shift, 1, 0.0, CAMERA) for shift in (0, 20)])
        first, second = (pose.person for pose in found)
        assert first is not None
        assert second is not None
        np.testing.assert_allclose(second.keypoints_px - first.keypoints_px, 20, atol=1e-3)


@pytest.mark.parametrize(
    ("outputs", "tables", "reason"),
    [
        ({"kp": FRACTIONS * np.nan}, {"keypoints": {"output": "kp", "unit": "fraction"}}, "numbers"),
        ({"xyz": JOINTS_M}, {"joints": {"output": "xyz", "origin": "camera"}}, "behind"),
        ({"kp": FRACTIONS + 9}, {"keypoints": {"output": "kp", "unit": "fraction"}}, "doubt"),
        (
            {"kp": np.concatenate([FRACTIONS + 9, np.ones((K, 1))], 1)},
            {"keypoints": {"output": "kp", "unit": "fraction"}},
            "outside",
        ),
    ],
)
def test_implausible_output_is_rejected(outputs: dict[str, np.ndarray], tables: dict[str, Any], reason: str) -> None:
    found = make_engine(ConstantNetwork(**outputs), **tables).infer([Crop(GREY, BOX, 7, 0.0, CAMERA)])[0]
    assert (found.person, found.rejection_reason) == (None, reason)


def test_next_box_is_around_the_clear_key_points() -> None:
    values = np.concatenate([FRACTIONS, np.ones((K, 1))], 1)
    values[3] = (5, 5, 0.05)
    found = make_engine(ConstantNetwork(kp=values), keypoints={"output": "kp", "unit": "fraction"}).infer(
        [Crop(GREY, BOX, 7, 0.0, CAMERA)]
    )[0]
    clear = np.delete(EXPECTED, 3, 0)
    flesh = 0.06 * (clear.max(0) - clear.min(0)).max()
    np.testing.assert_allclose(found.next_box_xyxy, [*(clear.min(0) - flesh), *(clear.max(0) + flesh)], atol=0.1)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            ("size = [96, 128]", "sise = [96, 128]"),
            r"network: there is no key `sise`. Did you mean `size`\?|network: `size` is missing; allowed: \[number, number\]",
        ),
        (('colour = "rgb"', 'color = "rgb"'), r"network: there is no key `color`. Did you mean `colour`\?"),
        (('read = "peaks"', 'read = "peak"'), r"`network.heatmaps.read` is 'peak'; allowed: absolute, peaks, sigmoid or softmax"),
        (('output = "maps"', 'output = "heat"'), r"has no output 'heat', which \[network.heatmaps\] names \(it has: maps\)"),
        (
            ("size = [96, 128]", "size = [128, 96]"),
            r"has an input 'image' of shape N x 3 x 128 x 96, expected N x 3 x 96 x 128",
        ),
        (("size = [96, 128]", 'size = [96, 128]\ninput = "photo"'), r"has no input 'photo' \(it has: image\)"),
        (
            ('"head", "hips", "foot"]\n', '"head", "hips"]\n'),
            r"`bones` names 'foot', which is not among the joints \(head, hips\)",
        ),
        (
            ('"head", "hips", "foot"]', '"head", "hips", "foot", "tail"]'),
            r"of \[network.heatmaps\] is N x 3 x 32 x 24, expected N x 4",
        ),
        (('skeleton = "dots3"', 'skeleton = "coco17"'), r"skeleton 'coco17' already exists with other joints"),
        (("least_score = 0.4", "least = 0.4"), r"Unknown option of engine 'dots': 'least'. Did you mean 'least_score'\?"),
        (("[network.skeleton]", '[network.camera]\noutput = "maps"\n[network.skeleton]'), r"`camera` needs a square crop"),
        (("[network.heatmaps]", "[network.scores]"), r"network.scores: there is no key `read`. Keys: output, logits"),
        (('[network.heatmaps]\noutput = "maps"\nread = "peaks"', ""), r"no output gives a person's position"),
        (
            ("[[weights]]", '[[weights]]\nname = "a"\nfile = "b"\nlicence = "c"\n[[weights]]'),
            r"has 2 \[\[weights\]\], expected one",
        ),
    ],
)
def test_mistake_in_the_toml_is_reported_in_one_line(dots: Path, change: tuple[str, str], complaint: str) -> None:
    assert change[0] in TOML[0]
    dots.write_text(TOML[0].replace(*change))
    with pytest.raises(UsageError, match=complaint) as error:
        load_engine("dots")
    assert "\n" not in str(error.value)
    assert "dots" in str(error.value)


def test_manifest_without_a_description_or_a_known_skeleton_is_reported(dots: Path) -> None:
    plain = TOML[0][: TOML[0].index("[network]")]
    dots.write_text(plain)
    with pytest.raises(UsageError, match=r"needs a table \[network\]"):
        load_engine("dots")
    dots.write_text(TOML[0][: TOML[0].index("[network.skeleton]")].replace("dots3", "coco71"))
    with pytest.raises(UsageError, match=r"'coco71'. Did you mean 'coco17'\?"):
        load_engine("dots")


def test_network_with_further_inputs_is_reported(engines: Path) -> None:
    write_constants(engines / "dots.onnx", (3, 128, 96), {"maps": np.ones((3, 32, 24))}, more="box")
    (engines / "dots.toml").write_text(TOML[0])
    with pytest.raises(UsageError, match=r"has the inputs picture, box; name the image input"):
        load_engine("dots")
    (engines / "dots.toml").write_text(TOML[0].replace("[network]", '[network]\ninput = "picture"'))
    with pytest.raises(UsageError, match=r"has further inputs box, which a description cannot supply"):
        load_engine("dots")


def test_fixed_batch_of_several_is_reported(engines: Path) -> None:
    write_constants(engines / "dots.onnx", (3, 128, 96), {"maps": np.ones((3, 32, 24))}, batch=4)
    (engines / "dots.toml").write_text(TOML[0])
    with pytest.raises(UsageError, match=r"has a batch size of 4; it must be dynamic or 1"):
        load_engine("dots")


@pytest.mark.parametrize(
    ("tables", "complaint"),
    [
        ({"keypoints": {"output": "a", "unit": "pixels"}, "heatmaps": {"output": "b"}}, "keep one"),
        ({"rotations": {"output": "a"}}, "`rotations` needs `camera`"),
        ({"joints": {"output": "a", "origin": "body"}}, 'with origin = "body" needs'),
        ({"joints": {"output": "a", "origin": "camera"}, "betas": {"output": "b"}}, "`betas` needs `rotations`"),
        ({"keypoints": {"output": "a", "unit": "pixels"}, "std": [1, 0, 1]}, "must not be 0"),
    ],
)
def test_description_that_contradicts_itself_is_reported(tables: dict[str, Any], complaint: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=complaint):
        msgspec.convert({"size": [192, 256], **tables}, OnnxDescription)
