"""What must be there before a pipeline starts: known engines, a known detector and filter, and their weights."""

from __future__ import annotations

import logging
from typing import NamedTuple

from remi_stream.config import Config
from remi_stream.errors import UsageError
from remi_stream.models.manifest import Manifest, ModelFile, find_manifest

NO_ONNX = ("torch", "tensorrt")
"""Runtimes that run the checkpoint, or a plan of it."""

log = logging.getLogger("remi_stream")


class Needs(NamedTuple):
    """engines: in the runtime that each is to run in. finding: the detector's files. posing: all others, and what they run in."""

    engines: list[tuple[Manifest, str]]
    finding: list[ModelFile]
    posing: list[tuple[ModelFile, str]]

    @property
    def files(self) -> list[ModelFile]:
        """Every file of weights that must be here, once."""
        return list({file.name: file for file in [*self.finding, *(file for file, _ in self.posing)]}.values())


def needs_of(config: Config) -> Needs:
    """What a pipeline is to run, and with which weights, whether they are here or not. Raises UsageError."""
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
    """Check the names and addresses, and fetch what may be fetched on first use. Raises UsageError or RemiError."""
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
    """The manifest and the runtime of each camera's engine. One process runs them all: not torch beside OpenVINO."""
    from remi_stream.pose.engine import choose

    chosen = {camera: choose(name, config.options_of(name)) for camera, name in config.engines.items()}
    who = {runtime: f"{camera!r} ({config.engines[camera]})" for camera, (_, runtime) in chosen.items()}
    if {"torch", "openvino"} <= who.keys():
        raise UsageError(
            f"Cameras {who['torch']} and {who['openvino']} want torch and OpenVINO in one process, which slows down both. "
            "Take engines of one runtime, or give one camera a daemon of its own: remi-stream run OTHER.yaml --name other"
        )
    return list(chosen.values())


def require_gpus(engines: list[tuple[Manifest, str]]) -> None:
    """Raise RemiError if an engine is to run in TensorRT where there is no GPU."""
    for manifest, runtime in engines:
        if runtime == "tensorrt":
            from remi_stream.runtimes.fastest import require_gpu

            require_gpu(manifest.weights[0])


def choose_lifters(config: Config) -> list[tuple[ModelFile, str]]:
    """What lifts the key points of engines, and in which runtime: where it is here, or must be because it was asked for."""
    from remi_stream.pose.engine import choose
    from remi_stream.pose.videopose3d import MANIFEST, lifts_in, live_weights

    here, found = live_weights(), []
    for name in dict.fromkeys(config.engines.values()):
        manifest, runtime = choose(name, config.options_of(name))
        asked = config.options_of(name).get("lift", 0)
        if {**manifest.options, **config.options_of(name)}.get("lift", 0) and (here or asked):
            found.append((here or find_manifest(MANIFEST, "lifter").weights[0], lifts_in(runtime)))
    return found
