"""The PARE engine, with a network of given outputs."""

from __future__ import annotations

import numpy as np
import pytest

from remi_stream.models.manifest import find_engine
from remi_stream.pose import smpl_regressor as engines
from remi_stream.pose.crop import square_crop
from remi_stream.pose.smpl_regressor import ATTENTION_CELLS, pare_confidence
from tests.pose.smpl_regressor.regressing import FakeNetwork, crop_of, perfect_pose, random_person


def test_confidence_is_how_much_attention_is_drawn_together() -> None:
    peaks = np.full(24, 1 / ATTENTION_CELLS, np.float32)
    peaks[[1, 2, 3]] = 1.0, 1 / np.sqrt(ATTENTION_CELLS), 0.0
    found = pare_confidence({"part_attention": peaks})
    assert found.joint_confidence[[0, 1, 2, 3]] == pytest.approx([0, 1, 0.5, 0], abs=1e-6)
    assert found.joint_confidence.dtype == np.float32
    assert found.score == pytest.approx(1.5 / 24)


def test_confidence_grows_with_the_peak_and_stays_in_range() -> None:
    found = pare_confidence({"part_attention": np.linspace(0, 1, 24).astype(np.float32)}).joint_confidence
    assert (np.diff(found[1:]) > 0).all()
    assert 0 <= found.min() <= found.max() <= 1


def test_person_stands_where_they_are() -> None:
    person = random_person(6)
    found = perfect_pose(person, pare_confidence).person
    assert found is not None
    assert found.smpl is not None
    np.testing.assert_allclose(found.smpl.transl, person.transl, atol=1e-3)
    assert found.score == pytest.approx(1 + np.log(0.1) / np.log(ATTENTION_CELLS), abs=1e-6)


def test_manifest_opens_the_network_without_bbox_info(monkeypatch: pytest.MonkeyPatch) -> None:
    person = random_person(0)
    network = FakeNetwork(person.outputs(square_crop(person.box(), 1.2)))
    monkeypatch.setattr(engines, "load_model", lambda file, kind, **settings: network)
    manifest = find_engine("pare")
    engine = engines.open_pare(manifest, "onnx", {"threads": 2, **manifest.options})
    assert engine.infer([crop_of(person.box())])[0].person is not None
    assert list(network.calls[0]) == ["image"]
