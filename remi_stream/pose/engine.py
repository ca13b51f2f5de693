"""Pose engines: the interface from crops to poses, and loading an engine by name."""

from __future__ import annotations

import os
import signal
import time
from typing import Any, Protocol, get_args

import numpy as np

from remi_stream.config import Sensitivity
from remi_stream.errors import UsageError, unknown_name_error
from remi_stream.inference.runtime import RUNTIME_SUFFIXES
from remi_stream.messages import Person
from remi_stream.models.manifest import ENGINE_GROUP, Manifest, find_engine, manifest_files
from remi_stream.plugins import find_plugin
from remi_stream.tracking.crop import Crop, Pose


class Engine(Protocol):
    """A pose network with its pre- and post-processing."""

    name: str
    runtime_name: str
    is_stateless: bool
    """Whether a pose depends on its crop's image and box alone, not on `Crop.state`: offline, a batch then spans frames."""
    has_gates: bool
    """Whether it rejects crops that show no whole person: in an independent image it then gets all detections of all passes."""

    def infer(self, crops: list[Crop]) -> list[Pose]:
        """Estimate a pose per crop, in order. Engines keep no state of a track: it travels in Crop and Pose."""
        ...


class EngineAdapter(Protocol):
    """The factory of an engine: `open_engine` in an adapter's module."""

    def __call__(self, manifest: Manifest, runtime: str, settings: dict[str, Any]) -> Engine:
        """Load the weights into the named runtime, with the settings of its table in the manifest."""
        ...


ADAPTERS = {
    "alphapose": "remi_stream.pose.alphapose:open_engine",
    "blazepose": "remi_stream.pose.blazepose:open_engine",
    "instanthmr": "remi_stream.pose.instanthmr:open_engine",
    "onnx": "remi_stream.pose.onnx_engine:open_engine",
    "pare": "remi_stream.pose.smpl_regressor:open_pare",
    "poco": "remi_stream.pose.smpl_regressor:open_poco",
    "synthetic": "remi_stream.pose.engine:open_synthetic_engine",
}
"""The built-in adapters as module:function; other packages add theirs in the entry-point group ENGINE_GROUP."""
SENSITIVITIES: tuple[Sensitivity, ...] = get_args(Sensitivity)
"""Sensitivities; an engine's option `sensitivity` is the index of one."""


def load_engine(
    name: str, threads: int | None = None, options: dict[str, float] | None = None, sensitivity: Sensitivity = "normal"
) -> Engine:
    """Load an engine by its manifest's name; a suffix selects another runtime than the default ("blazepose-ov").

    threads and options override the manifest's. sensitivity: for engines that have the option of that name.
    """
    manifest, runtime = resolve_engine(name, options)
    settings = manifest.runtimes[runtime] | ({"threads": threads} if threads else {})
    chosen = {"sensitivity": float(SENSITIVITIES.index(sensitivity))} if "sensitivity" in manifest.options else {}
    return find_adapter(manifest)(manifest, runtime, {**settings, **manifest.options, **chosen, **(options or {})})


def resolve_engine(name: str, options: dict[str, float] | None = None) -> tuple[Manifest, str]:
    """Resolve an engine's name to its manifest and runtime; raises UsageError for an unknown option."""
    manifest, runtime = _manifest_and_runtime(name)
    for option in options or {}:
        if option not in manifest.options:
            raise unknown_name_error(f"option of engine '{manifest.name}':", option, manifest.options)
    return manifest, runtime


def _manifest_and_runtime(name: str) -> tuple[Manifest, str]:
    stem, _, suffix = name.rpartition("-")
    # a manifest of this very name comes first: its hyphen is no suffix ("alphapose-26", or a user's own)
    if name in manifest_files() or suffix not in RUNTIME_SUFFIXES:
        manifest = find_engine(name)
        return manifest, manifest.runtime
    manifest, runtime = find_engine(stem), RUNTIME_SUFFIXES[suffix]
    if runtime not in manifest.runtimes:
        raise UsageError(f"Engine '{stem}' does not run in {runtime} (it runs in: {', '.join(manifest.runtimes)}).")
    return manifest, runtime


def find_adapter(manifest: Manifest) -> EngineAdapter:
    """Import the adapter of a manifest, and no other."""
    kind = f"adapter in the manifest of engine '{manifest.name}':"
    adapter: EngineAdapter = find_plugin(kind, manifest.adapter, ADAPTERS, ENGINE_GROUP)
    return adapter


def open_synthetic_engine(manifest: Manifest, runtime: str, settings: dict[str, Any]) -> SyntheticEngine:
    """Make the synthetic engine; the settings are the manifest's options."""
    return SyntheticEngine(**settings)


class SyntheticEngine:
    """An engine without a network, for tests: a person with one joint after delay_s, with faults on demand.

    Call number crash_after kills the process, call number hang_after never returns.
    """

    name = "synthetic"
    runtime_name = "none"
    has_gates = False
    is_stateless = False  # its calls are counted: one per frame

    def __init__(self, delay_s: float, crash_after: float, hang_after: float, threads: int = 1) -> None:
        self.delay_s = delay_s
        self.crash_after, self.hang_after = int(crash_after), int(hang_after)
        self.calls = 0

    def infer(self, crops: list[Crop]) -> list[Pose]:
        """Return a person with one joint at the centre of each box."""
        self.calls += 1
        if self.calls == self.crash_after:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.calls == self.hang_after:
            time.sleep(3600)
        time.sleep(self.delay_s)
        return [self._pose(crop) for crop in crops]

    def _pose(self, crop: Crop) -> Pose:
        box = crop.box_xyxy.astype(np.float32)
        person = Person(
            track_id=crop.track_id,
            score=1.0,
            box_xyxy=box,
            skeleton="point",
            keypoints_px=((box[:2] + box[2:]) / 2)[None],
            keypoint_scores=np.ones(1, np.float32),
            joints_m=np.array([[0, 0, 3]], np.float32),
        )
        return Pose(person, box)
