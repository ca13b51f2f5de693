"""Registry of export formats: the table behind `--format NAME`, and what each format needs.

Requirements on engines and imported files are checked before the first frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from remi_stream.errors import UsageError, unknown_name_error
from remi_stream.export import alphapose, bvh, gltf, obj, pare, tables, videopose3d
from remi_stream.export.weak_perspective import require_export_body
from remi_stream.models.manifest import Manifest
from remi_stream.recordings.take import Take
from remi_stream.render import video
from remi_stream.skeletons import JOINT_NAMES

COCO_JOINTS = JOINT_NAMES["coco17"]
SKELETONS_2D = ("coco17", "halpe26", "halpe136")
"""Skeletons of engines that estimate 2D key points only, unless lifted."""


def no_requirement(engine: str | None) -> None:
    """Accept every engine."""


def require_smpl_export(engine: str | None) -> None:
    """Require SMPL's mesh, and an engine that estimates SMPL poses. Raises RemiError."""
    require_3d_poses(engine)
    if engine:
        require_weights(engine)  # before SMPL's files: without them nothing else matters
    require_export_body()


def require_3d_poses(engine: str | None) -> None:
    """Require an engine that estimates 3D poses; None: the take exists already. Raises UsageError."""
    manifest = _manifest(engine)
    if manifest is None or manifest.skeleton not in (*SKELETONS_2D, "point"):
        return
    # the synthetic engine's: one point per person
    if manifest.skeleton == "point":
        raise UsageError(f"Engine '{manifest.name}' estimates no poses. This format needs another one: remi-stream engines")
    from remi_stream.pose.videopose3d import find_live_weights

    if not (manifest.options.get("lift") and find_live_weights()):
        raise UsageError(
            f"Engine '{manifest.name}' estimates no 3D poses without VideoPose3D's weights, which this format needs. "
            "Import them (remi-stream models import), or take another engine: remi-stream engines"
        )


def require_weights(engine: str) -> None:
    """Raise RemiError if an engine's weights have to be imported first; what is pulled from an index may be missing."""
    from remi_stream.models.store import ensure_model_file

    manifest = _manifest(engine)
    for file in manifest.weights if manifest else ():
        if not file.wheel:
            ensure_model_file(file)


def require_coco_keypoints(engine: str | None) -> None:
    """Require an engine with COCO's 17 key points or a SMPL body. Raises UsageError."""
    manifest = _manifest(engine)
    if manifest is None or manifest.skeleton in ("", "smpl24") or set(COCO_JOINTS) <= set(JOINT_NAMES.get(manifest.skeleton, ())):
        return
    raise UsageError(f"Engine '{manifest.name}' has no COCO key points, which this format needs. Others: remi-stream engines")


def _manifest(engine: str | None) -> Manifest | None:
    if engine is None:
        return None
    from remi_stream.pose.engine import resolve_engine

    return resolve_engine(engine)[0]


class ExportFormat(NamedTuple):
    """One export format."""

    description: str
    """Description in the help text."""
    write: Callable[[Take, Path], list[Path]]
    """Writes the files into a folder and returns their paths. Raises OSError, or RemiError if the take does not allow it."""
    needs_native: bool = False
    """Needs the engine's native outputs (`Person.native`), which must be requested before the run."""
    check: Callable[[str | None], None] = no_requirement
    """Raises RemiError if the export is impossible here or with this engine. None: the take exists already."""
    conflict_group: str = ""
    """Formats of one group write files of the same names, so only one of them can be chosen; "" for none."""
    subfolder: str = ""
    """Subfolder for the files when several formats are written; "" for none."""


EXPORT_FORMATS: dict[str, ExportFormat] = {
    "npz": ExportFormat("a file per person, like a recording's", tables.write_track_files),
    "csv": ExportFormat("a table: a row for each person in each frame", tables.write_csv),
    "json": ExportFormat("all people of each frame, in the fields of the protocol", tables.write_json),
    "amass": ExportFormat("AMASS' .npz, a file per person", tables.write_amass, check=require_3d_poses),
    "bvh": ExportFormat("a skeleton with its motion, a file per person", bvh.write_bvh, check=require_3d_poses),
    "gltf": ExportFormat("animated meshes of all people in one .glb", gltf.write_gltf, check=require_3d_poses),
    "obj": ExportFormat("a mesh per person and frame", obj.write_obj, check=require_3d_poses),
    "pare": ExportFormat(
        "PARE's pare_output.pkl, or one .pkl per image",
        partial(pare.write_regressor_results, pare.PARE_LAYOUT),
        True,
        require_smpl_export,
    ),
    "poco": ExportFormat(
        "the same as POCO writes it, with var and var_global",
        partial(pare.write_regressor_results, pare.POCO_LAYOUT),
        True,
        require_smpl_export,
    ),
    "smpl-output": ExportFormat(
        "smpl_output.pkl: the content of pare",
        partial(pare.write_regressor_results, pare.SMPL_LAYOUT),
        True,
        require_smpl_export,
    ),
    "alphapose-coco": ExportFormat(
        "alphapose-results.json, a list of people",
        alphapose.write_alphapose_coco,
        check=require_coco_keypoints,
        conflict_group="AlphaPose",
    ),
    "alphapose-open": ExportFormat(
        "by image, 18 joints, as OpenPose writes it",
        alphapose.write_alphapose_open,
        check=require_coco_keypoints,
        conflict_group="AlphaPose",
    ),
    "alphapose-cmu": ExportFormat(
        "by image, 18 joints, as CMU writes it",
        alphapose.write_alphapose_cmu,
        check=require_coco_keypoints,
        conflict_group="AlphaPose",
    ),
    "mp4": ExportFormat("a video with all people drawn in it", video.write_video),
    "png": ExportFormat("the same as images, one per frame", video.write_images, subfolder="png"),
    "videopose3d-2d": ExportFormat(
        "data_2d_custom_NAME.npz for VideoPose3D", videopose3d.write_videopose3d_2d, check=require_coco_keypoints
    ),
    "videopose3d-3d": ExportFormat(
        "Human3.6M's 17 joints, .npy per person", videopose3d.write_videopose3d_3d, check=require_3d_poses
    ),
}


DEFAULT_FORMATS = ("npz", "csv")
"""What `video` and `images` write unless another format is named: what NumPy, pandas and spreadsheets read."""


def find_export_formats(names: Sequence[str], engine: str | None = None) -> dict[str, ExportFormat]:
    """Look up export formats by name, also comma-separated. Raises RemiError.

    engine: the engine that will process the video; None if the take exists already.
    """
    chosen = [part.strip() for name in names for part in name.split(",") if part.strip()]
    for name in chosen:
        if name not in EXPORT_FORMATS:
            raise unknown_name_error("format", name, EXPORT_FORMATS)
    exports = {name: EXPORT_FORMATS[name] for name in chosen}
    _check_conflicts(exports)
    # before the first frame: an hour of video must not be processed in vain
    for export in exports.values():
        export.check(engine)
    return exports


def _check_conflicts(exports: dict[str, ExportFormat]) -> None:
    """Raise UsageError for formats that would overwrite each other's files."""
    for group in {export.conflict_group for export in exports.values()} - {""}:
        members = [name for name, export in exports.items() if export.conflict_group == group]
        if len(members) > 1:
            raise UsageError(
                f"Formats {' and '.join(members)} write files of the same names. Choose one of them; write the "
                "other from the results: remi-stream export"
            )
