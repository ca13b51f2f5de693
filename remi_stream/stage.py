"""What a stage is: a plain object that knows nothing of processes or sockets. runner.py runs one live."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

from remi_stream.mailbox import Request


class Stage(Protocol):
    """A step of the pipeline: messages in, messages out. facts: what people want to know of it, e.g. {"runtime": ...}."""

    facts: dict[str, str]

    def open(self) -> None:
        """Load what is needed. RemiError says what the user has to mend."""
        ...

    def step(self, message: Any) -> Iterable[Any]:
        """Take one message and give those to send; never keeps a message's arrays for longer than it must."""
        ...

    def request(self, camera: str) -> Request:
        """What is wanted next from a camera: the view of the frame, and not before when."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class SourceStage(Protocol):
    """The first step: nothing in, messages out. Its `step` runs in a thread of its own and may wait for a frame."""

    def open(self) -> None:
        """Open the device or file. RemiError says what the user has to mend."""
        ...

    def step(self) -> Iterable[Any] | None:
        """Wait (a second at most, six for a decoder) and give what there is to send; None at the end of a finite source."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


@runtime_checkable
class Steered(Protocol):
    """A source that is told what to do while it runs."""

    def take(self, message: Any) -> None:
        """Take note of a message that the bus brought; never waits. Called from another thread than `step`."""
        ...
