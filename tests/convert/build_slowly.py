"""A process that builds the plan of a model, reports the middle of the build, and continues on request."""

from __future__ import annotations

import sys

from remi_stream.convert.conversion import ConversionRequest, convert_model
from remi_stream.models.manifest import find_model_file

waiting = True


def say(word: str) -> None:
    """Print to the parent process."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def report(phase: str, done: int, steps: int) -> None:
    """Stop once, inside TensorRT."""
    global waiting
    if waiting and phase == "Building engine":
        waiting = False
        say("building")
        sys.stdin.readline()


converted = convert_model(find_model_file(sys.argv[1]), ConversionRequest(capabilities=("8.9",)), report)
say("made" if converted.is_new else "found")
