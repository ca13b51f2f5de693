"""TensorRT's parser refuses what our rules refuse, and accepts what they allow of the same operators."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from remi_stream.convert.operators import check_onnx_operators, check_program_operators, export_failure_reason
from remi_stream.errors import RemiError
from remi_stream.inference.tensorrt import find_backend, make_error_logger

PICTURE = helper.make_tensor_value_info("x", TensorProto.UINT8, ["batch", 4, 4, 3])
MAPS = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 8, 8])
TO_FLOAT = helper.make_node("Cast", ["y"], ["z"], to=TensorProto.FLOAT)
MASK = helper.make_node("Greater", ["x", "zero"], ["mask"])
BF16 = helper.make_node("Cast", ["x"], ["b"], to=TensorProto.BFLOAT16)
WEIGHTS = (
    numpy_helper.from_array(np.array(0, np.float32), "zero"),
    numpy_helper.from_array(np.array([1, 1, 0.5, 0.5], np.float32), "half_size"),
    numpy_helper.from_array(np.array([-1, 48], np.int64), "flat"),
    numpy_helper.from_array(np.array([1], np.int64), "one"),
    numpy_helper.from_array(np.array([2, 1, 0], np.int64), "bgr"),
    helper.make_tensor("kernel", TensorProto.FLOAT, [2, 3, 1, 1], [1.0] * 6),
    helper.make_tensor("bf16_kernel", TensorProto.BFLOAT16, [2, 3, 1, 1], [1.0] * 6),
)


def resize(mode: str, antialias: int) -> list[onnx.NodeProto]:
    return [helper.make_node("Resize", ["x", "", "half_size"], ["z"], mode=mode, antialias=antialias)]


def convolution(kernel: str) -> list[onnx.NodeProto]:
    return [BF16, helper.make_node("Conv", ["b", kernel], ["y"]), TO_FLOAT]


DENIED = {
    "Transpose": (PICTURE, [helper.make_node("Transpose", ["x"], ["y"], perm=[0, 3, 1, 2]), TO_FLOAT]),
    "Reshape": (PICTURE, [helper.make_node("Reshape", ["x", "flat"], ["y"]), TO_FLOAT]),
    "Gather": (PICTURE, [helper.make_node("Gather", ["x", "bgr"], ["y"], axis=3), TO_FLOAT]),
    "Concat": (PICTURE, [helper.make_node("Concat", ["x", "x"], ["y"], axis=1), TO_FLOAT]),
    "Slice": (PICTURE, [helper.make_node("Slice", ["x", "one", "flat_end", "one"], ["y"]), TO_FLOAT]),
    "Unsqueeze": (PICTURE, [helper.make_node("Unsqueeze", ["x", "one"], ["y"]), TO_FLOAT]),
    "Flatten": (PICTURE, [helper.make_node("Flatten", ["x"], ["y"]), TO_FLOAT]),
    "Resize": (MAPS, resize("cubic", 1)),
    "NonZero": (MAPS, [MASK, helper.make_node("NonZero", ["mask"], ["y"]), TO_FLOAT]),
    "Compress": (MAPS, [MASK, helper.make_node("Compress", ["x", "mask"], ["z"])]),
    "Unique": (MAPS, [helper.make_node("Unique", ["x"], ["z"])]),
    "Det": (MAPS, [helper.make_node("Det", ["x"], ["z"])]),
    "Conv": (MAPS, convolution("kernel")),
}
TAKEN = {
    "Transpose of numbers": (MAPS, [helper.make_node("Transpose", ["x"], ["z"], perm=[0, 2, 3, 1])]),
    "bytes that become numbers first": (
        PICTURE,
        [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT), helper.make_node("Transpose", ["y"], ["z"])],
    ),
    "Resize without antialiasing": (MAPS, resize("cubic", 0)),
    "a mask that chooses": (MAPS, [MASK, helper.make_node("Where", ["mask", "x", "zero"], ["z"])]),
    "Conv in one type": (MAPS, convolution("bf16_kernel")),
}


def written(path: Path, picture: onnx.ValueInfoProto, nodes: list[onnx.NodeProto]) -> Path:
    end = numpy_helper.from_array(np.array([3], np.int64), "flat_end")
    used = {name for node in nodes for name in node.input}
    weights = [weight for weight in (*WEIGHTS, end) if weight.name in used]
    output = helper.make_tensor_value_info("z", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "graph", [picture], [output], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
    return path


def parser_takes(path: Path) -> bool:
    trt = find_backend(("tensorrt_rtx",)).module
    log = make_error_logger(trt)
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    taken: bool = trt.OnnxParser(network, log).parse_from_file(str(path))
    return taken


@pytest.mark.rtx
@pytest.mark.parametrize("name", DENIED)
def test_denied_operator_is_named_and_the_parser_refuses_it(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / "net.onnx", *DENIED[name])
    with pytest.raises(RemiError, match=rf"TensorRT cannot run net.onnx: {name} \(.*\): ") as error:
        check_onnx_operators(path)
    assert "\n" not in str(error.value)
    assert not parser_takes(path)


@pytest.mark.rtx
@pytest.mark.parametrize("name", TAKEN)
def test_operator_that_is_let_through_is_taken_by_the_parser(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / "net.onnx", *TAKEN[name])
    check_onnx_operators(path)
    assert parser_takes(path)


class Factored(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.svd(x)[0] + torch.linalg.inv(x)


def test_what_cannot_be_exported_is_explained() -> None:
    with pytest.raises(torch.onnx.OnnxExporterError) as error:
        torch.onnx.export(Factored().eval(), (torch.eye(3)[None],), dynamo=True, opset_version=20, verbose=False)
    assert "singular value decomposition" in export_failure_reason(error.value) or "matrix inverse" in export_failure_reason(
        error.value
    )
    assert export_failure_reason(RuntimeError("no memory left")) == ""


class Crossed(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.cross(x, x.roll(1, 0)).unfold(0, 2, 1)


def test_what_torch_tensorrt_refuses_is_named() -> None:
    program = torch.export.export(Crossed(), (torch.ones(4, 3),))
    with pytest.raises(RemiError, match=r"it has torch.cross \(.*\), unfold \(.*\). Use --via tensorrt"):
        check_program_operators(program)
    check_program_operators(torch.export.export(torch.nn.Linear(3, 3), (torch.ones(4, 3),)))
