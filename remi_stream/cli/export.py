"""`remi-stream export`: writes a recording in the formats of other programs."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remi_stream.errors import UsageError

if TYPE_CHECKING:
    from remi_stream.export.registry import ExportFormat
from pathlib import Path

from remi_stream.atomic_files import atomic_folder
from remi_stream.cli.options import with_options
from remi_stream.errors import EXIT_DONE

if TYPE_CHECKING:
    from remi_stream.export.registry import ExportFormat
    from remi_stream.recordings.take import Take


# Options for drawing people into videos and images: `--save-video`, `--save-images`, `--view`.


SAVE_FORMATS = {"save_video": "mp4", "save_images": "png"}
"""Export format of each option."""
SKELETON_VIEWS = ("skeleton", "3d")
VIEW_OPTIONS = ("view", "view_size", "vis_fast")
"""Options that have an effect only if something is drawn."""


class DrawnView(str, enum.Enum):
    """What is drawn: the names in `VIEWS`."""

    mesh = "mesh"
    skeleton = "skeleton"
    side = "side"
    space = "3d"


def drawing_options(
    save_video: Annotated[
        bool, typer.Option("--save-video", help="Also write a video with all people drawn into it (mp4).")
    ] = False,
    save_images: Annotated[bool, typer.Option("--save-images", help="Also write its frames as images (png).")] = False,
    view: Annotated[
        DrawnView | None,
        typer.Option(help="What is drawn: bodies, skeletons, bodies beside a view from the side, or skeletons beside 3D."),
    ] = None,
    view_size: Annotated[
        str | None, typer.Option(help="Output size, px (default: size of the source).", metavar="WIDTH[xHEIGHT]")
    ] = None,
    vis_fast: Annotated[bool, typer.Option("--vis-fast", help="Draw skeletons only.")] = False,
) -> None:
    """Options for drawing people."""


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

    look = parse_render_options(_view(options), options["view_size"])
    writers = {"mp4": partial(video.write_video, options=look), "png": partial(video.write_images, options=look)}
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
    from remi_stream.export.registry import find_export_formats
    from remi_stream.recordings.reader import open_take

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
