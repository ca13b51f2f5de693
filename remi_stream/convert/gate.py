"""The proof that a converted network is still the same network, in bodies, before anything is kept."""

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
THREADS = 2
WORST = 3
SMPL_BODY = "smpl24"
HALF_CROP_PX, CELL_PX = 112.0, 4.0
SUREST = 100
"""Of a detector's rows, so many of each picture are compared: the others are never looked at."""

UNITS = {
    "joints_mm": "joints differ by {:.3g} mm",
    "rotations_deg": "rotations differ by {:.3g} degrees",
    "place_px": "places in the crop differ by {:.3g} px",
    "points_px": "points differ by {:.3g} px",
    "boxes_px": "boxes differ by {:.3g} px",
    "certainty": "certainties differ by {:.3g}",
    "relative": "outputs differ by {:.3g} of what they vary",
}
LIMITS: dict[Precision, dict[str, float]] = {
    "fp16": dict(zip(UNITS, (0.5, 0.3, 0.5, 0.5, 0.5, 0.02, 0.02))),
    "fp32": dict(zip(UNITS, (0.05, 0.03, 0.05, 0.05, 0.05, 0.002, 0.002))),
}
"""Means over the pictures; of joints_mm, points_px and boxes_px over all joints too, of the others the worst joint's."""


class Distance(NamedTuple):
    """How far apart two networks are. value: what is limited. of: each joint's, in a skeleton's order, if there are joints."""

    value: float
    of: np.ndarray
    skeleton: str = ""

    def worst(self) -> str:
        """The joints that are farthest apart, for people."""
        if not self.skeleton:
            return ""
        order = np.argsort(-np.nan_to_num(self.of, nan=np.inf))[:WORST]
        worst = [index for index in order if not self.of[index] < self.of[order[0]] / 10]
        return ", most: " + ", ".join(f"{JOINTS[self.skeleton][index]} {self.of[index]:.3g}" for index in worst)


def prove_onnx(network: str, what: str, onnx: Path, checkpoint: Path, precision: Precision) -> dict[str, float]:
    """Compare an ONNX with PyTorch at several batch sizes; the distances. Raises RemiError that names the worst joints.

    PyTorch is always FP32. On a CPU, ONNX Runtime computes FP16 in FP32 where it likes to, so PyTorch runs the FP16 network
    too, which rounds after every layer as a GPU does.
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
    """Compare whatever runs a network with PyTorch; else as `prove_onnx`."""
    from remi_stream.convert.reference import reference

    feed = feed_of(network)
    return prove(what, network, in_batches(reference(network, checkpoint, "fp32"), feed), in_batches(run, feed), precision)


def can_prove() -> bool:
    """Whether ONNX Runtime is there to compare with."""
    return importlib.util.find_spec("onnxruntime") is not None


def prove(what: str, network: str, expected: Tensors, found: Tensors, precision: Precision) -> dict[str, float]:
    """The distances between two networks' outputs (N, ...), by name. Raises RemiError if one is above its limit.

    what: what was made, for people: "The FP16 ONNX of poco_cliff.pt".
    """
    distances = distances_of(network, expected, found)
    limits = LIMITS[precision]
    broken = [
        f"{UNITS[name].format(each.value)} (at most {limits[name]:g}{each.worst()})"
        for name, each in distances.items()
        if not each.value <= limits[name]  # also when it is no number
    ]
    if broken:
        advice = "Use --precision fp32." if precision == "fp16" else "Please report this."
        raise RemiError(f"{what} is not the network that PyTorch runs: {'; '.join(broken)}. Nothing was kept. {advice}")
    return {name: float(f"{each.value:.3g}") for name, each in distances.items()}


def feed_of(network: str) -> Tensors:
    """Inputs for all the batches: pictures of the sample's person; what is no picture is noise."""
    rows = sample_inputs(network)[: sum(BATCHES)]
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def in_batches(run: Run, feed: Tensors) -> Tensors:
    """What a network gives for a feed, batch by batch."""
    ends = np.cumsum(BATCHES)
    batches = [{name: value[end - size : end] for name, value in feed.items()} for size, end in zip(BATCHES, ends)]
    parts = [{name: value.copy() for name, value in run(batch).items()} for batch in batches]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def distances_of(network: str, expected: Tensors, found: Tensors) -> dict[str, Distance]:
    """How far apart outputs are, each kind in its own measure."""
    outputs = find_network(network).outputs
    expected, found = ({name: each[name].astype(np.float64) for name in outputs} for each in (expected, found))
    if "rotations" in outputs:
        return body_distances(expected, found)
    if "heatmaps" in outputs:
        return point_distances(expected["heatmaps"], found["heatmaps"])
    if "rows" in outputs:
        return box_distances(expected["rows"], found["rows"])
    spread = max(float(np.sqrt(np.mean((found[name] - expected[name]) ** 2)) / expected[name].std()) for name in outputs)
    return {"relative": Distance(spread, np.zeros(0))}


def body_distances(expected: Tensors, found: Tensors) -> dict[str, Distance]:
    """Of SMPL bodies: joints from the pelvis, rotations in the parent, where the crop shows them, and every certainty."""
    turns = expected["rotations"] @ found["rotations"].swapaxes(-1, -2)
    degrees = np.degrees(np.linalg.norm(rotation_vectors(turns), axis=-1)).mean(0)
    ours, theirs = (joints_of(each) for each in (expected, found))
    apart = 1000 * np.linalg.norm(ours - theirs, axis=-1).mean(0)
    places = [HALF_CROP_PX * each["camera"][:, None, :1] * (joints[..., :2] + each["camera"][:, None, 1:])
              for each, joints in ((expected, ours), (found, theirs))]  # fmt: skip
    shown = np.linalg.norm(places[0] - places[1], axis=-1).mean(0)
    others = [name for name in expected if name not in ("rotations", "betas", "camera")]
    sure = np.max([np.abs(expected[name] - found[name]).mean(0) for name in others], axis=0) if others else np.zeros(len(degrees))
    return {
        "joints_mm": Distance(float(apart.mean()), apart, SMPL_BODY),
        "rotations_deg": Distance(float(degrees.max()), degrees, SMPL_BODY),
        "place_px": Distance(float(shown.max()), shown, SMPL_BODY),
        "certainty": Distance(float(sure.max()), sure, SMPL_BODY),
    }


def joints_of(outputs: Tensors) -> np.ndarray:
    """Joints (N, 24, 3) m of the bodies in a regressor's outputs, from the pelvis."""
    body = body_for_engines()
    people = zip(outputs["betas"], outputs["rotations"])
    joints = [forward_kinematics(body.rest_joints(betas), turns, np.zeros(3))[1] for betas, turns in people]
    return np.array(joints) - np.array(joints)[:, :1]


def point_distances(expected: np.ndarray, found: np.ndarray) -> dict[str, Distance]:
    """Of heat maps (N, K, H, W): the joints' places in the network's picture, and how sure they are."""
    (ours, sure), (theirs, unsure) = means(expected), means(found)
    apart = CELL_PX * np.linalg.norm(ours - theirs, axis=-1).mean(0)
    doubt = np.abs(sure - unsure).mean(0)
    skeleton = next(name for name in ("coco17", "halpe26", "halpe136") if len(JOINTS[name]) == len(apart))
    return {
        "points_px": Distance(float(apart.mean()), apart, skeleton),
        "certainty": Distance(float(doubt.max()), doubt, skeleton),
    }


def box_distances(expected: np.ndarray, found: np.ndarray) -> dict[str, Distance]:
    """Of a detector's rows (N, R, 5 + classes): the surest boxes' centres and sizes, and all that says how sure they are."""
    surest = np.argsort(-expected[..., 4], axis=1)[:, :SUREST, None]
    ours, theirs = (np.take_along_axis(each, surest, 1) for each in (expected, found))
    apart = np.abs(ours - theirs).mean((0, 1))
    return {"boxes_px": Distance(float(apart[:4].mean()), apart), "certainty": Distance(float(apart[4:].max()), apart)}
