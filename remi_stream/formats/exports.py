"""Registry of export formats: the table behind `--format NAME`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from remi_stream.errors import UsageError, unknown_name_error
from remi_stream.formats import (
    alphapose_people,
    amass_file,
    bvh,
    csv_table,
    gltf,
    needs,
    obj,
    pare,
    track_files,
    videopose3d_files,
)
from remi_stream.formats.take import Take
from remi_stream.render import film, stills


class ExportFormat(NamedTuple):
    """One export format."""

    description: str
    """Description in the help text."""
    write: Callable[[Take, Path], list[Path]]
    """Writes the files into a folder and returns their paths. Raises OSError, or RemiError if the take does not allow it."""
    needs_native: bool = False
    """Needs the engine's native outputs (`Person.native`), which must be requested before the run."""
    check: Callable[[str | None], None] = needs.no_requirement
    """Raises RemiError if the export is impossible here or with this engine. None: the take exists already."""
    conflict_group: str = ""
    """Formats of one family write files of the same names, so only one of them can be chosen."""
    subfolder: str = ""
    """Subfolder for the files when several formats are written; "" for none."""


EXPORT_FORMATS: dict[str, ExportFormat] = {
    "npz": ExportFormat("a file per person, like a recording's", track_files.write_track_files),
    "csv": ExportFormat("a table: a row for each person in each frame", csv_table.write_csv),
    "amass": ExportFormat("AMASS' .npz, a file per person", amass_file.write_amass, check=needs.require_3d_poses),
    "bvh": ExportFormat("a skeleton with its motion, a file per person", bvh.write_bvh, check=needs.require_3d_poses),
    "gltf": ExportFormat("animated meshes of all people in one .glb", gltf.write_gltf, check=needs.require_3d_poses),
    "obj": ExportFormat("a mesh per person and frame", obj.write_obj, check=needs.require_3d_poses),
    "pare": ExportFormat(
        "PARE's pare_output.pkl, or one .pkl per image",
        partial(pare.write_regressor_results, pare.PARE_LAYOUT),
        True,
        needs.require_smpl_export,
    ),
    "poco": ExportFormat(
        "the same as POCO writes it, with var and var_global",
        partial(pare.write_regressor_results, pare.POCO_LAYOUT),
        True,
        needs.require_smpl_export,
    ),
    "smpl-output": ExportFormat(
        "smpl_output.pkl: the content of pare",
        partial(pare.write_regressor_results, pare.SMPL_LAYOUT),
        True,
        needs.require_smpl_export,
    ),
    "alphapose-coco": ExportFormat(
        "alphapose-results.json, a list of people",
        alphapose_people.write_alphapose_coco,
        check=needs.require_coco_keypoints,
        conflict_group="AlphaPose",
    ),
    "alphapose-open": ExportFormat(
        "by image, 18 joints, as OpenPose writes it",
        alphapose_people.write_alphapose_open,
        check=needs.require_coco_keypoints,
        conflict_group="AlphaPose",
    ),
    "alphapose-cmu": ExportFormat(
        "by image, 18 joints, as CMU writes it",
        alphapose_people.write_alphapose_cmu,
        check=needs.require_coco_keypoints,
        conflict_group="AlphaPose",
    ),
    "mp4": ExportFormat("a video with all people drawn in it", film.write_video),
    "png": ExportFormat("the same as images, one per frame", stills.write_images, subfolder="png"),
    "videopose3d-2d": ExportFormat(
        "data_2d_custom_NAME.npz for VideoPose3D", videopose3d_files.write_videopose3d_2d, check=needs.require_coco_keypoints
    ),
    "videopose3d-3d": ExportFormat(
        "Human3.6M's 17 joints, .npy per person", videopose3d_files.write_videopose3d_3d, check=needs.require_3d_poses
    ),
}


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
    for export in exports.values():
        export.check(engine)
    return exports


def _check_conflicts(exports: dict[str, ExportFormat]) -> None:
    """Raise UsageError for formats that would overwrite each other's files."""
    for family in {export.conflict_group for export in exports.values()} - {""}:
        members = [name for name, export in exports.items() if export.conflict_group == family]
        if len(members) > 1:
            raise UsageError(
                f"Formats {' and '.join(members)} write files of the same names. Choose one of them; write the "
                "other from the results: remi-stream export"
            )
