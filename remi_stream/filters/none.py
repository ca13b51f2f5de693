"""Identity filter: no smoothing."""

from __future__ import annotations

from remi_stream.messages import Person


class IdentityFilter:
    """A Filter that returns its input."""

    name = "none"
    lag_s = 0.0

    def filter(self, person: Person, captured_at: float) -> Person:
        """Return the person unchanged."""
        return person

    def forget(self, track_id: int) -> None:
        """Do nothing: there is no state."""


def make_identity_filter() -> IdentityFilter:
    """Make the identity filter."""
    return IdentityFilter()
