"""What must be there before a pipeline starts: known engines and a known detector, and their weights."""

from __future__ import annotations

import logging

from remi_stream.config import Config
from remi_stream.errors import UsageError
from remi_stream.models.manifest import Manifest

log = logging.getLogger("remi_stream")


def make_ready(config: Config) -> None:
    """Check the names and addresses, and fetch what may be fetched on first use. Raises UsageError or RemiError."""
    from remi_stream.capture.source import open_source
    from remi_stream.convert.artefact import make_artefacts
    from remi_stream.detect.detector import find_detector
    from remi_stream.models.catalogue import known_file
    from remi_stream.models.licence import licence_notice
    from remi_stream.models.store import fault, pull

    for camera in config.cameras:
        open_source(camera)
    engines = choose_engines(config)
    finding = [known_file(name) for name in find_detector(config.detector).files]
    wanted = {file.name: file for file in [*finding, *(file for manifest, _ in engines for file in manifest.weights)]}
    missing = [file for file in wanted.values() if fault(file)]
    if missing:
        pull(missing, tell=log.info)
    posing = [file for manifest, runtime in engines if runtime != "torch" for file in manifest.weights]
    make_artefacts([*finding, *posing], tell=log.info)
    if notice := licence_notice(wanted.values()):
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
