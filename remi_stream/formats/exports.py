"""THE table of what a take can be written as: `--format NAME`."""

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
    """what: for people. write: makes the files in a folder and gives their paths; raises OSError, or RemiError if it cannot be.

    native: it takes an engine's own outputs (`Person.native`), so the engine is asked for them. check: raises RemiError if it
    cannot be made here, or with the engine of this name (None: there is a take already). family: whose members write files of
    the same names. folder: what its files lie in among those of other formats, "" if they need none.
    """

    what: str
    write: Callable[[Take, Path], list[Path]]
    native: bool = False
    check: Callable[[str | None], None] = needs.nothing
    family: str = ""
    folder: str = ""


EXPORTS: dict[str, Export] = {
    "npz": Export("a file per person, like a recording's", track_files.write),
    "csv": Export("a table: a row for each person in each frame", csv_table.write),
    "amass": Export("AMASS' .npz, a file per person", amass_file.write, check=needs.bodies),
    "bvh": Export("a skeleton with its motion, a file per person", bvh.write, check=needs.bodies),
    "gltf": Export("everybody's moving skin in one .glb", gltf.write, check=needs.bodies),
    "obj": Export("a mesh per person and frame", obj.write, check=needs.bodies),
    "pare": Export("PARE's pare_output.pkl, or a .pkl for each picture", partial(pare.write, pare.PARE), True, needs.smpl_files),
    "poco": Export("the same as POCO has it, with var and var_global", partial(pare.write, pare.POCO), True, needs.smpl_files),
    "smpl-output": Export("smpl_output.pkl: what pare has", partial(pare.write, pare.SMPL), True, needs.smpl_files),
    "alphapose-coco": Export(
        "alphapose-results.json, a list of people", alphapose_people.write_coco, check=needs.keypoints, family="AlphaPose"
    ),
    "alphapose-open": Export(
        "by picture, 18 joints, as OpenPose has it", alphapose_people.write_open, check=needs.keypoints, family="AlphaPose"
    ),
    "alphapose-cmu": Export(
        "by picture, 18 joints, as CMU has it", alphapose_people.write_cmu, check=needs.keypoints, family="AlphaPose"
    ),
    "mp4": Export("a film with everybody drawn in it", film.write),
    "png": Export("the same as pictures, one for each frame", stills.write, folder="png"),
    "videopose3d-2d": Export("data_2d_custom_NAME.npz for VideoPose3D", videopose3d_files.write_2d, check=needs.keypoints),
    "videopose3d-3d": Export("Human3.6M's 17 joints, .npy per person", videopose3d_files.write_3d, check=needs.bodies),
}


def find_exports(names: Sequence[str], engine: str | None = None) -> dict[str, Export]:
    """The exports of these names, each of which may be several with commas between. Raises RemiError.

    engine: what a film will be worked through with; None: the take is there.
    """
    wanted = [part.strip() for name in names for part in name.split(",") if part.strip()]
    for name in wanted:
        if name not in EXPORTS:
            raise unknown("format", name, EXPORTS)
    exports = {name: EXPORTS[name] for name in wanted}
    _refuse_relatives(exports)
    for export in exports.values():
        export.check(engine)
    return exports


def _refuse_relatives(exports: dict[str, Export]) -> None:
    """Raise UsageError for formats that would write over each other's files."""
    for family in {export.family for export in exports.values()} - {""}:
        members = [name for name, export in exports.items() if export.family == family]
        if len(members) > 1:
            raise UsageError(
                f"Formats {' and '.join(members)} write files of the same names. Ask for one of them; then, of what was made: "
                "remi-stream export"
            )
