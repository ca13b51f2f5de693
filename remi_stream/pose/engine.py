"""What turns crops of people into poses, and how one is found by name."""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Any, NamedTuple, Protocol

import numpy as np

from remi_stream.errors import UsageError, unknown
from remi_stream.messages import Person
from remi_stream.models.manifest import Manifest, find_engine, manifest_files
from remi_stream.runtimes.runtime import SUFFIXES


class Crop(NamedTuple):
    """One person to look at.

    image: (H, W, 3) uint8 BGR, the full picture. box_xyxy: (4,) float32 px, around the whole body, tight, not squared.
    track_id: whose crop it is. captured_at: s. intrinsics: fx, fy, cx, cy px of the full picture. state: what this engine
    left in `Pose.state` for this track in its last frame (None for a new person).
    """

    image: np.ndarray
    box_xyxy: np.ndarray
    track_id: int
    captured_at: float
    intrinsics: tuple[float, float, float, float]
    state: object | None = None


class Pose(NamedTuple):
    """An engine's answer for one crop: the person, the box to look at in the next frame, and what it wants to remember.

    person is None when the engine finds nobody credible there (its gates failed); reason then says why in one word.
    next_box_xyxy: (4,) float32 px, tight, from the key points.
    """

    person: Person | None
    next_box_xyxy: np.ndarray
    state: object | None = None
    reason: str = ""


class Engine(Protocol):
    """A pose network with its pre- and post-processing."""

    name: str
    runtime_name: str

    def infer(self, crops: list[Crop]) -> list[Pose]:
        """Estimate a pose per crop, in order. State is never kept inside: it travels in Crop and Pose."""
        ...


class Adapter(Protocol):
    """Makes an engine: what an adapter's module offers as `open_engine`."""

    def __call__(self, manifest: Manifest, runtime: str, settings: dict[str, Any]) -> Engine:
        """Load the weights into the runtime of this name, with the settings of its table in the manifest."""
        ...


ADAPTERS = {
    "alphapose": "remi_stream.pose.alphapose:open_engine",
    "blazepose": "remi_stream.pose.blazepose:open_engine",
    "instanthmr": "remi_stream.pose.mhr:open_engine",
    "onnx": "remi_stream.pose.onnx_network:open_engine",
    "pare": "remi_stream.pose.pare:open_engine",
    "poco": "remi_stream.pose.poco:open_engine",
    "synthetic": "remi_stream.pose.synthetic:open_engine",
}
"""Where the adapters are; packages add theirs through the entry-point group `remi_stream.engines`."""


def load_engine(name: str, threads: int | None = None, options: dict[str, float] | None = None) -> Engine:
    """Load an engine: a manifest's name, with a suffix for another runtime than its default ("blazepose-ov").

    threads, options: instead of the manifest's.
    """
    manifest, runtime = choose(name, options)
    settings = manifest.runtimes[runtime] | ({"threads": threads} if threads else {})
    return find_adapter(manifest)(manifest, runtime, {**settings, **manifest.options, **(options or {})})


def choose(name: str, options: dict[str, float] | None = None) -> tuple[Manifest, str]:
    """The manifest and the runtime that an engine's name asks for; its options are checked."""
    manifest, runtime = _choose(name)
    for option in options or {}:
        if option not in manifest.options:
            raise unknown(f"option of engine '{manifest.name}':", option, manifest.options)
    return manifest, runtime


def _choose(name: str) -> tuple[Manifest, str]:
    stem, _, suffix = name.rpartition("-")
    if name in manifest_files() or suffix not in SUFFIXES:
        manifest = find_engine(name)
        return manifest, manifest.runtime
    manifest, runtime = find_engine(stem), SUFFIXES[suffix]
    if runtime not in manifest.runtimes:
        raise UsageError(f"Engine '{stem}' does not run in {runtime} (it runs in: {', '.join(manifest.runtimes)}).")
    return manifest, runtime


def find_adapter(manifest: Manifest) -> Adapter:
    """The adapter that a manifest asks for; imports no other."""
    offered = {entry.name: entry.value for entry in importlib.metadata.entry_points(group="remi_stream.engines")}
    known = offered | ADAPTERS
    if manifest.adapter not in known:
        raise unknown(f"adapter in the manifest of engine '{manifest.name}':", manifest.adapter, known)
    module, _, attribute = known[manifest.adapter].partition(":")
    adapter: Adapter = getattr(importlib.import_module(module), attribute)
    return adapter
