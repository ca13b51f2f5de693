"""Registry of measured quantities: name, unit, better direction and description of each column."""

from __future__ import annotations

from typing import Literal, NamedTuple

from remi_stream.measure import motion, pose_program, relay_program

BetterDirection = Literal["higher", "lower", ""]
"""Empty if neither: change depends on how people move, and a frozen body has none."""


class Quantity(NamedTuple):
    """One column."""

    name: str
    """Display name, without the unit."""
    unit: str
    better: BetterDirection
    description: str
    """One-line description."""


class MeasurementKind(NamedTuple):
    """One kind of file."""

    name: str
    columns: tuple[str, ...]
    text_columns: int
    """Number of text columns before the numbers, including the time stamp."""
    quantities: tuple[Quantity, ...]


REMI_POSE = MeasurementKind(
    "REMI's pose program",
    pose_program.POSE_COLUMNS,
    2,
    (
        Quantity("Processing rate", "1/s", "higher", "1 / latency of each frame, not the frame rate"),
        Quantity("End-to-end latency", "ms", "lower", "from capture to the relay, without the viewer"),
        Quantity("Pose change", "", "", "change of the rotation matrix per frame, summed over 23 joints"),
        Quantity("Translation change", "", "", "change of the camera's four numbers, times 1000: not a distance"),
        Quantity("Joint position change", "mm", "", "mean displacement of the vertices per frame, about the body's origin"),
        Quantity("Shape variance", "", "", "variance among the ten betas of a frame, not over time"),
        Quantity("Detection rate", "%", "higher", "frames with a SMPL pose"),
    ),
)
REMI_RELAY = MeasurementKind(
    "REMI's relay",
    relay_program.RELAY_COLUMNS,
    3,
    (
        Quantity("Packet rate", "1/s", "higher", "mean of 1 / time between two packets"),
        Quantity("Filter time", "ms", "lower", "computing time per packet; not the filter's lag"),
        Quantity("Body change, raw", "rad", "", "norm of the change of the 69 pose numbers per packet"),
        Quantity("Body change, filtered", "rad", "", "the same after the filter"),
        Quantity("Root change, raw", "rad", "", "norm of the change of the root's three numbers per packet"),
        Quantity("Root change, filtered", "rad", "", "the same after the filter"),
        Quantity("Translation change, raw", "mm", "", "displacement of the translation per packet"),
        Quantity("Translation change, filtered", "mm", "", "the same after the filter"),
        Quantity("Shape variance, raw", "", "", "variance among the ten betas of a packet, not over time"),
        Quantity("Shape variance, filtered", "", "", "the same after the filter"),
    ),
)
REMI_STREAM_MOTION = MeasurementKind(
    "remi-stream",
    motion.MOTION_COLUMNS,
    motion.TEXT_COLUMN_COUNT,
    (
        Quantity("Frames", "1/s", "higher", "bodies received per second"),
        Quantity("Latency", "ms", "lower", "from capture to the viewer: here"),
        Quantity("Latency, 95th percentile", "ms", "lower", "19 of 20 frames are faster"),
        Quantity("Filter lag", "ms", "lower", "additional delay of filtered people; as measured"),
        Quantity("Frames with people", "%", "higher", "of all frames received"),
        Quantity("People", "", "", "mean number per frame"),
        Quantity("Joint change", "mm", "", "mean displacement of a joint per frame"),
        Quantity("Joint change about root", "mm", "", "the same relative to the root"),
        Quantity("Root change", "mm", "", "displacement of the root per frame"),
        Quantity("Joint jitter", "mm", "lower", "mean distance of a joint from linear motion between its neighbours"),
        Quantity("Root jitter", "mm", "lower", "the same of the root"),
        Quantity("Rotation change", "deg", "", "mean rotation of a joint in its parent per frame"),
        Quantity("Shape change", "", "lower", "norm of the change of the betas per frame: a person has one shape"),
    ),
)
MEASUREMENT_KINDS = (REMI_POSE, REMI_RELAY, REMI_STREAM_MOTION)


def kind_from_columns(columns: tuple[str, ...]) -> MeasurementKind | None:
    """Return the kind of file with these columns, or None."""
    return next((kind for kind in MEASUREMENT_KINDS if kind.columns == columns), None)
