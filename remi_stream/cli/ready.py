"""Preparation of a pipeline: checks the engines, detector, filter and sources, and pulls or converts weights."""

from __future__ import annotations

import logging
from typing import NamedTuple

from remi_stream.config import Config
from remi_stream.errors import UsageError
from remi_stream.models.manifest import Manifest, ModelFile, find_manifest

NO_ONNX = ("torch", "tensorrt")
"""Runtimes that need no ONNX file: they run the checkpoint or a plan."""

log = logging.getLogger("remi_stream")


class Needs(NamedTuple):
    """Engines and weights that a pipeline loads."""

    engines: list[tuple[Manifest, str]]
    """Manifest and runtime of each camera's engine."""
    finding: list[ModelFile]
    """Weights of the detector."""
    posing: list[tuple[ModelFile, str]]
    """Weights of engines, lifters and the filter, with their runtime."""

    @property
    def files(self) -> list[ModelFile]:
        """All required weights, without duplicates."""
        return list({file.name: file for file in [*self.finding, *(file for file, _ in self.posing)]}.values())


def needs_of(config: Config) -> Needs:
    """Engines and weights of a configuration, present or not. Raises UsageError."""
    from remi_stream.detect.detector import find_detector
    from remi_stream.filters.choice import choose
    from remi_stream.filters.filter import files_of
    from remi_stream.models.catalogue import known_file

    smoothing = files_of(choose(config.filter, config.filter_options))
    engines = choose_engines(config)
    finding = [known_file(name) for name in find_detector(config.detector).files if config.engines]
    own = [(file, runtime) for manifest, runtime in engines for file in manifest.weights]
    return Needs(engines, finding, own + choose_lifters(config) + smoothing)


def make_ready(config: Config) -> None:
    """Check names and addresses, pull missing weights and convert them to ONNX. Raises UsageError or RemiError."""
    from remi_stream.capture.source import check_source
    from remi_stream.convert.artefact import make_artefacts
    from remi_stream.models.licence import licence_notice
    from remi_stream.models.store import fault, pull

    for camera in config.cameras:
        check_source(camera)
    needs = needs_of(config)
    require_gpus(needs.engines)
    missing = [file for file in needs.files if fault(file)]
    if missing:
        pull(missing, tell=log.info)
    make_artefacts([*needs.finding, *(file for file, runtime in needs.posing if runtime not in NO_ONNX)], tell=log.info)
    if notice := licence_notice(needs.files):
        log.info(notice)


def choose_engines(config: Config) -> list[tuple[Manifest, str]]:
    """Manifest and runtime of each camera's engine; raises UsageError for torch and OpenVINO in the same process."""
    from remi_stream.pose.engine import choose

    chosen = {camera: choose(name, config.options_of(name)) for camera, name in config.engines.items()}
    user = {runtime: f"{camera!r} ({config.engines[camera]})" for camera, (_, runtime) in chosen.items()}
    if {"torch", "openvino"} <= user.keys():
        raise UsageError(
            f"Cameras {user['torch']} and {user['openvino']} would run torch and OpenVINO in one process, which slows down both. "
            "Use engines of one runtime, or run one camera in a daemon of its own: remi-stream run OTHER.yaml --name other"
        )
    return list(chosen.values())


def require_gpus(engines: list[tuple[Manifest, str]]) -> None:
    """Raise RemiError if an engine needs TensorRT and there is no GPU."""
    for manifest, runtime in engines:
        if runtime == "tensorrt":
            from remi_stream.runtimes.fastest import require_gpu

            require_gpu(manifest.weights[0])


def choose_lifters(config: Config) -> list[tuple[ModelFile, str]]:
    """Weights and runtime of the lifters: used if present, required if the configuration asks for lifting."""
    from remi_stream.pose.engine import choose
    from remi_stream.pose.videopose3d import MANIFEST, lifts_in, live_weights

    present, lifters = live_weights(), []
    for name in dict.fromkeys(config.engines.values()):
        manifest, runtime = choose(name, config.options_of(name))
        requested = config.options_of(name).get("lift", 0)
        if {**manifest.options, **config.options_of(name)}.get("lift", 0) and (present or requested):
            lifters.append((present or find_manifest(MANIFEST, "lifter").weights[0], lifts_in(runtime)))
    return lifters
