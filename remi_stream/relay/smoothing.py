"""Filters of all cameras, selected by name and changed at run time."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import msgspec

from remi_stream.config import Config
from remi_stream.errors import RemiError, unknown_name_error
from remi_stream.filters.choice import FilterSpec, resolve_filter, resolve_stored_filter
from remi_stream.filters.filter import Filter, filter_weights, open_filter_spec, require_filter_weights
from remi_stream.messages import Bodies, CameraFacts
from remi_stream.relay.camera_filter import CameraFilter
from remi_stream.relay.kept import load_filters, save_filters
from remi_stream.relay.loading import FilterLoader

log = logging.getLogger("remi_stream")


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
