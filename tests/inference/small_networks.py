"""Small networks with the inputs and outputs of the published ones, as ONNX; their outputs depend on every pixel."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from remi_stream.inference.plan import PlanKey, PlanManifest, TensorSpec

Shapes = dict[str, tuple[int, ...]]
REGRESSED: Shapes = {"rotations": (24, 3, 3), "betas": (10,), "camera": (3,), "joint_variance": (24,)}


def regressor(usual: dict[str, np.ndarray], seed: int = 0) -> bytes:
    """A POCO-CLIFF: `usual` outputs of one person, and a little for each row of pixels and for where the square is."""
    width = sum(usual[name].size for name in REGRESSED)
    noise = np.random.default_rng(seed)
    numbers = {
        "by_row": noise.normal(0, 2e-5, (672, width)),
        "by_place": noise.normal(0, 1e-2, (3, width)),
        "usual": np.concatenate([usual[name].ravel() for name in REGRESSED]),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers"], ["rows"], axes=[2], keepdims=0),
        helper.make_node("Flatten", ["rows"], ["flat"]),
        helper.make_node("MatMul", ["flat", "by_row"], ["seen"]),
        helper.make_node("MatMul", ["bbox_info", "by_place"], ["placed"]),
        helper.make_node("Sum", ["seen", "placed", "usual"], ["all"]),
        helper.make_node("Split", ["all", "sizes"], [f"{name}_flat" for name in REGRESSED], axis=1),
    ]
    whole = {"sizes": np.array([usual[name].size for name in REGRESSED])}
    for name, shape in REGRESSED.items():
        whole[f"{name}_shape"] = np.array((-1, *shape))
        nodes.append(helper.make_node("Reshape", [f"{name}_flat", f"{name}_shape"], [name]))
    return network(nodes, {"image": (224, 224, 3), "bbox_info": (3,)}, REGRESSED, numbers, whole)


def heatmapper(joints: int, seed: int = 0) -> bytes:
    """An AlphaPose: each joint is where the colours of 4 x 4 px are nearest to its own."""
    numbers = {"colours": np.random.default_rng(seed).normal(0, 1 / 255, (joints, 3, 1, 1))}
    nodes = [
        helper.make_node("Cast", ["image"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["numbers"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["planes"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Conv", ["small", "colours"], ["matches"]),
        helper.make_node("Sigmoid", ["matches"], ["heatmaps"]),
    ]
    return network(nodes, {"image": (256, 192, 3)}, {"heatmaps": (joints, 64, 48)}, numbers, {})


def network(
    nodes: list[onnx.NodeProto], inputs: Shapes, outputs: Shapes, numbers: dict[str, np.ndarray], whole: dict[str, np.ndarray]
) -> bytes:
    """The ONNX of nodes; numbers: float32. whole: int64."""
    kinds = {"image": TensorProto.UINT8}
    given = [helper.make_tensor_value_info(n, kinds.get(n, TensorProto.FLOAT), ("rows", *shape)) for n, shape in inputs.items()]
    found = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ("rows", *shape)) for n, shape in outputs.items()]
    constants = [numpy_helper.from_array(values.astype(np.float32), name) for name, values in numbers.items()]
    constants += [numpy_helper.from_array(values.astype(np.int64), name) for name, values in whole.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "small", given, found, constants), opset_imports=[helper.make_opsetid("", 13)]
    )
    model.ir_version = 8
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def manifest_of(inputs: Shapes, outputs: Shapes, most: int = 4) -> PlanManifest:
    """Of a plan of such a network, in batches of 1 to `most`."""
    key = PlanKey("small", "fp32", "0" * 64, most, "tensorrt", "11.1.0.106", ("8.9",))
    given = [TensorSpec(name, (-1, *shape), "uint8" if name == "image" else "float32") for name, shape in inputs.items()]
    found = [TensorSpec(name, (-1, *shape), "float32") for name, shape in outputs.items()]
    return PlanManifest(key, "", given, found, bytes=1, build_s=1.0)
