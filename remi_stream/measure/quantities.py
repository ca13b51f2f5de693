"""What each measured column means: its name for people, its unit, which way is better, and one line about it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from remi_stream.measure import motion, pose_program, relay_program

Better = Literal["higher", "lower", ""]
"""Empty where neither is: somebody who moves has more change than somebody who stands, and a frozen body has none."""


class Quantity(NamedTuple):
    """One column. name: for people, without the unit."""

    name: str
    unit: str
    better: Better
    meaning: str


class Kind(NamedTuple):
    """One kind of file. texts: how many columns come before the numbers, the time stamp among them."""

    name: str
    columns: tuple[str, ...]
    texts: int
    quantities: tuple[Quantity, ...]


POSE = Kind(
    "REMI's pose program",
    pose_program.COLUMNS,
    2,
    (
        Quantity("Processing rate", "1/s", "higher", "one over each frame's latency below, not the rate of frames"),
        Quantity("End-to-end latency", "ms", "lower", "from the picture to the relay, without who looks"),
        Quantity("Pose change", "", "", "sum over 23 joints of how far the rotation matrix went in a frame"),
        Quantity("Translation change", "", "", "how far the weak camera's four numbers went, times 1000: no distance"),
        Quantity("Joint position change", "mm", "", "mean way of the mesh's vertices in a frame, about the body's origin"),
        Quantity("Shape variance", "", "", "variance among the ten betas of a frame, not over time"),
        Quantity("Detection rate", "%", "higher", "frames with somebody who has a SMPL pose"),
    ),
)
FILTER = Kind(
    "REMI's relay",
    relay_program.COLUMNS,
    3,
    (
        Quantity("Packet rate", "1/s", "higher", "mean of one over the time between two packets"),
        Quantity("Filter time", "ms", "lower", "spent in filtering a packet; not how far the filter lags"),
        Quantity("Body change, raw", "rad", "", "length of the change of the 69 pose numbers in a packet"),
        Quantity("Body change, filtered", "rad", "", "the same after the filter"),
        Quantity("Root change, raw", "rad", "", "length of the change of the root's three numbers"),
        Quantity("Root change, filtered", "rad", "", "the same after the filter"),
        Quantity("Translation change, raw", "mm", "", "way of the translation in a packet"),
        Quantity("Translation change, filtered", "mm", "", "the same after the filter"),
        Quantity("Shape variance, raw", "", "", "variance among the ten betas of a packet, not over time"),
        Quantity("Shape variance, filtered", "", "", "the same after the filter"),
    ),
)
MOTION = Kind(
    "remi-stream",
    motion.COLUMNS,
    motion.NAMES,
    (
        Quantity("Frames", "1/s", "higher", "bodies that came here in a second"),
        Quantity("Latency", "ms", "lower", "from the picture to who looks: here"),
        Quantity("Latency, 95th percentile", "ms", "lower", "19 of 20 frames came sooner"),
        Quantity("Filter lag", "ms", "lower", "how far the filtered people are behind, besides; as measured"),
        Quantity("Frames with people", "%", "higher", "of all frames that came"),
        Quantity("People", "", "", "mean number in a frame"),
        Quantity("Joint change", "mm", "", "mean way of a joint in a frame"),
        Quantity("Joint change about root", "mm", "", "the same after the root's way is taken off"),
        Quantity("Root change", "mm", "", "way of the root in a frame"),
        Quantity("Joint jitter", "mm", "lower", "how far a joint was off the steady line between the frames around"),
        Quantity("Root jitter", "mm", "lower", "the same of the root"),
        Quantity("Rotation change", "deg", "", "mean angle that a joint turned in its parent in a frame"),
        Quantity("Shape change", "", "lower", "length of the change of the betas in a frame: a person has one shape"),
    ),
)
KINDS = (POSE, FILTER, MOTION)


def kind_of(columns: tuple[str, ...]) -> Kind | None:
    """The kind of file that has these columns, if there is one."""
    return next((kind for kind in KINDS if kind.columns == columns), None)
