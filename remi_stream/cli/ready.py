"""What must be there before a pipeline starts: a known engine and detector, and their weights."""

from __future__ import annotations

import logging

from remi_stream.config import Config

log = logging.getLogger("remi_stream")


def make_ready(config: Config) -> None:
    """Check the names and addresses, and fetch what may be fetched on first use. Raises UsageError or RemiError."""
    from remi_stream.capture.source import open_source
    from remi_stream.detect.detector import find_detector
    from remi_stream.models.catalogue import known_file
    from remi_stream.models.store import fault, pull
    from remi_stream.pose.engine import choose

    for camera in config.cameras:
        open_source(camera)
    manifest, _ = choose(config.engine, config.engine_options)
    wanted = {file.name: file for file in manifest.weights}
    wanted.update({name: known_file(name) for name in find_detector(config.detector).files})
    missing = [file for file in wanted.values() if fault(file)]
    if missing:
        pull(missing, tell=log.info)
