"""Placeholder ONNX with the inputs and outputs of InstantHMR: a standing person that sways with the image content."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from weights.mhr_points import mhr_positions

Array = NDArray[Any]

FEATURES = 8
ARMS = {16: (0, 0.1, -1.15), 17: (0, -0.1, 1.15), 18: (0, -0.35, 0), 19: (0, 0.35, 0)}
"""Rotations (rad) that lower the arms of the T-pose and bend the elbows."""
SWAY = 0.03
HEIGHT_M, LOWER_M = 1.77, 0.07
"""Height of the person; distance of the box centre below the hips."""
ENLARGED = 1.2
FOCAL = math.hypot(16, 9)
"""Focal length in units of a 16 x 9 image: its diagonal."""
OUTPUTS = {"mhr_params": (204,), "shape_params": (45,), "cam_trans": (3,), "joints_2d": (70, 2), "joints_3d": (70, 3)}


def write_instanthmr(path: Path, seed: int = 1234) -> None:
    """Write the network: ONNX opset 17, float32, dynamic batch."""
    weights = {name: np.asarray(array, np.float32) for name, array in make_constants(seed).items()}
    weights |= {name: np.array(shape, np.int64) for name, shape in (("flat", (-1, 70, 3)), ("last", (2,)))}
    weights |= {
        name: np.array(value, np.int64) for name, value in (("two", (2,)), ("three", (3,)), ("one", (1,)), ("zero", (0,)))
    }
    graph = helper.make_graph(
        nodes(),
        "stand_in",
        [port("image", (3, 224, 224)), port("cliff_cond", (3,))],
        [port(name, shape) for name, shape in OUTPUTS.items()],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9, producer_name="make_weights")
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def port(name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
    """Make an input or output with a dynamic batch."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ("N", *shape))


def make_constants(seed: int) -> dict[str, Array]:
    """Make the constants: random filters for the image, and a standing person with random pose offsets."""
    noise = np.random.default_rng(seed)
    standing = np.zeros((24, 3))
    for joint, rotation in ARMS.items():
        standing[joint] = rotation
    mean = mhr_positions(standing)
    sways = [mhr_positions(standing + SWAY * noise.normal(size=(24, 3)) * moving()) - mean for _ in range(FEATURES)]
    scale = 2 / (ENLARGED * HEIGHT_M)
    return {
        "look": noise.normal(0, 1 / 32, (FEATURES, 3, 32, 32)),
        "see": noise.normal(0, 1, (FEATURES, FEATURES)),
        "sway": np.array(sways).reshape(FEATURES, 210),
        "mean": mean.reshape(210),
        "pose": noise.normal(0, 0.1, (FEATURES, 204)),
        "shape": noise.normal(0, 0.1, (FEATURES, 45)),
        "to_crop": np.array([scale, scale]),
        "crop_middle": np.array([0, -scale * LOWER_M]),
        "smallest": np.array([0.02]),
        "depth": np.array([HEIGHT_M * FOCAL / 16]),
        "per_depth": np.array([8 / FOCAL, 4.5 / FOCAL]),
        "hips": np.array([0, -LOWER_M]),
    }


def moving() -> Array:
    """Mask of joints that sway, (24, 1): not the pelvis, so that the person stays upright."""
    return np.array([joint not in (0, 10, 11, 22, 23) for joint in range(24)], float)[:, None]


def nodes() -> list[onnx.NodeProto]:
    """Make the graph: joints from the image, camera from the box."""
    node = helper.make_node
    return [
        node("Conv", ["image", "look"], ["seen"], strides=[32, 32]),
        node("Relu", ["seen"], ["bent"]),
        node("GlobalAveragePool", ["bent"], ["pooled"]),
        node("Flatten", ["pooled"], ["features"]),
        node("MatMul", ["features", "see"], ["mixed"]),
        node("Tanh", ["mixed"], ["code"]),
        node("MatMul", ["code", "pose"], ["mhr_params"]),
        node("MatMul", ["code", "shape"], ["shape_params"]),
        node("MatMul", ["code", "sway"], ["swayed"]),
        node("Add", ["swayed", "mean"], ["numbers"]),
        node("Reshape", ["numbers", "flat"], ["joints_3d"]),
        node("Slice", ["joints_3d", "zero", "two", "last"], ["plane"]),
        node("Mul", ["plane", "to_crop"], ["scaled"]),
        node("Add", ["scaled", "crop_middle"], ["joints_2d"]),
        node("Slice", ["cliff_cond", "two", "three", "one"], ["size"]),
        node("Max", ["size", "smallest"], ["large_enough"]),
        node("Div", ["depth", "large_enough"], ["z"]),
        node("Slice", ["cliff_cond", "zero", "two", "one"], ["place"]),
        node("Mul", ["place", "per_depth"], ["ray"]),
        node("Mul", ["ray", "z"], ["middle"]),
        node("Add", ["middle", "hips"], ["xy"]),
        node("Concat", ["xy", "z"], ["cam_trans"], axis=1),
    ]
