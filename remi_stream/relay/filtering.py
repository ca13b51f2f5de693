"""Filter of one camera: smooths its people, measures its lag and REMI's metrics."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from remi_stream import geometry
from remi_stream.config import Config
from remi_stream.errors import RemiError, unknown_name_error
from remi_stream.filters.registry import (
    Filter,
    FilterSpec,
    filter_weights,
    open_filter_spec,
    require_filter_weights,
    resolve_filter,
    resolve_stored_filter,
)
from remi_stream.measure.remi_metrics import RelayMeter
from remi_stream.messages import Bodies, CameraFacts, Person, Smpl
from remi_stream.relay.lag import LagMeter
from remi_stream.remi.wire import viewer_translation

LAG_INTERVAL_S = 1.0
"""Interval of lag measurements, s."""
FILTER_ERRORS = (ArithmeticError, LookupError, RuntimeError, ValueError)
"""Exceptions that a filter or its runtime may raise for invalid poses."""

log = logging.getLogger("remi_stream")


class CameraFilter:
    """A running filter; another filter starts with fresh state. fault: error that disabled it, one line."""

    def __init__(self, camera: str, choice: FilterSpec, filter: Filter) -> None:
        self.choice, self.error = choice, ""
        self._camera, self._filter = camera, filter
        self._lag, self._lag_s, self._lag_due = LagMeter(), filter.lag_s if choice.kind == "none" else None, 0.0
        self._meter, self._packet_at = RelayMeter(), math.nan

    @property
    def label(self) -> str:
        """Name of the active filter."""
        return "none" if self.error else self.choice.label

    def smooth(self, bodies: Bodies, now: float) -> Bodies:
        """Smooth the people; returns the same object if the filter changes nothing. now: time of receipt, s."""
        if self.error:
            return bodies
        started_at = time.perf_counter()
        try:
            people = [self._filter.filter(person, bodies.captured_at) for person in bodies.people]
        except FILTER_ERRORS as error:
            self.error = f"{self.choice.name} failed ({' '.join(str(error).split())}) and was disabled"
            log.exception("%s: filter %s", self._camera, self.error)
            return bodies
        spent_s = (time.perf_counter() - started_at) / max(1, len(people))
        self._measure(bodies, people, now, spent_s)
        same = self.choice.kind == "none"
        return bodies if same else msgspec.structs.replace(bodies, people=people, filter=self.label)

    def lag_s(self, now: float) -> float | None:
        """Lag of the filter over the last seconds, s; None while it is not known."""
        if self.choice.kind != "none" and now >= self._lag_due:
            self._lag_due = now + LAG_INTERVAL_S
            self._lag_s = self._lag.measure()
        return self._lag_s

    def remi_metrics(self, now: float) -> list[str | float]:
        """Row of REMI's metrics for this filter, without its time: means of the last five seconds."""
        return [self.choice.name, self.choice.name, *map(float, self._meter.means(now))]

    def _measure(self, bodies: Bodies, people: list[Person], now: float, spent_s: float) -> None:
        if self.choice.kind != "none":
            for raw, filtered in zip(bodies.people, people):
                self._lag.add(raw, filtered, bodies.captured_at)
        first = next(((raw.smpl, own.smpl) for raw, own in zip(bodies.people, people) if raw.smpl and own.smpl), None)
        if first:
            self._meter.add(now, now - self._packet_at, spent_s, *remi_streams(*first))
            self._packet_at = now


def remi_streams(raw: Smpl, filtered: Smpl) -> list[dict[str, np.ndarray]]:
    """REMI's four streams of a person, before and after the filter.

    The translation refers to the full image, in metres; REMI's program only knows it for the crop.
    """
    roots = rotate_180_about_x(np.array([raw.global_orient, filtered.global_orient], np.float64))
    return [
        {"poses_body": smpl.body_pose, "poses_root": root, "betas": smpl.betas, "trans": viewer_translation(smpl.transl[:2])}
        for smpl, root in zip((raw, filtered), roots)
    ]


def rotate_180_about_x(vectors: np.ndarray) -> np.ndarray:
    """Rotate rotation vectors (N, 3) by 180 degrees about x, REMI's convention; four times as fast as remi/wire.py."""
    x, y, z, w = geometry.quaternions_from_rotation_vectors(vectors).T
    return geometry.rotation_vectors_from_quaternions(np.stack([w, -z, y, -x], 1))


# Persists the selected filters in the run folder, so that a restarted relay restores them.


SAVED_FILTERS_FILE = "filters.json"


def save_filters(folder: Path, choices: dict[str, FilterSpec]) -> None:
    """Save the selected filter of each camera, atomically."""
    new = folder / f".{SAVED_FILTERS_FILE}"
    try:
        new.write_bytes(msgspec.json.encode(choices))
        os.replace(new, folder / SAVED_FILTERS_FILE)
    except OSError as error:
        log.warning("cannot save the selected filters (%s): a restarted relay will not restore them", error.strerror)


def load_filters(folder: Path) -> dict[str, FilterSpec]:
    """Load the filters selected in this run; empty if there are none or the file is invalid."""
    try:
        return msgspec.json.decode((folder / SAVED_FILTERS_FILE).read_bytes(), type=dict[str, FilterSpec])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("cannot read the saved filters (%s): using those of the configuration", error)
        return {}


# Loads a filter in the background, for filters with networks.


class FilterLoader(threading.Thread):
    """Thread that loads a filter for each camera. When it ends, `filters` are set, or `error` is the error in one line."""

    def __init__(self, choice: FilterSpec, cameras: list[str]) -> None:
        super().__init__(name=f"loading {choice.name}", daemon=True)
        self.choice, self.cameras = choice, cameras
        self.filters: dict[str, Filter] = {}
        self.error = f"{choice.name} could not be loaded; see the log"
        self.start()

    def run(self) -> None:
        """Load the filters. An unexpected exception is logged with its traceback by the thread."""
        try:
            self.filters = {camera: open_filter_spec(self.choice) for camera in self.cameras}
        except RemiError as error:
            self.error = str(error)


# Filters of all cameras, selected by name and changed at run time.


class CameraFilters:
    """One filter per camera. folder: run folder, where the selection is saved for a restarted relay; None: not saved."""

    def __init__(self, config: Config, folder: Path | None = None) -> None:
        self._config, self._folder = config, folder
        self._cameras = [camera.name for camera in config.cameras]
        nothing = resolve_filter("none")
        self._active = {name: CameraFilter(name, nothing, open_filter_spec(nothing)) for name in self._cameras}
        self._loading: dict[str, FilterLoader] = {}
        self._load_errors: dict[str, str] = {}

    def open(self) -> None:
        """Restore the filters selected in this run, else open the configuration's. Raises RemiError."""
        chosen = resolve_filter(self._config.filter, self._config.filter_options)
        before = load_filters(self._folder) if self._folder else {}
        self._start(chosen, [camera for camera in self._cameras if camera not in before])
        for camera in before.keys() & set(self._cameras):
            self._restore(camera, before[camera], chosen)

    def smooth(self, bodies: Bodies, now: float) -> Bodies:
        """Smooth the people of a message. now: time of receipt, s."""
        self._finish_loading(bodies.camera)
        return self._active[bodies.camera].smooth(bodies, now)

    def with_filter_status(self, facts: CameraFacts, now: float) -> CameraFacts:
        """Copy of a camera's status with its filter and lag."""
        self._finish_loading(facts.camera)
        working = self._active[facts.camera]
        return msgspec.structs.replace(facts, filter=working.label, filter_lag_s=working.lag_s(now))

    def select_filter(self, name: str, options: dict[str, float], camera: str | None) -> None:
        """Change the filter of one camera or all; the old one stays active until the new one is loaded.

        Raises RemiError, and changes nothing, if the filter does not exist or its weights are missing.
        """
        choice, cameras = resolve_filter(name, options), self.cameras_of(camera)
        self._start(choice, cameras)
        log.info("%s: filter %s", ", ".join(cameras), choice.name)
        self._save()

    def status(self, camera: str | None = None) -> dict[str, dict[str, Any]]:
        """Filter status of each camera: name, kind, options, lag, state, fault."""
        return {name: self._status(name) for name in self.cameras_of(camera)}

    def remi_metrics(self, camera: str | None, now: float) -> dict[str, list[str | float]]:
        """REMI's metrics of each camera's filter."""
        return {name: self._active[name].remi_metrics(now) for name in self.cameras_of(camera)}

    def cameras_of(self, camera: str | None) -> list[str]:
        """This camera as a list, or all cameras. Raises UsageError."""
        if camera is not None and camera not in self._active:
            raise unknown_name_error("camera", camera, self._active)
        return self._cameras if camera is None else [camera]

    def _status(self, camera: str) -> dict[str, Any]:
        self._finish_loading(camera)
        loading, working = self._loading.get(camera), self._active[camera]
        choice = loading.choice if loading else working.choice
        status: dict[str, Any] = {"name": choice.name, "kind": choice.kind, "options": choice.options}
        status |= {"lag_s": None, "state": "loading"} if loading else {"lag_s": working.lag_s(time.monotonic()), "state": "on"}
        fault = self._load_errors.get(camera) or working.error
        return {**status, "fault": fault} if fault else status

    def _start(self, choice: FilterSpec, cameras: list[str]) -> None:
        """Activate a filter: now, or once loaded if it has weights."""
        if filter_weights(choice):
            require_filter_weights(choice)
            loading = FilterLoader(choice, cameras)
            for camera in cameras:
                self._loading[camera] = loading
                self._load_errors.pop(camera, None)
            return
        for camera in cameras:
            self._activate(camera, choice, open_filter_spec(choice))

    def _restore(self, camera: str, saved: FilterSpec, default: FilterSpec) -> None:
        """Restore a saved filter; if it no longer exists, use the default."""
        try:
            self._start(resolve_stored_filter(saved), [camera])
        except RemiError as error:
            log.warning("%s: the saved filter is not available: %s", camera, error)
            self._start(default, [camera])

    def _finish_loading(self, camera: str) -> None:
        loading = self._loading.get(camera)
        if loading is None or loading.is_alive():
            return
        if camera in loading.filters:
            self._activate(camera, loading.choice, loading.filters[camera])
            log.info("%s: filter %s is loaded", camera, loading.choice.name)
            return
        del self._loading[camera]
        self._load_errors[camera] = loading.error
        log.warning("%s: %s", camera, loading.error)
        self._save()

    def _activate(self, camera: str, choice: FilterSpec, made: Filter) -> None:
        self._active[camera] = CameraFilter(camera, choice, made)
        self._loading.pop(camera, None)
        self._load_errors.pop(camera, None)

    def _save(self) -> None:
        if self._folder:
            chosen = {camera: self._loading.get(camera, working).choice for camera, working in self._active.items()}
            save_filters(self._folder, chosen)
