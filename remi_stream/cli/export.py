"""`remi-stream export`: writes a recording in the formats of other programs."""

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
    recording: Annotated[Path, typer.Argument(help="Folder written by --record or `video --out`.", metavar="RECORDING")],
    to: Annotated[list[str], typer.Option(help="Format; may be repeated or comma-separated.", metavar="FORMAT")],
    drawing: dict[str, Any],
    out: Annotated[
        Path | None, typer.Option(help="Parent of the folders, one per format (default: the recording).", metavar="DIR")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> int:
    """Export a recording as bvh, gltf, obj, amass, csv and more."""
    from remi_stream.formats.exports import find_exports
    from remi_stream.offline.opening import open_kept

    exports = with_pictures(find_exports(to), drawing)
    take = open_kept(recording)
    folders = {name: (out or recording) / name for name in exports}
    if there := [folder for folder in folders.values() if folder.exists() and not overwrite]:
        raise UsageError(f"{there[0]} already exists. Give --overwrite to replace it, or another --out")
    for name, export_format in exports.items():
        files = write_whole(export_format, take, folders[name])
        summary = f"{files} {'file' if files == 1 else 'files'}" if files else "no people, no file"
        print(f"{take.name}: {len(take.frames)} frames as {name}, {summary} -> {folders[name]}")
    return DONE


def write_whole(wanted: Export, take: Take, folder: Path) -> int:
    """Write an export into a folder that appears only when it is complete; return the number of files. Raises RemiError."""
    with whole_folder(folder) as part:
        return len(wanted.write(take, part))
