"""What a manifest says of an ONNX network: what it reads, and what each of its outputs means."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from remi_stream.skeletons import EDGES, JOINTS

Side = Annotated[int, msgspec.Meta(ge=8, le=4096)]
Three = tuple[float, float, float]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the manifest; output: what the ONNX calls this output."""


class Points(Strict, frozen=True, kw_only=True):
    """Key points (N, K, 2), or (N, K, 3) with the score last.

    unit: px of the crop; or a fraction of it, 0 to 1; or signed, -1 to 1.
    """

    output: str
    unit: Literal["pixels", "fraction", "signed"]


class Maps(Strict, frozen=True, kw_only=True):
    """Heat maps (N, K, height, width) over the crop.

    read: at their peaks; or as the mean place of what the maps become by softmax, sigmoid, or their absolute value.
    """

    output: str
    read: Literal["peaks", "softmax", "sigmoid", "absolute"] = "peaks"


class Scores(Strict, frozen=True, kw_only=True):
    """A score (N, K) for each key point, in [0, 1], or logits."""

    output: str
    logits: bool = False


class Joints(Strict, frozen=True, kw_only=True):
    """Joints in space (N, K, 3), x right, y down, z forward; from a point of the body, or from the camera."""

    output: str
    origin: Literal["body", "camera"]
    unit: Literal["m", "mm"] = "m"


class Rotations(Strict, frozen=True, kw_only=True):
    """SMPL's 24 rotations, each in its parent, the first in the camera's axes: (N, 24, 3, 3), or rotation vectors (N, 72)."""

    output: str
    kind: Literal["matrices", "vectors"] = "matrices"


class Output(Strict, frozen=True, kw_only=True):
    """An output whose meaning has no variants."""

    output: str


class Listed(Strict, frozen=True, kw_only=True):
    """A skeleton of the user's own: joints in the order of the outputs, bones between them by name."""

    joints: tuple[str, ...]
    bones: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.joints)) < len(self.joints) or not self.joints:
            raise ValueError("`joints` must be one or more names, each of them once")
        for joint in (joint for bone in self.bones for joint in bone):
            if joint not in self.joints:
                raise ValueError(f"`bones` names {joint!r}, which is not among the joints ({', '.join(self.joints)})")


class Description(Strict, frozen=True, kw_only=True):
    """A network that looks at one person's crop.

    size: (width, height) px of the crop; the box grows to these proportions. input: its name (the only one, if there is one).
    Of each channel it reads (byte * scale - mean) / std. camera: weak perspective (N, 3) s, tx, ty of a square crop. betas:
    (N, 10). skeleton: if the manifest's is none of skeletons.py.
    """

    size: tuple[Side, Side]
    input: str = ""
    layout: Literal["nchw", "nhwc"] = "nchw"
    colour: Literal["rgb", "bgr"] = "rgb"
    scale: float = 1 / 255
    mean: Three = (0.0, 0.0, 0.0)
    std: Three = (1.0, 1.0, 1.0)
    keypoints: Points | None = None
    heatmaps: Maps | None = None
    scores: Scores | None = None
    joints: Joints | None = None
    rotations: Rotations | None = None
    betas: Output | None = None
    camera: Output | None = None
    skeleton: Listed | None = None

    def __post_init__(self) -> None:
        if not all(self.std) or not self.scale:
            raise ValueError("`std` and `scale` must not be 0")
        if wrong := contradiction(self):
            raise ValueError(wrong)

    def outputs(self) -> dict[str, str]:
        """The tables that name an output -> what the ONNX calls it."""
        tables = {name: getattr(self, name) for name in OUTPUTS}
        return {name: table.output for name, table in tables.items() if table is not None}


OUTPUTS = ("keypoints", "heatmaps", "scores", "joints", "rotations", "betas", "camera")


def contradiction(network: Description) -> str:
    """What is missing or too much in a description, in one line; nothing when it will do."""
    seen = network.keypoints or network.heatmaps
    if network.keypoints and network.heatmaps:
        return "`keypoints` and `heatmaps` both tell where the joints are; keep one"
    if not (seen or network.joints or network.rotations):
        return "no output says where a person is: give `keypoints`, `heatmaps`, `joints` or `rotations`"
    if network.rotations and not network.camera:
        return "`rotations` needs `camera`: without it nobody knows where the body stands"
    if network.joints and network.joints.origin == "body" and not (seen or network.camera):
        return '`joints` with origin = "body" needs `keypoints`, `heatmaps` or `camera`: else nobody knows where the body stands'
    if network.camera and network.size[0] != network.size[1]:
        return f"`camera` is that of a square crop, got size = {list(network.size)}"
    if network.betas and not network.rotations:
        return "`betas` needs `rotations`"
    return "`scores` needs `keypoints`, `heatmaps` or `joints`" if network.scores and not (seen or network.joints) else ""


def learn_skeleton(name: str, network: Description | None) -> None:
    """Make a listed skeleton known under its name in this process. Raises ValueError."""
    if network is None or network.skeleton is None:
        return
    joints = network.skeleton.joints
    if JOINTS.get(name, joints) != joints:
        raise ValueError(f"skeleton '{name}' is known already, with other joints; give yours another name")
    JOINTS[name] = joints
    EDGES[name] = tuple((joints.index(a), joints.index(b)) for a, b in network.skeleton.bones)
