from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from remi_stream.errors import RemiError
from remi_stream.models.onnx_ports import OnnxSignature, read_signature

Make = Callable[[str], Path]


def write(path: Path, weights_are_inputs: bool = False) -> Path:
    def port(name: str, *shape: object) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))

    weight = numpy_helper.from_array(np.ones((300, 300), np.float32), "weight")
    inputs = [port("x", "N", 300), *([port("weight", 300, 300)] if weights_are_inputs else [])]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weight"], ["y"])], "net", inputs, [port("y", None, 300)], [weight]
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
def test_network_that_is_cut_off_is_told(share: float, tmp_path: Path) -> None:
    whole = write(tmp_path / "net.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(RemiError, match=r"cut.onnx is not an ONNX network, or it is truncated"):
        read_signature(tmp_path / "cut.onnx")


@pytest.mark.parametrize("content", [b"hello world, this is text", b"\x00" * 100, b"\xff" * 100, b"\x08\x01"])
def test_what_is_no_network_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "some.onnx").write_bytes(content)
    with pytest.raises(RemiError, match=r"some.onnx is not an ONNX network"):
        read_signature(tmp_path / "some.onnx")
