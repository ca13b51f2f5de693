"""Loads a filter in the background, for filters with networks."""

from __future__ import annotations

import threading

from remi_stream.errors import RemiError
from remi_stream.filters.choice import FilterSpec
from remi_stream.filters.filter import Filter, open_filter_spec


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
