"""Requirements of a command line, without running it: a GPU, TensorRT plans, weights."""

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
"""Options that a pipeline file also has and that decide which weights are loaded."""

Options = Mapping[str, Any]


class Asked(NamedTuple):
    """What a command needs before it can run."""

    gpu: str = ""
    """The engine that needs a GPU, as typed; "" if none does."""
    planned: Sequence[Manifest] = ()
    """Engines that run in TensorRT."""
    needed: Sequence[ModelFile] = ()
    """Weights without which the command fails."""
    welcome: Sequence[ModelFile] = ()
    """Weights that are used if they are present."""


def asked_for(arguments: Sequence[str]) -> Asked:
    """Requirements of a command line; none for an invalid one, because the command itself reports the mistake."""
    if not arguments or arguments[0] not in COMMANDS:
        return Asked()
    try:
        return COMMANDS[arguments[0]](parsed(*arguments))
    except RemiError:
        return Asked()


def parsed(name: str, *arguments: str) -> Options:
    """Parse the options of a command exactly as the command does. Raises RemiError for invalid arguments."""
    import typer

    from remi_stream.cli.app import app

    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    try:
        # --help and --version print and exit while they are parsed.
        with contextlib.redirect_stdout(io.StringIO()), command.make_context(name, list(arguments)) as context:
            options: Options = context.params
            return options
    except typer.Exit:
        raise RemiError(f"{name} only prints its help") from None
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        raise RemiError(error.format_message()) from None


def by_options(options: Options) -> Asked:
    """Requirements of a live or offline pipeline that is described by command-line options only."""
    values = {name: options[name] for name in PASSED_ON if options.get(name)}
    requirements = by_config(configuration.check({"cameras": [{"name": "any", "source": "synthetic:"}], **values}))
    return requirements._replace(needed=[*requirements.needed, *smoothing(options), *written(options.get("format") or ())])


def by_file(options: Options) -> Asked:
    """Requirements of `run PIPELINE.yaml`."""
    values = configuration.read(options["pipeline"])
    if options["filter"]:
        values = {**values, "filter": options["filter"], "filter_options": {}}
    return by_config(configuration.check(values))


def by_config(config: Config) -> Asked:
    """Requirements of a pipeline configuration; body models and lifters are optional."""
    from remi_stream.cli.ready import needs_of

    needs = needs_of(config)
    planned = [manifest for manifest, runtime in needs.engines if runtime == "tensorrt"]
    roles = {"body"} | {"lifter" for manifest, _ in needs.engines if manifest.options.get("lift")}
    welcome = files_of_role(*roles)
    gpu = f"{planned[0].name}-trt" if planned else ""
    return Asked(gpu, planned, needs.files, welcome=welcome if needs.engines else [])


def files_of_role(*roles: str) -> list[ModelFile]:
    """Weights of all models with these roles."""
    from remi_stream.models.manifest import list_manifests

    return [file for manifest in list_manifests() if manifest.role in roles for file in manifest.weights]


def by_conversion(options: Options) -> Asked:
    """Requirements of `convert`: a plan is built on the GPU that runs it, unless --compute-capability names another."""
    from remi_stream.cli.convert import TENSORRT, models_of

    name = options["name"]
    on_this_gpu = name.endswith(TENSORRT) and not options["compute_capability"]
    return Asked(gpu=name if on_this_gpu else "", needed=models_of(name))


def by_lifting(options: Options) -> Asked:
    """Requirements of `lift`."""
    from remi_stream.models.catalogue import known_file
    from remi_stream.pose.videopose3d import CAUSAL, SYMMETRIC

    return Asked(needed=[known_file(CAUSAL if options["causal"] else SYMMETRIC)])


def smoothing(options: Options) -> list[ModelFile]:
    """SmoothNet's imported weights, if --smooth smoothnet is given without --smooth-weights."""
    from remi_stream.cli.files import Smoother
    from remi_stream.filters.smoothnet import files
    from remi_stream.offline.smoothing import Smoothing

    if options.get("smooth") is not Smoother.smoothnet or options["smooth_weights"]:
        return []
    return [file for file, _ in files(options["window"] or Smoothing().window)]


def written(formats: Iterable[str]) -> list[ModelFile]:
    """Models that an export needs: SMPL, for formats that contain its mesh."""
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
"""Requirements by command; a command that is not listed has none."""
