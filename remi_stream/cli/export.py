"""`remi-stream export`: writes a recording in the formats of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remi_stream.cli.options import with_options
from remi_stream.cli.pictures import add_drawings, drawing_options
from remi_stream.errors import EXIT_DONE, UsageError
from remi_stream.whole_folder import atomic_folder

if TYPE_CHECKING:
    from remi_stream.formats.exports import ExportFormat
    from remi_stream.formats.take import Take


@with_options(drawing_options, into="drawing", without=("save_video", "save_images"))
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
    from remi_stream.formats.exports import find_export_formats
    from remi_stream.offline.opening import open_take

    exports = add_drawings(find_export_formats(to), drawing)
    take = open_take(recording)
    folders = {name: (out or recording) / name for name in exports}
    if there := [folder for folder in folders.values() if folder.exists() and not overwrite]:
        raise UsageError(f"{there[0]} already exists. Give --overwrite to replace it, or another --out")
    for name, export_format in exports.items():
        files = write_export(export_format, take, folders[name])
        summary = f"{files} {'file' if files == 1 else 'files'}" if files else "no people, no file"
        print(f"{take.name}: {len(take.frames)} frames as {name}, {summary} -> {folders[name]}")
    return EXIT_DONE


def write_export(export_format: ExportFormat, take: Take, folder: Path) -> int:
    """Write an export into a folder that appears only when it is complete; return the number of files. Raises RemiError."""
    with atomic_folder(folder) as part:
        return len(export_format.write(take, part))
