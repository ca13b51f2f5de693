"""A converted network with other outputs is not kept, and is reported with the worst joints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from remi_stream.convert import onnx_conversion, onnx_export, parity
from remi_stream.errors import RemiError
from remi_stream.geometry import matrices_from_axis_angle
from remi_stream.inference import onnx_cache, plan
from remi_stream.models.store import model_sha256
from remi_stream.skeletons import JOINT_NAMES
from tests.convert.stand_ins import bring

RANDOM = np.random.default_rng(5)
ELBOW = JOINT_NAMES["smpl24"].index("left_elbow")


def bodies() -> dict[str, np.ndarray]:
    """Outputs of POCO for three people."""
    return {
        "rotations": matrices_from_axis_angle(RANDOM.normal(0, 0.4, (3, 24, 3))),
        "betas": RANDOM.normal(0, 1, (3, 10)),
        "camera": np.tile([0.9, 0.0, 0.1], (3, 1)),
        "joint_variance": RANDOM.uniform(0, 1, (3, 24)),
    }


def turned(outputs: dict[str, np.ndarray], degrees: float) -> dict[str, np.ndarray]:
    """The same with every left elbow turned."""
    rotations = outputs["rotations"].copy()
    rotations[:, ELBOW] = rotations[:, ELBOW] @ matrices_from_axis_angle(np.radians([[0.0, degrees, 0.0]]))[0]
    return {**outputs, "rotations": rotations}


def test_same_bodies_are_no_distance_apart() -> None:
    found = parity.check_parity("It", "poco_cliff", (one := bodies()), one, "fp32")
    assert found == pytest.approx({"joints_mm": 0, "rotations_deg": 0, "place_px": 0, "certainty": 0}, abs=1e-4)


def test_joints_are_reported_from_the_pelvis_in_metres() -> None:
    joints = parity.body_joints(bodies())
    np.testing.assert_array_equal(joints[:, 0], 0)
    assert 0.5 < np.linalg.norm(joints, axis=-1).max() < 1.5


def test_turned_elbow_is_measured_in_degrees_and_moves_the_arm_below_it() -> None:
    one = bodies()
    found = parity.output_distances("poco_cliff", one, turned(one, 2.0))
    assert found["rotations_deg"].value == pytest.approx(2.0)
    moved = [JOINT_NAMES["smpl24"][joint] for joint in np.flatnonzero(found["joints_mm"].per_joint > 0.01)]
    assert moved == ["left_wrist", "left_hand"]
    assert found["joints_mm"].per_joint[JOINT_NAMES["smpl24"].index("left_hand")] < 0.4 * np.radians(2) * 1000


def test_worst_joints_are_named() -> None:
    one = bodies()
    with pytest.raises(RemiError) as error:
        parity.check_parity("The FP16 ONNX of poco_cliff.pt", "poco_cliff", one, turned(one, 2.0), "fp16")
    said = str(error.value)
    assert said.startswith("The FP16 ONNX of poco_cliff.pt differs from PyTorch: joints differ by ")
    assert "; rotations differ by 2 degrees (at most 0.3, most: left_elbow 2); " in said
    assert said.endswith("). Nothing was kept. Use --precision fp32.")


@pytest.mark.parametrize(("degrees", "precision", "kept"), [(0.2, "fp16", True), (0.2, "fp32", False), (0.31, "fp16", False)])
def test_bound_depends_on_the_precision(degrees: float, precision: plan.Precision, kept: bool) -> None:
    one = bodies()
    try:
        parity.check_parity("It", "poco_cliff", one, turned(one, degrees), precision)
    except RemiError:
        assert not kept
    else:
        assert kept


@pytest.mark.parametrize(
    ("output", "change", "reported"),
    [
        ("camera", 0.01, "positions in the crop differ by"),
        ("joint_variance", 0.03, "confidences differ by 0.03"),
        ("betas", 0.2, "joints differ by"),
        ("rotations", np.nan, "rotations differ by nan"),
    ],
)
def test_every_output_counts(output: str, change: float, reported: str) -> None:
    one = bodies()
    with pytest.raises(RemiError, match=reported):
        parity.check_parity("It", "poco_cliff", one, {**one, output: one[output] + change}, "fp16")


def test_points_of_heatmaps_are_measured_in_px_of_the_crop() -> None:
    rows, columns = np.mgrid[:64, :48]

    def blobs(x: float) -> np.ndarray:
        return np.tile(8 - ((columns - x) ** 2 + (rows - 30) ** 2), (2, 17, 1, 1))

    one, other = {"heatmaps": blobs(20)}, {"heatmaps": blobs(21)}
    assert parity.output_distances("alphapose_coco17", one, other)["points_px"].value == pytest.approx(4.0, rel=1e-3)
    with pytest.raises(RemiError, match=r"key points differ by 4 px \(at most 0.5, most: "):
        parity.check_parity("It", "alphapose_coco17", one, other, "fp16")


def test_only_the_surest_boxes_of_a_detector_count() -> None:
    rows = RANDOM.uniform(0, 1, (2, 500, 85))
    rows[..., 4] = np.linspace(1, 0, 500)
    unsure, sure = rows.copy(), rows.copy()
    unsure[:, 200:, :4] += 50
    sure[:, :50, :4] += 2
    assert parity.output_distances("yolov3", {"rows": rows}, {"rows": unsure})["boxes_px"].value == 0
    assert parity.output_distances("yolov3", {"rows": rows}, {"rows": sure})["boxes_px"].value == pytest.approx(1.0)


def test_onnx_of_other_weights_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real export, of the wrong checkpoint."""
    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))
    smoothnet = bring("smoothnet_w8", tmp_path)
    from tools.make_weights import MODELS

    MODELS["smoothnet_w8"][1](tmp_path / "other", 4321)
    real = onnx_export.export_onnx
    monkeypatch.setattr(
        onnx_export, "export_onnx", lambda name, path, target, precision: real(name, tmp_path / "other", target, precision)
    )
    with pytest.raises(RemiError, match=r"The FP32 ONNX of checkpoint_8.pth.tar differs from PyTorch"):
        onnx_conversion.convert_to_onnx(smoothnet)
    assert list(onnx_cache.onnx_path(smoothnet).parent.iterdir()) == []


def test_metadata_of_an_onnx_is_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))
    smoothnet = bring("smoothnet_w8", tmp_path)
    onnx_conversion.convert_to_onnx(smoothnet)
    made = onnx_cache.read_onnx_metadata(smoothnet)
    assert made
    assert (made.precision, made.weights_sha256) == ("fp32", model_sha256(smoothnet))
    assert 0 <= made.parity["relative"] < 1e-5
    onnx_cache.remove_conversions(smoothnet)
    assert list(onnx_cache.onnx_path(smoothnet).parent.iterdir()) == []


def test_batches_of_three_sizes_are_compared() -> None:
    sizes: list[int] = []

    def run(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        sizes.append(len(tensors["image"]))
        return {"y": tensors["image"].mean((1, 2, 3))}

    feed = parity.parity_inputs("alphapose_coco17")
    found = parity.run_in_batches(run, feed)["y"]
    assert sizes == [1, 2, 3]
    np.testing.assert_allclose(found, feed["image"].mean((1, 2, 3)))
