"""A mesh regressor's native outputs, published with the option `native`."""

from __future__ import annotations

import numpy as np
import pytest

from remi_stream.geometry import default_intrinsics
from remi_stream.messages import Person
from remi_stream.models.manifest import find_engine
from remi_stream.pose import smpl_regressor as engines
from remi_stream.pose.crop import square_crop, transl_from_weak_camera, weak_camera_from_transl
from remi_stream.pose.smpl_regressor import accumulate_variance
from tests.pose.smpl_regressor.regressing import FakeNetwork, crop_of, random_person

OPENERS = {"poco": engines.open_poco, "poco-pare": engines.open_poco, "pare": engines.open_pare}


def seen(name: str, monkeypatch: pytest.MonkeyPatch, variance: float = 0.02, **options: float) -> tuple[Person, FakeNetwork]:
    person = random_person(1)
    outputs = person.outputs(square_crop(person.box(), 1.2))
    outputs["joint_variance"] = np.linspace(variance, variance + 0.02, 24, dtype=np.float32)
    network = FakeNetwork(outputs)
    monkeypatch.setattr(engines, "load_model", lambda file, kind, **settings: network)
    manifest = find_engine(name)
    engine = OPENERS[name](manifest, "onnx", {"threads": 2, **manifest.options, **options})
    [pose] = engine.infer([crop_of(person.box())])
    assert pose.person is not None
    return pose.person, network


@pytest.mark.parametrize("name", OPENERS)
def test_native_outputs_are_off_by_default(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert seen(name, monkeypatch)[0].native == {}


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("poco", ["pred_cam", "bbox", "var", "var_global"]),
        ("poco-pare", ["pred_cam", "bbox", "pred_cam_t", "var", "var_global"]),
        ("pare", ["pred_cam", "bbox", "pred_cam_t"]),
    ],
)
def test_camera_square_and_uncertainty_are_native_outputs(name: str, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    person, network = seen(name, monkeypatch, native=1.0)
    native = person.native
    assert list(native) == names
    np.testing.assert_array_equal(native["pred_cam"], network.answer["camera"])
    square = square_crop(random_person(1).box(), 1.2)
    assert native["bbox"].tolist() == [square.x, square.y, square.side, square.side]
    if "pred_cam_t" in native:
        s, tx, ty = network.answer["camera"].astype(float)
        np.testing.assert_allclose(native["pred_cam_t"], [tx, ty, 2 * 5000 / (224 * s)], rtol=1e-5)
    network.answer["camera"][:] = 9
    assert not (native["pred_cam"] == 9).any()


@pytest.mark.parametrize(
    ("name", "variance", "whole"), [("poco", 0.5, 0.5), ("poco-pare", 0.05, None), ("poco", 0.81, 1), ("poco-pare", 0.41, 1)]
)
def test_uncertainty_is_accumulated_and_1_for_an_unreliable_person(
    name: str, variance: float, whole: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    native = seen(name, monkeypatch, variance, native=1.0)[0].native
    own = accumulate_variance(np.linspace(variance, variance + 0.02, 24, dtype=np.float32))
    np.testing.assert_allclose(native["var"], np.ones(24) if whole == 1 else own, rtol=1e-6)
    np.testing.assert_allclose(native["var_global"], [own.mean() if whole is None else whole], rtol=1e-6)


def test_weak_camera_is_the_inverse_of_translation() -> None:
    random = np.random.default_rng(0)
    cameras = random.uniform([0.3, -1, -1], [1.5, 1, 1], (50, 3))
    middles, sides = random.uniform(100, 900, (50, 2)), random.uniform(50, 800, 50)
    for intrinsics in (default_intrinsics(1280, 720), (900.0, 1100.0, 600.0, 300.0)):
        found = weak_camera_from_transl(transl_from_weak_camera(cameras, middles, sides, intrinsics), middles, sides, intrinsics)
        np.testing.assert_allclose(found, cameras, atol=1e-9)
