"""What formats are made of, and whether an engine gives it: asked before the first frame of a film."""

from __future__ import annotations

from remi_stream.errors import UsageError
from remi_stream.formats.sightings import require_figure
from remi_stream.models.manifest import Manifest
from remi_stream.skeletons import JOINTS

COCO = JOINTS["coco17"]
FLAT = ("coco17", "halpe26", "halpe136")
"""Skeletons of engines that know nothing of space by themselves."""


def nothing(engine: str | None) -> None:
    """Every engine will do."""


def smpl_files(engine: str | None) -> None:
    """SMPL's mesh, and an engine whose people have a SMPL pose. Raises RemiError."""
    bodies(engine)
    require_figure()


def bodies(engine: str | None) -> None:
    """An engine whose people have a pose in space; None: the people are there already. Raises UsageError."""
    known = _manifest(engine)
    if known is None or known.skeleton not in (*FLAT, "point"):
        return
    if known.skeleton == "point":
        raise UsageError(f"Engine '{known.name}' gives no poses. This format needs another one: remi-stream engines")
    from remi_stream.pose.videopose3d import live_weights

    if not (known.options.get("lift") and live_weights()):
        raise UsageError(
            f"Engine '{known.name}' gives no poses in space without VideoPose3D's weights, which this format needs. "
            "Import them (remi-stream models import), or take another engine: remi-stream engines"
        )


def keypoints(engine: str | None) -> None:
    """An engine whose people have COCO's 17 key points, or a body that they are known of. Raises UsageError."""
    known = _manifest(engine)
    if known is None or known.skeleton in ("", "smpl24") or set(COCO) <= set(JOINTS.get(known.skeleton, ())):
        return
    raise UsageError(f"Engine '{known.name}' gives no key points of COCO, which this format is made of: remi-stream engines")


def _manifest(engine: str | None) -> Manifest | None:
    if engine is None:
        return None
    from remi_stream.pose.engine import choose

    return choose(engine)[0]
