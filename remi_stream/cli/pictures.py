"""Options for drawing people into videos and images: `--save-video`, `--save-images`, `--view`."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remi_stream.errors import UsageError

if TYPE_CHECKING:
    from remi_stream.formats.exports import Export

SAVED = {"save_video": "mp4", "save_images": "png"}
"""Export format of each option."""
WITHOUT_SKIN = ("skeleton", "3d")
HOW = ("view", "view_size", "vis_fast")
"""Options that have an effect only if something is drawn."""


class View(str, enum.Enum):
    """What is drawn: the names in `VIEWS`."""

    mesh = "mesh"
    skeleton = "skeleton"
    side = "side"
    space = "3d"


def picture_options(
    save_video: Annotated[
        bool, typer.Option("--save-video", help="Also write a video with all people drawn into it (mp4).")
    ] = False,
    save_images: Annotated[bool, typer.Option("--save-images", help="Also write its frames as images (png).")] = False,
    view: Annotated[
        View | None,
        typer.Option(help="What is drawn: bodies, skeletons, bodies beside a view from the side, or skeletons beside 3D."),
    ] = None,
    view_size: Annotated[
        str | None, typer.Option(help="Output size, px (default: size of the source).", metavar="WIDTH[xHEIGHT]")
    ] = None,
    vis_fast: Annotated[bool, typer.Option("--vis-fast", help="Draw skeletons only.")] = False,
) -> None:
    """Options for drawing people."""


def with_pictures(exports: Mapping[str, Export], options: Mapping[str, Any]) -> dict[str, Export]:
    """Add the exports mp4 and png of --save-video and --save-images, and apply the view options. Raises UsageError."""
    from remi_stream.formats.exports import EXPORTS

    combined = {**exports, **{name: EXPORTS[name] for option, name in SAVED.items() if options.get(option)}}
    drawn = {name: combined[name] for name in SAVED.values() if name in combined}
    if not drawn:
        _reject_without_drawing(options)
        return combined
    from remi_stream.render import film, stills
    from remi_stream.render.look import look_of

    look = look_of(_view(options), options["view_size"])
    writers = {"mp4": partial(film.write, look=look), "png": partial(stills.write, look=look)}
    return {**combined, **{name: export._replace(write=writers[name]) for name, export in drawn.items()}}


def _reject_without_drawing(options: Mapping[str, Any]) -> None:
    for name in HOW:
        if options[name]:
            option = name.replace("_", "-")
            raise UsageError(
                f"--{option} has no effect, as nothing is drawn. Add --save-video, --save-images, or the format mp4 or png"
            )


def _view(options: Mapping[str, Any]) -> str:
    view: View | None = options["view"]
    if options["vis_fast"] and view and view.value not in WITHOUT_SKIN:
        raise UsageError(f"--vis-fast draws skeletons only, but --view {view.value} draws bodies. Leave one of them out")
    return view.value if view else "skeleton" if options["vis_fast"] else "mesh"
