"""Registry of export formats: the table behind `--format NAME`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from remi_stream.errors import UsageError, unknown
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


class Export(NamedTuple):
    """One export format."""

    what: str
    """Description in the help text."""
    write: Callable[[Take, Path], list[Path]]
    """Writes the files into a folder and returns their paths. Raises OSError, or RemiError if the take does not allow it."""
    native: bool = False
    """Needs the engine's native outputs (`Person.native`), which must be requested before the run."""
    check: Callable[[str | None], None] = needs.nothing
    """Raises RemiError if the export is impossible here or with this engine. None: the take exists already."""
    family: str = ""
    """Formats of one family write files of the same names, so only one of them can be chosen."""
    folder: str = ""
    """Subfolder for the files when several formats are written; "" for none."""


EXPORTS: dict[str, Export] = {
    "npz": Export("a file per person, like a recording's", track_files.write),
    "csv": Export("a table: a row for each person in each frame", csv_table.write),
    "amass": Export("AMASS' .npz, a file per person", amass_file.write, check=needs.bodies),
    "bvh": Export("a skeleton with its motion, a file per person", bvh.write, check=needs.bodies),
    "gltf": Export("animated meshes of all people in one .glb", gltf.write, check=needs.bodies),
    "obj": Export("a mesh per person and frame", obj.write, check=needs.bodies),
    "pare": Export("PARE's pare_output.pkl, or one .pkl per image", partial(pare.write, pare.PARE), True, needs.smpl_files),
    "poco": Export("the same as POCO writes it, with var and var_global", partial(pare.write, pare.POCO), True, needs.smpl_files),
    "smpl-output": Export("smpl_output.pkl: the content of pare", partial(pare.write, pare.SMPL), True, needs.smpl_files),
    "alphapose-coco": Export(
        "alphapose-results.json, a list of people", alphapose_people.write_coco, check=needs.keypoints, family="AlphaPose"
    ),
    "alphapose-open": Export(
        "by image, 18 joints, as OpenPose writes it", alphapose_people.write_open, check=needs.keypoints, family="AlphaPose"
    ),
    "alphapose-cmu": Export(
        "by image, 18 joints, as CMU writes it", alphapose_people.write_cmu, check=needs.keypoints, family="AlphaPose"
    ),
    "mp4": Export("a video with all people drawn in it", film.write),
    "png": Export("the same as images, one per frame", stills.write, folder="png"),
    "videopose3d-2d": Export("data_2d_custom_NAME.npz for VideoPose3D", videopose3d_files.write_2d, check=needs.keypoints),
    "videopose3d-3d": Export("Human3.6M's 17 joints, .npy per person", videopose3d_files.write_3d, check=needs.bodies),
}


def find_exports(names: Sequence[str], engine: str | None = None) -> dict[str, Export]:
    """Look up export formats by name, also comma-separated. Raises RemiError.

    engine: the engine that will process the video; None if the take exists already.
    """
    chosen = [part.strip() for name in names for part in name.split(",") if part.strip()]
    for name in chosen:
        if name not in EXPORTS:
            raise unknown("format", name, EXPORTS)
    exports = {name: EXPORTS[name] for name in chosen}
    _check_conflicts(exports)
    for export in exports.values():
        export.check(engine)
    return exports


def _check_conflicts(exports: dict[str, Export]) -> None:
    """Raise UsageError for formats that would overwrite each other's files."""
    for family in {export.family for export in exports.values()} - {""}:
        members = [name for name, export in exports.items() if export.family == family]
        if len(members) > 1:
            raise UsageError(
                f"Formats {' and '.join(members)} write files of the same names. Choose one of them; write the "
                "other from the results: remi-stream export"
            )
