"""Protocols of stages: plain objects without knowledge of processes or sockets; a worker runs them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

from remi_stream.mailbox import FrameRequest


class Stage(Protocol):
    """A step of the pipeline: messages in, messages out."""

    facts: dict[str, str]
    """Static information for users, e.g. {"runtime": ...}; part of each heartbeat."""

    def open(self) -> None:
        """Load models and open files. Raises RemiError for what the user has to fix."""
        ...

    def step(self, message: Any) -> Iterable[Any]:
        """Process one message and return those to send. Arrays of a message are views on its buffer: do not keep them."""
        ...

    def request(self, camera: str) -> FrameRequest:
        """Next frame request for a camera: the view, and the earliest time."""
        ...

    def close(self) -> None:
        """Release all resources."""
        ...


class SourceStage(Protocol):
    """A source of frames or bodies. Its `step` runs in a thread of its own and may block."""

    def open(self) -> None:
        """Open the device or file. Raises RemiError for what the user has to fix."""
        ...

    def step(self) -> Iterable[Any] | None:
        """Block for at most a second (a decoder: six) and return messages to send; None at the end of a finite source."""
        ...

    def close(self) -> None:
        """Release all resources."""
        ...


@runtime_checkable
class SteerableSource(Protocol):
    """A source that accepts commands while it runs."""

    def handle_command(self, message: Any) -> None:
        """Handle a message from the bus without blocking. Called from another thread than `step`."""
        ...
