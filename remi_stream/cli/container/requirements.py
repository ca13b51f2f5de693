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

SHARED_OPTIONS = ("engine", "detector", "filter", "threads")
"""Options that a pipeline file also has and that decide which weights are loaded."""

ParsedOptions = Mapping[str, Any]


class Requirements(NamedTuple):
    """What a command needs before it can run."""

    gpu_engine: str = ""
    """The engine that needs a GPU, as typed; "" if none does."""
    tensorrt_engines: Sequence[Manifest] = ()
    """Engines that run in TensorRT."""
    required_files: Sequence[ModelFile] = ()
    """Weights without which the command fails."""
    optional_files: Sequence[ModelFile] = ()
    """Weights that are used if they are present."""


def command_requirements(arguments: Sequence[str]) -> Requirements:
    """Requirements of a command line; none for an invalid one, because the command itself reports the mistake."""
    if not arguments or arguments[0] not in REQUIREMENTS_BY_COMMAND:
        return Requirements()
    try:
        return REQUIREMENTS_BY_COMMAND[arguments[0]](parse_options(*arguments))
    except RemiError:
        return Requirements()


def parse_options(name: str, *arguments: str) -> ParsedOptions:
    """Parse the options of a command exactly as the command does. Raises RemiError for invalid arguments."""
    import typer

    from remi_stream.cli.app import app

    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    try:
        # --help and --version print and exit while they are parsed.
        with contextlib.redirect_stdout(io.StringIO()), command.make_context(name, list(arguments)) as context:
            options: ParsedOptions = context.params
            return options
    except typer.Exit:
        raise RemiError(f"{name} only prints its help") from None
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        raise RemiError(error.format_message()) from None


def pipeline_requirements(options: ParsedOptions) -> Requirements:
    """Requirements of a live or offline pipeline that is described by command-line options only."""
    values = {name: options[name] for name in SHARED_OPTIONS if options.get(name)}
    requirements = config_requirements(
        configuration.parse_config({"cameras": [{"name": "any", "source": "synthetic:"}], **values})
    )
    return requirements._replace(
        required_files=[*requirements.required_files, *smoothing_files(options), *export_model_files(options.get("format") or ())]
    )


def pipeline_file_requirements(options: ParsedOptions) -> Requirements:
    """Requirements of `run PIPELINE.yaml`."""
    values = configuration.read_config_file(options["pipeline"])
    if options["filter"]:
        values = {**values, "filter": options["filter"], "filter_options": {}}
    return config_requirements(configuration.parse_config(values))


def config_requirements(config: Config) -> Requirements:
    """Requirements of a pipeline configuration; body models and lifters are optional."""
    from remi_stream.cli.ready import pipeline_needs

    needs = pipeline_needs(config)
    planned = [manifest for manifest, runtime in needs.engines if runtime == "tensorrt"]
    roles = {"body"} | {"lifter" for manifest, _ in needs.engines if manifest.options.get("lift")}
    optional = weights_of_roles(*roles)
    gpu = f"{planned[0].name}-trt" if planned else ""
    return Requirements(gpu, planned, needs.all_files, optional_files=optional if needs.engines else [])


def weights_of_roles(*roles: str) -> list[ModelFile]:
    """Weights of all models with these roles."""
    from remi_stream.models.manifest import list_manifests

    return [file for manifest in list_manifests() if manifest.role in roles for file in manifest.weights]


def convert_requirements(options: ParsedOptions) -> Requirements:
    """Requirements of `convert`: a plan is built on the GPU that runs it, unless --compute-capability names another."""
    from remi_stream.cli.convert import TENSORRT_SUFFIX, convertible_models

    name = options["name"]
    on_this_gpu = name.endswith(TENSORRT_SUFFIX) and not options["compute_capability"]
    return Requirements(gpu_engine=name if on_this_gpu else "", required_files=convertible_models(name))


def lift_requirements(options: ParsedOptions) -> Requirements:
    """Requirements of `lift`."""
    from remi_stream.models.manifest import find_model_file
    from remi_stream.pose.videopose3d import CAUSAL_WEIGHTS, SYMMETRIC_WEIGHTS

    return Requirements(required_files=[find_model_file(CAUSAL_WEIGHTS if options["causal"] else SYMMETRIC_WEIGHTS)])


def smoothing_files(options: ParsedOptions) -> list[ModelFile]:
    """SmoothNet's imported weights, if --smooth smoothnet is given without --smooth-weights."""
    from remi_stream.cli.options import SmoothMethod
    from remi_stream.filters.smoothnet import smoothnet_weights
    from remi_stream.offline.smoothing import TakeSmoothing

    if options.get("smooth") is not SmoothMethod.smoothnet or options["smooth_weights"]:
        return []
    return [file for file, _ in smoothnet_weights(options["window"] or TakeSmoothing().window)]


def export_model_files(formats: Iterable[str]) -> list[ModelFile]:
    """Models that an export needs: SMPL, for formats that contain its mesh."""
    from remi_stream.export.registry import EXPORT_FORMATS, require_smpl_export
    from remi_stream.models.manifest import find_model_file
    from remi_stream.models.smpl_pickle import EXTRA_REGRESSOR_FILE, SMPL_FILE

    names = [part.strip() for name in formats for part in name.split(",")]
    with_mesh = any(name in EXPORT_FORMATS and EXPORT_FORMATS[name].check is require_smpl_export for name in names)
    return [find_model_file(SMPL_FILE), find_model_file(EXTRA_REGRESSOR_FILE)] if with_mesh else []


REQUIREMENTS_BY_COMMAND: dict[str, Callable[[ParsedOptions], Requirements]] = {
    **dict.fromkeys(("demo", "webcam", "rtsp", "remi", "video", "play", "images"), pipeline_requirements),
    "bench": lambda options: pipeline_requirements({**options, "engine": options["name"] or options["engine"]}),
    "run": pipeline_file_requirements,
    "convert": convert_requirements,
    "export": lambda options: Requirements(
        required_files=export_model_files(options["to"]), optional_files=weights_of_roles("body")
    ),
    **dict.fromkeys(("morph", "evaluate", "view"), lambda options: Requirements(optional_files=weights_of_roles("body"))),
    "lift": lift_requirements,
}
"""Requirements by command; a command that is not listed has none."""
