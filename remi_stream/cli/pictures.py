"""`--save-video`, `--save-images`: what people are drawn in, and how."""

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
"""Options, and the formats that they stand for."""
WITHOUT_SKIN = ("skeleton", "3d")
HOW = ("view", "view_size", "vis_fast")


class View(str, enum.Enum):
    """What is drawn; the names of `render.look.VIEWS`."""

    mesh = "mesh"
    skeleton = "skeleton"
    side = "side"
    space = "3d"


def picture_options(
    save_video: Annotated[bool, typer.Option("--save-video", help="Also write a film with everybody drawn in it (mp4).")] = False,
    save_images: Annotated[bool, typer.Option("--save-images", help="Also write its frames as pictures (png).")] = False,
    view: Annotated[
        View | None,
        typer.Option(help="What is drawn: bodies, skeletons, bodies beside a view from the side, or skeletons beside 3D."),
    ] = None,
    view_size: Annotated[
        str | None, typer.Option(help="Size of what is drawn, px (default: as filmed).", metavar="WIDTH[xHEIGHT]")
    ] = None,
    vis_fast: Annotated[bool, typer.Option("--vis-fast", help="Draw skeletons only.")] = False,
) -> None:
    """What is asked of pictures of the people."""


def with_pictures(exports: Mapping[str, Export], options: Mapping[str, Any]) -> dict[str, Export]:
    """The exports with the films and pictures that are asked for, drawn as is asked. Raises UsageError."""
    from remi_stream.formats.exports import EXPORTS

    wanted = {**exports, **{name: EXPORTS[name] for option, name in SAVED.items() if options.get(option)}}
    drawn = {name: wanted[name] for name in SAVED.values() if name in wanted}
    if not drawn:
        _refuse_without_pictures(options)
        return wanted
    from remi_stream.render import film, stills
    from remi_stream.render.look import look_of

    look = look_of(_view(options), options["view_size"])
    writers = {"mp4": partial(film.write, look=look), "png": partial(stills.write, look=look)}
    return {**wanted, **{name: export._replace(write=writers[name]) for name, export in drawn.items()}}


def _refuse_without_pictures(options: Mapping[str, Any]) -> None:
    for name in HOW:
        if options[name]:
            option = name.replace("_", "-")
            raise UsageError(f"--{option} is for what is drawn. Ask for it too: --save-video, --save-images, or mp4 or png")


def _view(options: Mapping[str, Any]) -> str:
    view: View | None = options["view"]
    if options["vis_fast"] and view and view.value not in WITHOUT_SKIN:
        raise UsageError(f"--vis-fast draws skeletons only, and --view {view.value} draws bodies. Leave one of them out")
    return view.value if view else "skeleton" if options["vis_fast"] else "mesh"
