"""What a command line asks for, found out without running it: a GPU, plans, files of weights."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from remi_stream import config as configuration
from remi_stream.config import Config
from remi_stream.errors import RemiError
from remi_stream.models.manifest import Manifest, ModelFile

PASSED_ON = ("engine", "detector", "filter", "threads")
"""Options of a command that a pipeline file has, too, and that weights depend on."""

Options = Mapping[str, Any]


class Asked(NamedTuple):
    """gpu: what needs a GPU, as it was typed; "" if nothing does. planned: the engines that are to run in TensorRT.

    needed: files of weights without which the command ends. welcome: files that are used if they are here.
    """

    gpu: str = ""
    planned: Sequence[Manifest] = ()
    needed: Sequence[ModelFile] = ()
    welcome: Sequence[ModelFile] = ()


def asked_for(arguments: Sequence[str]) -> Asked:
    """What the command that these arguments call asks for. One that is mistyped asks for nothing: it will say so itself."""
    if not arguments or arguments[0] not in COMMANDS:
        return Asked()
    try:
        return COMMANDS[arguments[0]](parsed(*arguments))
    except RemiError:
        return Asked()


def parsed(name: str, *arguments: str) -> Options:
    """The options of a command, parsed as the command itself does it. Raises RemiError for what it would not take."""
    import typer

    from remi_stream.cli.app import app

    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    try:
        with contextlib.redirect_stdout(io.StringIO()), command.make_context(name, list(arguments)) as context:
            options: Options = context.params
            return options
    except typer.Exit:
        raise RemiError(f"{name} only says something") from None
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        raise RemiError(error.format_message()) from None


def by_options(options: Options) -> Asked:
    """A pipeline, or a chain for films and pictures, that is all on the command line."""
    values = {name: options[name] for name in PASSED_ON if options.get(name)}
    found = by_config(configuration.check({"cameras": [{"name": "any", "source": "synthetic:"}], **values}))
    return found._replace(needed=[*found.needed, *smoothing(options), *written(options.get("format") or ())])


def by_file(options: Options) -> Asked:
    """A pipeline file."""
    values = configuration.read(options["pipeline"])
    if options["filter"]:
        values = {**values, "filter": options["filter"], "filter_options": {}}
    return by_config(configuration.check(values))


def by_config(config: Config) -> Asked:
    """A pipeline. A body and a lifter are welcome to its engines."""
    from remi_stream.cli.ready import needs_of

    needs = needs_of(config)
    planned = [manifest for manifest, runtime in needs.engines if runtime == "tensorrt"]
    roles = {"body"} | {"lifter" for manifest, _ in needs.engines if manifest.options.get("lift")}
    welcome = files_of_role(*roles)
    gpu = f"{planned[0].name}-trt" if planned else ""
    return Asked(gpu, planned, needs.files, welcome=welcome if needs.engines else [])


def files_of_role(*roles: str) -> list[ModelFile]:
    """What models of some roles are made of."""
    from remi_stream.models.manifest import list_manifests

    return [file for manifest in list_manifests() if manifest.role in roles for file in manifest.weights]


def by_conversion(options: Options) -> Asked:
    """`convert`, which builds plans on the GPU that they are for."""
    from remi_stream.cli.convert import TENSORRT, models_of

    name = options["name"]
    here = name.endswith(TENSORRT) and not options["compute_capability"]
    return Asked(gpu=name if here else "", needed=models_of(name))


def by_lifting(options: Options) -> Asked:
    """`lift`."""
    from remi_stream.models.catalogue import known_file
    from remi_stream.pose.videopose3d import CAUSAL, SYMMETRIC

    return Asked(needed=[known_file(CAUSAL if options["causal"] else SYMMETRIC)])


def smoothing(options: Options) -> list[ModelFile]:
    """SmoothNet's weights, if films are to be smoothed with those that were imported."""
    from remi_stream.cli.files import Smoother
    from remi_stream.filters.smoothnet import files
    from remi_stream.offline.smoothing import Smoothing

    if options.get("smooth") is not Smoother.smoothnet or options["smooth_weights"]:
        return []
    return [file for file, _ in files(options["window"] or Smoothing().window)]


def written(formats: Iterable[str]) -> list[ModelFile]:
    """What files in these formats are made with: SMPL, if they hold its mesh."""
    from remi_stream.body.smpl_file import EXTRA, SMPL
    from remi_stream.formats.exports import EXPORTS
    from remi_stream.formats.needs import smpl_files
    from remi_stream.models.catalogue import known_file

    names = [part.strip() for name in formats for part in name.split(",")]
    with_mesh = any(name in EXPORTS and EXPORTS[name].check is smpl_files for name in names)
    return [known_file(SMPL), known_file(EXTRA)] if with_mesh else []


COMMANDS: dict[str, Callable[[Options], Asked]] = {
    **dict.fromkeys(("demo", "webcam", "rtsp", "remi", "video", "play", "images"), by_options),
    "bench": lambda options: by_options({**options, "engine": options["name"] or options["engine"]}),
    "run": by_file,
    "convert": by_conversion,
    "export": lambda options: Asked(needed=written(options["to"]), welcome=files_of_role("body")),
    **dict.fromkeys(("morph", "evaluate", "view"), lambda options: Asked(welcome=files_of_role("body"))),
    "lift": by_lifting,
}
"""The commands that ask for something; all others run anywhere, without anything."""
