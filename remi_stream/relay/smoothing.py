"""What smooths the people of each camera, chosen by name and changed while it runs."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import msgspec

from remi_stream.config import Config
from remi_stream.errors import RemiError, unknown
from remi_stream.filters.choice import Choice, again, choose
from remi_stream.filters.filter import Filter, files_of, open_choice, require
from remi_stream.messages import Bodies, CameraFacts
from remi_stream.relay.camera_filter import CameraFilter
from remi_stream.relay.kept import keep, kept
from remi_stream.relay.loading import Loading

log = logging.getLogger("remi_stream")


class Smoothing:
    """A filter for each camera. folder: where the choice is kept for the relay's next life (None: it is not)."""

    def __init__(self, config: Config, folder: Path | None = None) -> None:
        self._config, self._folder = config, folder
        self._cameras = [camera.name for camera in config.cameras]
        nothing = choose("none")
        self._working = {name: CameraFilter(name, nothing, open_choice(nothing)) for name in self._cameras}
        self._loading: dict[str, Loading] = {}
        self._missed: dict[str, str] = {}

    def open(self) -> None:
        """Take the filters that were chosen in this run, else the configuration's. Raises RemiError."""
        chosen = choose(self._config.filter, self._config.filter_options)
        before = kept(self._folder) if self._folder else {}
        self._take(chosen, [camera for camera in self._cameras if camera not in before])
        for camera in before.keys() & set(self._cameras):
            self._take_again(camera, before[camera], chosen)

    def smooth(self, bodies: Bodies, now: float) -> Bodies:
        """The bodies with their people smoothed. now: s, received."""
        self._finish_loading(bodies.camera)
        return self._working[bodies.camera].smooth(bodies, now)

    def tell(self, facts: CameraFacts, now: float) -> CameraFacts:
        """The facts, with what smooths the camera's people and how late they are."""
        self._finish_loading(facts.camera)
        working = self._working[facts.camera]
        return msgspec.structs.replace(facts, filter=working.label, filter_lag_s=working.lag_s(now))

    def change(self, name: str, options: dict[str, float], camera: str | None) -> None:
        """Choose another filter, for one camera or all; people go on being smoothed as before until it is loaded.

        Raises RemiError, and changes nothing, if it does not exist or its weights are not here.
        """
        choice, cameras = choose(name, options), self.cameras_of(camera)
        self._take(choice, cameras)
        log.info("%s: filter %s", ", ".join(cameras), choice.name)
        self._keep()

    def told(self, camera: str | None = None) -> dict[str, dict[str, Any]]:
        """What is chosen for each camera, for people."""
        return {name: self._told(name) for name in self.cameras_of(camera)}

    def metrics(self, camera: str | None, now: float) -> dict[str, list[str | float]]:
        """REMI's measures of each camera's filter."""
        return {name: self._working[name].metrics(now) for name in self.cameras_of(camera)}

    def cameras_of(self, camera: str | None) -> list[str]:
        """This camera, or all. Raises UsageError."""
        if camera is not None and camera not in self._working:
            raise unknown("camera", camera, self._working)
        return self._cameras if camera is None else [camera]

    def _told(self, camera: str) -> dict[str, Any]:
        self._finish_loading(camera)
        loading, working = self._loading.get(camera), self._working[camera]
        choice = loading.choice if loading else working.choice
        told: dict[str, Any] = {"name": choice.name, "kind": choice.kind, "options": choice.options}
        told |= {"lag_s": None, "state": "loading"} if loading else {"lag_s": working.lag_s(time.monotonic()), "state": "on"}
        fault = self._missed.get(camera) or working.fault
        return {**told, "fault": fault} if fault else told

    def _take(self, choice: Choice, cameras: list[str]) -> None:
        """Put a filter to work, at once or as soon as it is loaded."""
        if files_of(choice):
            require(choice)
            loading = Loading(choice, cameras)
            for camera in cameras:
                self._loading[camera] = loading
                self._missed.pop(camera, None)
            return
        for camera in cameras:
            self._put(camera, choice, open_choice(choice))

    def _take_again(self, camera: str, chosen: Choice, otherwise: Choice) -> None:
        """Take what was chosen while running; if that is gone meanwhile, what the configuration says."""
        try:
            self._take(again(chosen), [camera])
        except RemiError as error:
            log.warning("%s: the filter that was chosen is gone: %s", camera, error)
            self._take(otherwise, [camera])

    def _finish_loading(self, camera: str) -> None:
        loading = self._loading.get(camera)
        if loading is None or loading.is_alive():
            return
        if camera in loading.filters:
            self._put(camera, loading.choice, loading.filters[camera])
            log.info("%s: filter %s is loaded", camera, loading.choice.name)
            return
        del self._loading[camera]
        self._missed[camera] = loading.fault
        log.warning("%s: %s", camera, loading.fault)
        self._keep()

    def _put(self, camera: str, choice: Choice, made: Filter) -> None:
        self._working[camera] = CameraFilter(camera, choice, made)
        self._loading.pop(camera, None)
        self._missed.pop(camera, None)

    def _keep(self) -> None:
        if self._folder:
            chosen = {camera: self._loading.get(camera, working).choice for camera, working in self._working.items()}
            keep(self._folder, chosen)
