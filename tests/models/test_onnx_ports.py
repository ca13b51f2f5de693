from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from remi_stream.errors import RemiError
from remi_stream.models.onnx_description import OnnxSignature, read_signature

Make = Callable[[str], Path]


def write(path: Path, weights_are_inputs: bool = False, operator: str = "MatMul", domain: str = "") -> Path:
    def port(name: str, *shape: object) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))

    weight = numpy_helper.from_array(np.ones((300, 300), np.float32), "weight")
    inputs = [port("x", "N", 300), *([port("weight", 300, 300)] if weights_are_inputs else [])]
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "weight"], ["y"], domain=domain)], "net", inputs, [port("y", None, 300)], [weight]
    )
    onnx.save(helper.make_model(graph), str(path))
    return path


@pytest.mark.parametrize("weights_are_inputs", [False, True])
def test_ports_are_those_that_onnx_reads(weights_are_inputs: bool, tmp_path: Path) -> None:
    assert read_signature(write(tmp_path / "net.onnx", weights_are_inputs)) == OnnxSignature(
        {"x": (None, 300)}, {"y": (None, 300)}
    )


def test_made_instanthmr_has_the_ports_that_the_real_one_has(made: Make) -> None:
    inputs, outputs = read_signature(made("instanthmr"))
    assert inputs == {"image": (None, 3, 224, 224), "cliff_cond": (None, 3)}
    assert outputs["joints_3d"] == (None, 70, 3)
    assert len(outputs) == 5


@pytest.mark.parametrize("share", [0.001, 0.2, 0.9, 0.9999])
def test_network_that_is_cut_off_is_reported(share: float, tmp_path: Path) -> None:
    whole = write(tmp_path / "net.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(RemiError, match=r"cut.onnx is not an ONNX network, or it is truncated"):
        read_signature(tmp_path / "cut.onnx")


@pytest.mark.parametrize("content", [b"hello world, this is text", b"\x00" * 100, b"\xff" * 100, b"\x08\x01"])
def test_what_is_no_network_is_reported(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "some.onnx").write_bytes(content)
    with pytest.raises(RemiError, match=r"some.onnx is not an ONNX network"):
        read_signature(tmp_path / "some.onnx")


def test_network_with_an_operator_that_openvino_lacks_is_read_too(tmp_path: Path) -> None:
    assert read_signature(write(tmp_path / "net.onnx", operator="Foo", domain="com.other")).inputs == {"x": (None, 300)}


def test_unknown_shapes_and_networks_without_outputs(tmp_path: Path) -> None:
    unknown = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    for name, outputs in (("some", unknown[1:]), ("none", [])):
        onnx.save(helper.make_model(helper.make_graph([], "net", unknown[:1], outputs)), str(tmp_path / f"{name}.onnx"))
    assert read_signature(tmp_path / "some.onnx") == OnnxSignature({"x": ()}, {"y": ()})
    with pytest.raises(RemiError, match=r"none.onnx is not an ONNX network, or it is truncated \(it has no outputs\)\.$"):
        read_signature(tmp_path / "none.onnx")


def test_weights_outside_of_the_files_folder_are_refused(tmp_path: Path) -> None:
    weight = TensorProto(name="weight", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value="/etc/hostname")
    port = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    graph = helper.make_graph([helper.make_node("Add", ["x", "weight"], ["y"])], "net", [port], [port], [weight])
    (tmp_path / "net.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    with pytest.raises(RemiError, match=r"outside the base directory"):
        read_signature(tmp_path / "net.onnx")


def test_damaged_network_is_either_read_or_refused_in_one_line(tmp_path: Path) -> None:
    dice, whole, path = random.Random(5), write(tmp_path / "net.onnx").read_bytes(), tmp_path / "bad.onnx"
    errors = []
    for _ in range(200):
        content = bytearray(whole)
        for _ in range(dice.choice((1, 1, 2, 4))):
            content[dice.randrange(-100, 50)] = dice.randrange(256)
        path.write_bytes(content)
        try:
            read_signature(path)
        except RemiError as error:
            errors.append(str(error))
    assert 50 < len(errors) < 200
    assert all(re.fullmatch(r"bad\.onnx is not an ONNX network[ -~]+", error) for error in errors)
