"""Parity check: a converted network must output the same bodies, key points or boxes as PyTorch before it is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from remi_stream.body.known_bodies import load_engine_body
from remi_stream.body.smpl import forward_kinematics
from remi_stream.errors import RemiError
from remi_stream.geometry import axis_angle_from_matrices
from remi_stream.inference.plan import Precision
from remi_stream.inference.runtime_benchmark import sample_inputs
from remi_stream.inference.torch import load_checkpoint
from remi_stream.networks.network import find_network
from remi_stream.pose.heatmaps import decode_soft_argmax
from remi_stream.skeletons import JOINT_NAMES

NamedArrays = dict[str, np.ndarray]
RunNetwork = Callable[[NamedArrays], NamedArrays]

BATCH_SIZES = (1, 2, 3)
"""Batch sizes compared, to check the dynamic batch."""
THREADS = 2
WORST_JOINTS = 3
"""How many of the worst joints an error names."""
SMPL_SKELETON = "smpl24"
HALF_CROP_PX, HEATMAP_STRIDE_PX = 112.0, 4.0
"""Half the side of the regressors' 224 px crop; stride of a heatmap cell in the crop."""
TOP_ROWS = 100
"""How many of a detector's rows with the highest objectness are compared per image: the others are discarded anyway."""

DISTANCE_TEXTS = {
    "joints_mm": "joints differ by {:.3g} mm",
    "rotations_deg": "rotations differ by {:.3g} degrees",
    "place_px": "positions in the crop differ by {:.3g} px",
    "points_px": "key points differ by {:.3g} px",
    "boxes_px": "boxes differ by {:.3g} px",
    "certainty": "confidences differ by {:.3g}",
    "relative": "outputs differ by {:.3g} of their standard deviation",
}
PARITY_LIMITS: dict[Precision, dict[str, float]] = {
    "fp16": dict(zip(DISTANCE_TEXTS, (0.5, 0.3, 0.5, 0.5, 0.5, 0.02, 0.02))),
    "fp32": dict(zip(DISTANCE_TEXTS, (0.05, 0.03, 0.05, 0.05, 0.05, 0.002, 0.002))),
}
"""Limits on means over images; joints_mm, points_px and boxes_px are averaged over joints, of the others the worst counts.

Measured in FP16 with calm stand-in weights: at most 0.19 mm, 0.022 degrees, 0.16 px (docs/extend/tensorrt.md)."""


class ParityDistance(NamedTuple):
    """Distance between the outputs of two networks in one unit."""

    value: float
    """The value that the limit applies to."""
    per_joint: np.ndarray
    """Distance of each joint, (J,) in the skeleton's order."""
    skeleton: str = ""
    """Name in skeletons.py; empty if the output has no joints."""

    def worst_joints(self) -> str:
        """Return the joints with the largest distance, as text for an error message."""
        if not self.skeleton:
            return ""
        order = np.argsort(-np.nan_to_num(self.per_joint, nan=np.inf))[:WORST_JOINTS]
        worst = [index for index in order if not self.per_joint[index] < self.per_joint[order[0]] / 10]
        return ", most: " + ", ".join(f"{JOINT_NAMES[self.skeleton][index]} {self.per_joint[index]:.3g}" for index in worst)


def check_onnx_parity(network: str, subject: str, onnx: Path, checkpoint: Path, precision: Precision) -> dict[str, float]:
    """Check an ONNX file's parity with PyTorch at several batch sizes and return the distances by name.

    The reference is FP32. On a CPU, ONNX Runtime may compute FP16 operators in FP32, so PyTorch runs the FP16 network too,
    which rounds after every layer as a GPU does. Raises RemiError that names the worst joints.
    """
    from remi_stream.inference.onnxruntime import OnnxRuntime

    feed = parity_inputs(network)
    expected = run_in_batches(torch_reference(network, checkpoint, "fp32"), feed)
    found = check_parity(subject, network, expected, run_in_batches(OnnxRuntime(onnx, threads=THREADS).run, feed), precision)
    if precision == "fp16":
        rounded = run_in_batches(torch_reference(network, checkpoint, "fp16"), feed)
        found |= {
            f"{name}_rounded": value for name, value in check_parity(subject, network, expected, rounded, precision).items()
        }
    return found


def check_runtime_parity(network: str, subject: str, run: RunNetwork, checkpoint: Path, precision: Precision) -> dict[str, float]:
    """Check the parity of a loaded runtime with PyTorch; otherwise as for an ONNX file."""
    feed = parity_inputs(network)
    return check_parity(
        subject, network, run_in_batches(torch_reference(network, checkpoint, "fp32"), feed), run_in_batches(run, feed), precision
    )


def check_parity(
    subject: str, network: str, expected: NamedArrays, actual: NamedArrays, precision: Precision
) -> dict[str, float]:
    """Check the parity of outputs (N, ...) and return the distances by name. Raises RemiError if one exceeds its limit.

    subject: of the error message: "The FP16 ONNX of poco_cliff.pt".
    """
    distances = output_distances(network, expected, actual)
    limits = PARITY_LIMITS[precision]
    exceeded = [
        f"{DISTANCE_TEXTS[name].format(each.value)} (at most {limits[name]:g}{each.worst_joints()})"
        for name, each in distances.items()
        if not each.value <= limits[name]  # true for NaN too
    ]
    if exceeded:
        advice = "Use --precision fp32." if precision == "fp16" else "Please report this."
        raise RemiError(f"{subject} differs from PyTorch: {'; '.join(exceeded)}. Nothing was kept. {advice}")
    return {name: float(f"{each.value:.3g}") for name, each in distances.items()}


def parity_inputs(network: str) -> NamedArrays:
    """Return inputs for all batches: images of the sample clip's person; other inputs are noise."""
    rows = sample_inputs(network)[: sum(BATCH_SIZES)]
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def run_in_batches(run: RunNetwork, inputs: NamedArrays) -> NamedArrays:
    """Run a network batch by batch and return the concatenated outputs."""
    ends = np.cumsum(BATCH_SIZES)
    batches = [{name: value[end - size : end] for name, value in inputs.items()} for size, end in zip(BATCH_SIZES, ends)]
    parts = [{name: value.copy() for name, value in run(batch).items()} for batch in batches]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def output_distances(network: str, expected: NamedArrays, actual: NamedArrays) -> dict[str, ParityDistance]:
    """Return the distances between outputs, each kind in its own unit."""
    outputs = find_network(network).outputs
    expected, actual = ({name: each[name].astype(np.float64) for name in outputs} for each in (expected, actual))
    if "rotations" in outputs:
        return body_distances(expected, actual)
    if "heatmaps" in outputs:
        return keypoint_distances(expected["heatmaps"], actual["heatmaps"])
    if "rows" in outputs:
        return box_distances(expected["rows"], actual["rows"])
    relative = max(float(np.sqrt(np.mean((actual[name] - expected[name]) ** 2)) / expected[name].std()) for name in outputs)
    return {"relative": ParityDistance(relative, np.zeros(0))}


def body_distances(expected: NamedArrays, actual: NamedArrays) -> dict[str, ParityDistance]:
    """Return distances of SMPL bodies: joints relative to the pelvis, local rotations, positions in the crop, confidences."""
    relative = expected["rotations"] @ actual["rotations"].swapaxes(-1, -2)
    degrees = np.degrees(np.linalg.norm(axis_angle_from_matrices(relative), axis=-1)).mean(0)
    ours, theirs = (body_joints(each) for each in (expected, actual))
    error_mm = 1000 * np.linalg.norm(ours - theirs, axis=-1).mean(0)
    projected = [HALF_CROP_PX * each["camera"][:, None, :1] * (joints[..., :2] + each["camera"][:, None, 1:])
                 for each, joints in ((expected, ours), (actual, theirs))]  # fmt: skip
    error_px = np.linalg.norm(projected[0] - projected[1], axis=-1).mean(0)
    others = [name for name in expected if name not in ("rotations", "betas", "camera")]
    confidence = (
        np.max([np.abs(expected[name] - actual[name]).mean(0) for name in others], axis=0) if others else np.zeros(len(degrees))
    )
    return {
        "joints_mm": ParityDistance(float(error_mm.mean()), error_mm, SMPL_SKELETON),
        "rotations_deg": ParityDistance(float(degrees.max()), degrees, SMPL_SKELETON),
        "place_px": ParityDistance(float(error_px.max()), error_px, SMPL_SKELETON),
        "certainty": ParityDistance(float(confidence.max()), confidence, SMPL_SKELETON),
    }


def body_joints(outputs: NamedArrays) -> np.ndarray:
    """Return joints (N, 24, 3) m relative to the pelvis, by forward kinematics of a regressor's outputs."""
    body = load_engine_body()
    people = zip(outputs["betas"], outputs["rotations"])
    joints = [forward_kinematics(body.rest_joints(betas), rotations, np.zeros(3))[1] for betas, rotations in people]
    return np.array(joints) - np.array(joints)[:, :1]


def keypoint_distances(expected: np.ndarray, actual: np.ndarray) -> dict[str, ParityDistance]:
    """Return distances of heatmaps (N, K, H, W): key points in px of the crop, and their confidences."""
    (ours, our_scores), (theirs, their_scores) = decode_soft_argmax(expected), decode_soft_argmax(actual)
    error_px = HEATMAP_STRIDE_PX * np.linalg.norm(ours - theirs, axis=-1).mean(0)
    score_error = np.abs(our_scores - their_scores).mean(0)
    skeleton = next(name for name in ("coco17", "halpe26", "halpe136") if len(JOINT_NAMES[name]) == len(error_px))
    return {
        "points_px": ParityDistance(float(error_px.mean()), error_px, skeleton),
        "certainty": ParityDistance(float(score_error.max()), score_error, skeleton),
    }


def box_distances(expected: np.ndarray, actual: np.ndarray) -> dict[str, ParityDistance]:
    """Return distances of a detector's rows (N, R, 5 + classes): centres and sizes of the best boxes, and their scores."""
    best = np.argsort(-expected[..., 4], axis=1)[:, :TOP_ROWS, None]
    ours, theirs = (np.take_along_axis(each, best, 1) for each in (expected, actual))
    error = np.abs(ours - theirs).mean((0, 1))
    return {
        "boxes_px": ParityDistance(float(error[:4].mean()), error),
        "certainty": ParityDistance(float(error[4:].max()), error),
    }


def torch_reference(
    network: str, checkpoint: Path, precision: Precision
) -> Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]:
    """Return a function that runs a checkpoint in PyTorch on the CPU: named inputs to named float32 outputs."""
    served = load_checkpoint(network, checkpoint, precision)
    names = tuple(served.network.input_shapes())

    def run(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        with torch.inference_mode():
            found = served(*(torch.from_numpy(np.ascontiguousarray(tensors[name])) for name in names))
        return {name: value.float().numpy() for name, value in zip(served.network.outputs, found)}

    return run
