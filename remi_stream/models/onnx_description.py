"""ONNX networks as a manifest describes them: input image, meaning of each output; and the real inputs and outputs of a file."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from remi_stream.errors import RemiError
from remi_stream.models.safe_pickle import MAX_REASON_CHARS
from remi_stream.skeletons import BONES, JOINT_NAMES

SidePx = Annotated[int, msgspec.Meta(ge=8, le=4096)]
ChannelValues = tuple[float, float, float]


class ManifestTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the manifest's tables: frozen, unknown keys are errors."""


class KeypointsOutput(ManifestTable, frozen=True, kw_only=True):
    """Key points (N, K, 2), or (N, K, 3) with the score last."""

    output: str
    """Name of the ONNX output."""
    unit: Literal["pixels", "fraction", "signed"]
    """Px of the crop; a fraction of the crop, 0 to 1; or signed, -1 to 1."""


class HeatmapsOutput(ManifestTable, frozen=True, kw_only=True):
    """Heatmaps (N, K, height, width) over the crop."""

    output: str
    """Name of the ONNX output."""
    read: Literal["peaks", "softmax", "sigmoid", "absolute"] = "peaks"
    """Peaks, or the mean position weighted by the maps' softmax, sigmoid or absolute value."""


class ScoresOutput(ManifestTable, frozen=True, kw_only=True):
    """Scores (N, K) of the key points, in [0, 1], or logits."""

    output: str
    logits: bool = False


class JointsOutput(ManifestTable, frozen=True, kw_only=True):
    """3D joints (N, K, 3), x right, y down, z forward."""

    output: str
    """Name of the ONNX output."""
    origin: Literal["body", "camera"]
    """Relative to a point of the body, or to the camera."""
    unit: Literal["m", "mm"] = "m"


class RotationsOutput(ManifestTable, frozen=True, kw_only=True):
    """SMPL's 24 local rotations, the root's in the camera frame."""

    output: str
    """Name of the ONNX output."""
    kind: Literal["matrices", "vectors"] = "matrices"
    """Rotation matrices (N, 24, 3, 3), or axis-angle vectors (N, 72)."""


class PlainOutput(ManifestTable, frozen=True, kw_only=True):
    """An output without further options."""

    output: str
    """Name of the ONNX output."""


class CustomSkeleton(ManifestTable, frozen=True, kw_only=True):
    """A custom skeleton, defined in a manifest."""

    joints: tuple[str, ...]
    """Names in the order of the outputs."""
    bones: tuple[tuple[str, str], ...] = ()
    """Pairs of joint names."""

    def __post_init__(self) -> None:
        if len(set(self.joints)) < len(self.joints) or not self.joints:
            raise ValueError("`joints` must be one or more names, each of them once")
        for joint in (joint for bone in self.bones for joint in bone):
            if joint not in self.joints:
                raise ValueError(f"`bones` names {joint!r}, which is not among the joints ({', '.join(self.joints)})")


class OnnxDescription(ManifestTable, frozen=True, kw_only=True):
    """An ONNX network that gets one person's crop, normalised per channel as (byte * scale - mean) / std."""

    size: tuple[SidePx, SidePx]
    """Width and height of the crop, px; the bounding box is extended to this aspect ratio."""
    input: str = ""
    """Name of the ONNX input; may be empty if there is only one."""
    layout: Literal["nchw", "nhwc"] = "nchw"
    colour: Literal["rgb", "bgr"] = "rgb"
    scale: float = 1 / 255
    mean: ChannelValues = (0.0, 0.0, 0.0)
    std: ChannelValues = (1.0, 1.0, 1.0)
    keypoints: KeypointsOutput | None = None
    heatmaps: HeatmapsOutput | None = None
    scores: ScoresOutput | None = None
    joints: JointsOutput | None = None
    rotations: RotationsOutput | None = None
    betas: PlainOutput | None = None
    """(N, 10)."""
    camera: PlainOutput | None = None
    """Weak-perspective camera of a square crop, (N, 3) s, tx, ty."""
    skeleton: CustomSkeleton | None = None
    """Custom skeleton, if the manifest's is not in skeletons.py."""

    def __post_init__(self) -> None:
        if not all(self.std) or not self.scale:
            raise ValueError("`std` and `scale` must not be 0")
        if error := description_error(self):
            raise ValueError(error)

    def output_names(self) -> dict[str, str]:
        """Return table name -> name of the ONNX output."""
        tables = {name: getattr(self, name) for name in OUTPUT_TABLES}
        return {name: table.output for name, table in tables.items() if table is not None}


OUTPUT_TABLES = ("keypoints", "heatmaps", "scores", "joints", "rotations", "betas", "camera")


def description_error(description: OnnxDescription) -> str:
    """Return what is missing or contradictory in a description; empty if it is valid."""
    points = description.keypoints or description.heatmaps
    if description.keypoints and description.heatmaps:
        return "`keypoints` and `heatmaps` both give the key points; keep one"
    if not (points or description.joints or description.rotations):
        return "no output gives a person's position: add `keypoints`, `heatmaps`, `joints` or `rotations`"
    if description.rotations and not description.camera:
        return "`rotations` needs `camera`: without it the body's position is unknown"
    if description.joints and description.joints.origin == "body" and not (points or description.camera):
        return '`joints` with origin = "body" needs `keypoints`, `heatmaps` or `camera`: otherwise its position is unknown'
    if description.camera and description.size[0] != description.size[1]:
        return f"`camera` needs a square crop, got size = {list(description.size)}"
    if description.betas and not description.rotations:
        return "`betas` needs `rotations`"
    return (
        "`scores` needs `keypoints`, `heatmaps` or `joints`" if description.scores and not (points or description.joints) else ""
    )


def register_skeleton(name: str, description: OnnxDescription | None) -> None:
    """Register a manifest's custom skeleton under its name in this process. Raises ValueError if the name is taken."""
    if description is None or description.skeleton is None:
        return
    joints = description.skeleton.joints
    if JOINT_NAMES.get(name, joints) != joints:
        raise ValueError(f"skeleton '{name}' already exists with other joints; use another name")
    JOINT_NAMES[name] = joints
    BONES[name] = tuple((joints.index(a), joints.index(b)) for a, b in description.skeleton.bones)


# Inputs and outputs of an ONNX file, by OpenVINO's ONNX frontend. It only loads the graph: it converts no operator, so a network
# with operators that OpenVINO lacks is read too, and follows no external weights. Safe for untrusted files: of 9500 randomly
# damaged files none crashed OpenVINO 2026.4 or took more than 30 ms (tests/models/test_onnx_ports.py).


OnnxShape = tuple[int | None, ...]


class OnnxSignature(NamedTuple):
    """Names and shapes of inputs and outputs; None in a shape is a dynamic size, () an unknown shape."""

    inputs: dict[str, OnnxShape]
    """Without weights, which old files list as inputs too."""
    outputs: dict[str, OnnxShape]


def read_signature(path: Path) -> OnnxSignature:
    """Read the inputs and outputs of an ONNX file. Raises RemiError if it is truncated or not ONNX."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # else importing OpenVINO sends telemetry to Intel
    from openvino.frontend import FrontEndManager, GeneralFailure

    try:
        graph = FrontEndManager().load_by_framework("onnx").load(path)
        inputs, outputs = (read_ports(graph, places) for places in (graph.get_inputs(), graph.get_outputs()))
    except (GeneralFailure, RuntimeError, ValueError) as error:
        reason = re.sub(r"[^ -~]", "?", str(error).strip().rpartition("\n")[2])[:MAX_REASON_CHARS]
        raise RemiError(f"{path.name} is not an ONNX network, or it is truncated ({reason}).") from None
    if not outputs:
        raise RemiError(f"{path.name} is not an ONNX network, or it is truncated (it has no outputs).")
    return OnnxSignature(inputs, outputs)


def read_ports(graph: Any, places: list[Any]) -> dict[str, OnnxShape]:
    """Return the shapes of a graph's inputs or outputs by name."""
    shapes = {place.get_names()[0]: graph.get_partial_shape(place) for place in places}
    return {
        name: () if shape.rank.is_dynamic else tuple(size.get_length() if size.is_static else None for size in shape)
        for name, shape in shapes.items()
    }
