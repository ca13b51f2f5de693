"""What must be there before a pipeline starts: a known engine and detector, and their weights."""

from __future__ import annotations

from remi_stream.config import Config


def make_ready(config: Config) -> None:
    """Check names and fetch the default model on first use, with a message."""
