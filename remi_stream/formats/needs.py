"""Requirements of export formats on engines and imported files, checked before the first frame."""

from __future__ import annotations

from remi_stream.errors import UsageError
from remi_stream.formats.sightings import require_export_body
from remi_stream.models.manifest import Manifest
from remi_stream.skeletons import JOINT_NAMES

COCO_JOINTS = JOINT_NAMES["coco17"]
SKELETONS_2D = ("coco17", "halpe26", "halpe136")
"""Skeletons of engines that give 2D key points only, unless lifted."""


def no_requirement(engine: str | None) -> None:
    """Accept every engine."""


def require_smpl_export(engine: str | None) -> None:
    """Require SMPL's mesh, and an engine that gives SMPL poses. Raises RemiError."""
    require_3d_poses(engine)
    require_export_body()


def require_3d_poses(engine: str | None) -> None:
    """Require an engine that gives 3D poses; None: the take exists already. Raises UsageError."""
    manifest = _manifest(engine)
    if manifest is None or manifest.skeleton not in (*SKELETONS_2D, "point"):
        return
    if manifest.skeleton == "point":
        raise UsageError(f"Engine '{manifest.name}' gives no poses. This format needs another one: remi-stream engines")
    from remi_stream.pose.videopose3d import find_live_weights

    if not (manifest.options.get("lift") and find_live_weights()):
        raise UsageError(
            f"Engine '{manifest.name}' gives no 3D poses without VideoPose3D's weights, which this format needs. "
            "Import them (remi-stream models import), or take another engine: remi-stream engines"
        )


def require_coco_keypoints(engine: str | None) -> None:
    """Require an engine that gives COCO_JOINTS's 17 key points or a SMPL body. Raises UsageError."""
    manifest = _manifest(engine)
    if manifest is None or manifest.skeleton in ("", "smpl24") or set(COCO_JOINTS) <= set(JOINT_NAMES.get(manifest.skeleton, ())):
        return
    raise UsageError(f"Engine '{manifest.name}' gives no COCO key points, which this format needs. Others: remi-stream engines")


def _manifest(engine: str | None) -> Manifest | None:
    if engine is None:
        return None
    from remi_stream.pose.engine import resolve_engine

    return resolve_engine(engine)[0]
