"""What must be there before a pipeline starts: a known engine and detector, and their weights."""

from __future__ import annotations

import logging

from remi_stream.config import Config

log = logging.getLogger("remi_stream")


def make_ready(config: Config) -> None:
    """Check the names and fetch what may be fetched on first use, with a message. Raises UsageError or RemiError."""
    from remi_stream.detect.detector import DETECTORS, unknown
    from remi_stream.models.store import model_file
    from remi_stream.pose.engine import choose

    if config.detector not in {*DETECTORS, "synthetic"}:
        raise unknown("detector", config.detector, DETECTORS)
    if config.engine == "synthetic":
        return
    manifest, _ = choose(config.engine)
    for file in manifest.weights:
        model_file(file, tell=log.info)
