"""No filter: people come out as they came in."""

from __future__ import annotations

from remi_stream.messages import Person


class Unfiltered:
    """A Filter that does nothing."""

    name = "none"
    lag_s = 0.0

    def filter(self, person: Person, captured_at: float) -> Person:
        """The person itself."""
        return person

    def forget(self, track_id: int) -> None:
        """Nothing is known of it."""


def open_filter() -> Unfiltered:
    """Make it."""
    return Unfiltered()
