"""`remi-stream export`: a recording in other programs' formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remi_stream.cli.options import with_options
from remi_stream.cli.pictures import picture_options, with_pictures
from remi_stream.errors import DONE, UsageError
from remi_stream.whole_folder import whole_folder

if TYPE_CHECKING:
    from remi_stream.formats.exports import Export
    from remi_stream.formats.take import Take


@with_options(picture_options, into="drawing", without=("save_video", "save_images"))
def export(
    recording: Annotated[Path, typer.Argument(help="What --record or `video --out` made.", metavar="RECORDING")],
    to: Annotated[list[str], typer.Option(help="Which format; may be repeated, or with commas.", metavar="FORMAT")],
    drawing: dict[str, Any],
    out: Annotated[
        Path | None, typer.Option(help="A folder for each format is made in it (default: the recording).", metavar="DIR")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> int:
    """Write a recording in another program's format: bvh, gltf, obj, amass, csv and more."""
    from remi_stream.formats.exports import find_exports
    from remi_stream.offline.opening import open_kept

    exports = with_pictures(find_exports(to), drawing)
    take = open_kept(recording)
    folders = {name: (out or recording) / name for name in exports}
    if there := [folder for folder in folders.values() if folder.exists() and not overwrite]:
        raise UsageError(f"{there[0]} is there already. Give --overwrite to replace it, or another --out")
    for name, wanted in exports.items():
        files = write_whole(wanted, take, folders[name])
        told = f"{files} {'file' if files == 1 else 'files'}" if files else "nobody was seen, no file"
        print(f"{take.name}: {len(take.frames)} frames as {name}, {told} -> {folders[name]}")
    return DONE


def write_whole(wanted: Export, take: Take, folder: Path) -> int:
    """Write a format into a folder, which is there when everything is in it; give how many files. Raises RemiError."""
    with whole_folder(folder) as part:
        return len(wanted.write(take, part))
