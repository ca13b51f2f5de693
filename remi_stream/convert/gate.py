"""Parity check: a converted network must give the same bodies, key points or boxes as PyTorch before it is kept."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from remi_stream.body.smpl import forward_kinematics
from remi_stream.body.smpl_file import body_for_engines
from remi_stream.convert.plan import Precision
from remi_stream.errors import RemiError
from remi_stream.geometry import rotation_vectors
from remi_stream.networks.network import find_network
from remi_stream.pose.heatmaps import means
from remi_stream.runtimes.peers import sample_inputs
from remi_stream.skeletons import JOINTS

Tensors = dict[str, np.ndarray]
Run = Callable[[Tensors], Tensors]

BATCHES = (1, 2, 3)
"""Batch sizes compared, to check the dynamic batch."""
THREADS = 2
WORST = 3
"""How many of the worst joints an error names."""
SMPL_BODY = "smpl24"
HALF_CROP_PX, CELL_PX = 112.0, 4.0
"""Half the side of the regressors' 224 px crop; stride of a heatmap cell in the crop."""
SUREST = 100
"""How many of a detector's rows with the highest objectness are compared per image: the others are discarded anyway."""

UNITS = {
    "joints_mm": "joints differ by {:.3g} mm",
    "rotations_deg": "rotations differ by {:.3g} degrees",
    "place_px": "positions in the crop differ by {:.3g} px",
    "points_px": "key points differ by {:.3g} px",
    "boxes_px": "boxes differ by {:.3g} px",
    "certainty": "confidences differ by {:.3g}",
    "relative": "outputs differ by {:.3g} of their standard deviation",
}
LIMITS: dict[Precision, dict[str, float]] = {
    "fp16": dict(zip(UNITS, (0.5, 0.3, 0.5, 0.5, 0.5, 0.02, 0.02))),
    "fp32": dict(zip(UNITS, (0.05, 0.03, 0.05, 0.05, 0.05, 0.002, 0.002))),
}
"""Limits on means over images; joints_mm, points_px and boxes_px are averaged over joints, of the others the worst counts."""


class Distance(NamedTuple):
    """Distance between the outputs of two networks in one unit."""

    value: float
    """What the limit applies to."""
    of: np.ndarray
    """Distance of each joint, (J,) in the skeleton's order."""
    skeleton: str = ""
    """Name in skeletons.py; empty if the output has no joints."""

    def worst(self) -> str:
        """Return the joints with the largest distance, as text for an error message."""
        if not self.skeleton:
            return ""
        order = np.argsort(-np.nan_to_num(self.of, nan=np.inf))[:WORST]
        worst = [index for index in order if not self.of[index] < self.of[order[0]] / 10]
        return ", most: " + ", ".join(f"{JOINTS[self.skeleton][index]} {self.of[index]:.3g}" for index in worst)


def prove_onnx(network: str, what: str, onnx: Path, checkpoint: Path, precision: Precision) -> dict[str, float]:
    """Check an ONNX file's parity with PyTorch at several batch sizes and return the distances by name.

    The reference is FP32. On a CPU, ONNX Runtime may compute FP16 operators in FP32, so PyTorch runs the FP16 network too,
    which rounds after every layer as a GPU does. Raises RemiError that names the worst joints.
    """
    from remi_stream.convert.reference import reference
    from remi_stream.runtimes.onnx import OnnxRuntime

    feed = feed_of(network)
    expected = in_batches(reference(network, checkpoint, "fp32"), feed)
    found = prove(what, network, expected, in_batches(OnnxRuntime(onnx, threads=THREADS).run, feed), precision)
    if precision == "fp16":
        rounded = in_batches(reference(network, checkpoint, "fp16"), feed)
        found |= {f"{name}_rounded": value for name, value in prove(what, network, expected, rounded, precision).items()}
    return found


def prove_runtime(network: str, what: str, run: Run, checkpoint: Path, precision: Precision) -> dict[str, float]:
    """Check the parity of a loaded runtime with PyTorch; otherwise as for an ONNX file."""
    from remi_stream.convert.reference import reference

    feed = feed_of(network)
    return prove(what, network, in_batches(reference(network, checkpoint, "fp32"), feed), in_batches(run, feed), precision)


def can_prove() -> bool:
    """Return whether ONNX Runtime, which the parity check needs, is installed."""
    return importlib.util.find_spec("onnxruntime") is not None


def prove(what: str, network: str, expected: Tensors, found: Tensors, precision: Precision) -> dict[str, float]:
    """Check the parity of outputs (N, ...) and return the distances by name. Raises RemiError if one exceeds its limit.

    subject: of the error message: "The FP16 ONNX of poco_cliff.pt".
    """
    distances = distances_of(network, expected, found)
    limits = LIMITS[precision]
    broken = [
        f"{UNITS[name].format(each.value)} (at most {limits[name]:g}{each.worst()})"
        for name, each in distances.items()
        if not each.value <= limits[name]  # true for NaN too
    ]
    if broken:
        advice = "Use --precision fp32." if precision == "fp16" else "Please report this."
        raise RemiError(f"{what} differs from PyTorch: {'; '.join(broken)}. Nothing was kept. {advice}")
    return {name: float(f"{each.value:.3g}") for name, each in distances.items()}


def feed_of(network: str) -> Tensors:
    """Return inputs for all batches: images of the sample clip's person; other inputs are noise."""
    rows = sample_inputs(network)[: sum(BATCHES)]
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def in_batches(run: Run, feed: Tensors) -> Tensors:
    """Run a network batch by batch and return the concatenated outputs."""
    ends = np.cumsum(BATCHES)
    batches = [{name: value[end - size : end] for name, value in feed.items()} for size, end in zip(BATCHES, ends)]
    parts = [{name: value.copy() for name, value in run(batch).items()} for batch in batches]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def distances_of(network: str, expected: Tensors, found: Tensors) -> dict[str, Distance]:
    """Return the distances between outputs, each kind in its own unit."""
    outputs = find_network(network).outputs
    expected, found = ({name: each[name].astype(np.float64) for name in outputs} for each in (expected, found))
    if "rotations" in outputs:
        return body_distances(expected, found)
    if "heatmaps" in outputs:
        return point_distances(expected["heatmaps"], found["heatmaps"])
    if "rows" in outputs:
        return box_distances(expected["rows"], found["rows"])
    relative = max(float(np.sqrt(np.mean((found[name] - expected[name]) ** 2)) / expected[name].std()) for name in outputs)
    return {"relative": Distance(relative, np.zeros(0))}


def body_distances(expected: Tensors, found: Tensors) -> dict[str, Distance]:
    """Return distances of SMPL bodies: joints relative to the pelvis, local rotations, positions in the crop, confidences."""
    relative = expected["rotations"] @ found["rotations"].swapaxes(-1, -2)
    degrees = np.degrees(np.linalg.norm(rotation_vectors(relative), axis=-1)).mean(0)
    ours, theirs = (joints_of(each) for each in (expected, found))
    error_mm = 1000 * np.linalg.norm(ours - theirs, axis=-1).mean(0)
    projected = [HALF_CROP_PX * each["camera"][:, None, :1] * (joints[..., :2] + each["camera"][:, None, 1:])
                 for each, joints in ((expected, ours), (found, theirs))]  # fmt: skip
    error_px = np.linalg.norm(projected[0] - projected[1], axis=-1).mean(0)
    others = [name for name in expected if name not in ("rotations", "betas", "camera")]
    confidence = (
        np.max([np.abs(expected[name] - found[name]).mean(0) for name in others], axis=0) if others else np.zeros(len(degrees))
    )
    return {
        "joints_mm": Distance(float(error_mm.mean()), error_mm, SMPL_BODY),
        "rotations_deg": Distance(float(degrees.max()), degrees, SMPL_BODY),
        "place_px": Distance(float(error_px.max()), error_px, SMPL_BODY),
        "certainty": Distance(float(confidence.max()), confidence, SMPL_BODY),
    }


def joints_of(outputs: Tensors) -> np.ndarray:
    """Return joints (N, 24, 3) m relative to the pelvis, by forward kinematics of a regressor's outputs."""
    body = body_for_engines()
    people = zip(outputs["betas"], outputs["rotations"])
    joints = [forward_kinematics(body.rest_joints(betas), rotations, np.zeros(3))[1] for betas, rotations in people]
    return np.array(joints) - np.array(joints)[:, :1]


def point_distances(expected: np.ndarray, found: np.ndarray) -> dict[str, Distance]:
    """Return distances of heatmaps (N, K, H, W): key points in px of the crop, and their confidences."""
    (ours, our_scores), (theirs, their_scores) = means(expected), means(found)
    error_px = CELL_PX * np.linalg.norm(ours - theirs, axis=-1).mean(0)
    score_error = np.abs(our_scores - their_scores).mean(0)
    skeleton = next(name for name in ("coco17", "halpe26", "halpe136") if len(JOINTS[name]) == len(error_px))
    return {
        "points_px": Distance(float(error_px.mean()), error_px, skeleton),
        "certainty": Distance(float(score_error.max()), score_error, skeleton),
    }


def box_distances(expected: np.ndarray, found: np.ndarray) -> dict[str, Distance]:
    """Return distances of a detector's rows (N, R, 5 + classes): centres and sizes of the best boxes, and their scores."""
    best = np.argsort(-expected[..., 4], axis=1)[:, :SUREST, None]
    ours, theirs = (np.take_along_axis(each, best, 1) for each in (expected, found))
    error = np.abs(ours - theirs).mean((0, 1))
    return {"boxes_px": Distance(float(error[:4].mean()), error), "certainty": Distance(float(error[4:].max()), error)}
