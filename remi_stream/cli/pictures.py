"""Options for drawing people into videos and images: `--save-video`, `--save-images`, `--view`."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remi_stream.errors import UsageError

if TYPE_CHECKING:
    from remi_stream.formats.exports import ExportFormat

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
    from remi_stream.formats.exports import EXPORT_FORMATS

    combined = {**exports, **{name: EXPORT_FORMATS[name] for option, name in SAVE_FORMATS.items() if options.get(option)}}
    drawn = {name: combined[name] for name in SAVE_FORMATS.values() if name in combined}
    if not drawn:
        _reject_without_drawing(options)
        return combined
    from remi_stream.render import film, stills
    from remi_stream.render.look import parse_render_options

    look = parse_render_options(_view(options), options["view_size"])
    writers = {"mp4": partial(film.write_video, options=look), "png": partial(stills.write_images, options=look)}
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
