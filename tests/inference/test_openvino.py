"""The OpenVINO runtime."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino
import openvino.opset13 as ops
import pytest

from remi_stream.errors import UsageError
from remi_stream.inference.load import load_runtime
from remi_stream.inference.openvino import OpenVinoRuntime


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A network with the input `picture` (1, 4) and the outputs `double` and `sum`."""
    picture = ops.parameter([1, 4], np.float32, name="picture")
    picture.output(0).get_tensor().set_names({"picture"})
    double = ops.multiply(picture, ops.constant(np.float32(2)))
    double.output(0).get_tensor().set_names({"double"})
    total = ops.reduce_sum(picture, ops.constant(np.array([1], np.int64)))
    total.output(0).get_tensor().set_names({"sum"})
    openvino.save_model(openvino.Model([double, total], [picture], "net"), tmp_path / "net.xml", compress_to_fp16=False)
    return tmp_path / "net.xml"


PICTURE = np.array([[0, 51, 102, 255]], np.uint8)


def test_outputs_are_given_by_name(network: Path) -> None:
    out = OpenVinoRuntime(network).run({"picture": PICTURE.astype(np.float32)})
    np.testing.assert_allclose(out["double"], 2.0 * PICTURE)
    np.testing.assert_allclose(out["sum"], [408])


def test_only_the_outputs_asked_for_are_computed(network: Path) -> None:
    assert list(OpenVinoRuntime(network, outputs=("sum",)).run({"picture": PICTURE.astype(np.float32)})) == ["sum"]


def test_bytes_are_scaled_and_shifted_inside_the_network(network: Path) -> None:
    out = OpenVinoRuntime(network, bytes_scale=2 / 255, bytes_offset=-1.0).run({"picture": PICTURE})
    np.testing.assert_allclose(out["double"], 2 * (PICTURE * (2 / 255) - 1), atol=1e-5)


def test_name_says_precision_and_threads(network: Path) -> None:
    assert OpenVinoRuntime(network, threads=2).name == "openvino f32, 2 threads"
    assert OpenVinoRuntime(network).name == "openvino f32, 1 thread"


def test_unknown_runtime_is_reported(network: Path) -> None:
    with pytest.raises(UsageError, match=r"Unknown runtime 'openvin'. Did you mean 'openvino'\?"):
        load_runtime("openvin", network)


def test_network_with_a_free_batch_gives_each_row_what_it_gives_alone(tmp_path: Path) -> None:
    picture = ops.parameter(openvino.PartialShape([-1, 4]), np.float32, name="picture")
    picture.output(0).get_tensor().set_names({"picture"})
    double = ops.multiply(picture, ops.constant(np.float32(2)))
    double.output(0).get_tensor().set_names({"double"})
    openvino.save_model(openvino.Model([double], [picture], "net"), tmp_path / "net.xml", compress_to_fp16=False)
    rows = np.arange(12, dtype=np.float32).reshape(3, 4)
    runtime = OpenVinoRuntime(tmp_path / "net.xml")
    np.testing.assert_allclose(runtime.run({"picture": rows})["double"], 2 * rows)
    np.testing.assert_allclose(runtime.run({"picture": rows[:1]})["double"], 2 * rows[:1])


def test_runtime_name_shows_the_automatic_precision(network: Path) -> None:
    assert OpenVinoRuntime(network, precision="auto").name in ("openvino bf16, 1 thread", "openvino f32, 1 thread")


def test_small_network_may_keep_its_batch(tmp_path: Path) -> None:
    picture = ops.parameter(openvino.PartialShape([-1, 4]), np.float32, name="picture")
    picture.output(0).get_tensor().set_names({"picture"})
    total = ops.reduce_sum(picture, ops.constant(np.array([0], np.int64)))
    total.output(0).get_tensor().set_names({"sum"})
    openvino.save_model(openvino.Model([total], [picture], "net"), tmp_path / "net.xml", compress_to_fp16=False)
    rows = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_allclose(OpenVinoRuntime(tmp_path / "net.xml", whole_batch=True).run({"picture": rows})["sum"], rows.sum(0))


def test_openvino_does_not_report_to_intel_that_it_is_used(tmp_path: Path) -> None:
    """Its telemetry would leave an id in the home folder."""
    quiet = {key: value for key, value in os.environ.items() if key != "CI"} | {"HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", "import remi_stream.inference.openvino"], env=quiet, check=True)
    assert list(tmp_path.iterdir()) == []
