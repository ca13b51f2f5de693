"""A filter that takes its time to load, loaded beside the relay's work."""

from __future__ import annotations

import threading

from remi_stream.errors import RemiError
from remi_stream.filters.choice import Choice
from remi_stream.filters.filter import Filter, open_choice


class Loading(threading.Thread):
    """Loads a filter for each of these cameras. Once it has ended there are filters, or a fault in one line."""

    def __init__(self, choice: Choice, cameras: list[str]) -> None:
        super().__init__(name=f"loading {choice.name}", daemon=True)
        self.choice, self.cameras = choice, cameras
        self.filters: dict[str, Filter] = {}
        self.fault = f"{choice.name} could not be loaded; the log says why"
        self.start()

    def run(self) -> None:
        """Load. What is no RemiError goes to the log with its traceback."""
        try:
            self.filters = {camera: open_choice(self.choice) for camera in self.cameras}
        except RemiError as error:
            self.fault = str(error)
