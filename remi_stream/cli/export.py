"""`remi-stream export`: writes a recording in the formats of other programs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remi_stream.atomic_files import atomic_folder
from remi_stream.cli.options import DrawnView, OverwriteOption, check_overwrite, drawing_options, with_options
from remi_stream.errors import EXIT_DONE, UsageError

if TYPE_CHECKING:
    from remi_stream.export.registry import ExportFormat
    from remi_stream.recordings.take import Take


SAVE_FORMATS = {"save_video": "mp4", "save_images": "png"}
"""Export format of each option."""
SKELETON_VIEWS = ("skeleton", "3d")
VIEW_OPTIONS = ("view", "view_size", "vis_fast")
"""Options that have an effect only if something is drawn."""


@with_options(drawing_options, into="drawing", without=("save_video", "save_images"))
def export(
    recording: Annotated[Path, typer.Argument(help="Folder written by --record or `video --out`.", metavar="RECORDING")],
    to: Annotated[list[str], typer.Option(help="Format; may be repeated or comma-separated.", metavar="FORMAT")],
    drawing: dict[str, Any],
    out: Annotated[
        Path | None, typer.Option(help="Parent of the folders, one per format (default: the recording).", metavar="DIR")
    ] = None,
    overwrite: OverwriteOption = False,
) -> int:
    """Export a recording as bvh, gltf, obj, amass, csv and more."""
    from remi_stream.export.registry import find_export_formats
    from remi_stream.recordings.reader import open_take

    exports = add_drawings(find_export_formats(to), drawing)
    take = open_take(recording)
    folders = {name: (out or recording) / name for name in exports}
    check_overwrite(folders.values(), overwrite)
    for name, export_format in exports.items():
        files = write_export(export_format, take, folders[name])
        summary = f"{files} {'file' if files == 1 else 'files'}" if files else "no people, no file"
        print(f"{take.name}: {len(take.frames)} frames as {name}, {summary} -> {folders[name]}")
    return EXIT_DONE


def write_export(export_format: ExportFormat, take: Take, folder: Path) -> int:
    """Write an export into a folder that appears only when it is complete; return the number of files. Raises RemiError."""
    with atomic_folder(folder) as part:
        return len(export_format.write(take, part))


def add_drawings(exports: Mapping[str, ExportFormat], options: Mapping[str, Any]) -> dict[str, ExportFormat]:
    """Add the exports mp4 and png of --save-video and --save-images, and apply the view options. Raises UsageError."""
    from remi_stream.export.registry import EXPORT_FORMATS

    combined = {**exports, **{name: EXPORT_FORMATS[name] for option, name in SAVE_FORMATS.items() if options.get(option)}}
    drawn = {name: combined[name] for name in SAVE_FORMATS.values() if name in combined}
    if not drawn:
        _reject_without_drawing(options)
        return combined
    from remi_stream.render import video
    from remi_stream.render.camera import parse_render_options

    rendering = parse_render_options(_view(options), options["view_size"])
    writers = {"mp4": partial(video.write_video, options=rendering), "png": partial(video.write_images, options=rendering)}
    return {**combined, **{name: export._replace(write=writers[name]) for name, export in drawn.items()}}


def _reject_without_drawing(options: Mapping[str, Any]) -> None:
    for name in VIEW_OPTIONS:
        if options[name]:
            option = name.replace("_", "-")
            raise UsageError(
                f"--{option} has no effect, as nothing is drawn. Add --save-video, --save-images, or the format mp4 or png"
            )


def _view(options: Mapping[str, Any]) -> str:
    view: DrawnView | None = options["view"]
    if options["vis_fast"] and view and view.value not in SKELETON_VIEWS:
        raise UsageError(f"--vis-fast draws skeletons only, but --view {view.value} draws bodies. Leave one of them out")
    return view.value if view else "skeleton" if options["vis_fast"] else "mesh"
