"""Recorders for tests, and readers of what they recorded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.config import CameraConfig, Config
from remi_stream.recordings.index import RecordingIndex, read_recording_index
from remi_stream.sinks.recorder import RecorderSink


def configuration(folder: Path, **more: Any) -> Config:
    return Config(cameras=(CameraConfig(name="front", source="synthetic:"),), record=str(folder), **more)


@contextlib.contextmanager
def recorder(folder: Path, **more: Any) -> Iterator[RecorderSink]:
    """Run a recorder; its files are finished when the block is left."""
    made = RecorderSink(configuration(folder), **more)
    made.open()
    try:
        yield made
    finally:
        made.close()


def record(folder: Path, messages: Iterable[Any]) -> Path:
    """Record messages; return the folder of the recording."""
    with recorder(folder) as made:
        for message in messages:
            made.step(message)
    return newest(folder)


def newest(folder: Path) -> Path:
    """The newest recording in a folder."""
    return max(folder.iterdir(), key=lambda path: path.stat().st_ctime)


def arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an .npz file."""
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


def index_of(folder: Path) -> RecordingIndex:
    """The index of the only recording in a folder."""
    (recording,) = folder.iterdir()
    return read_recording_index(recording)
