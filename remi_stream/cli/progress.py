"""Progress bars of offline commands, shown on a terminal only."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from remi_stream.capture.footage import Footage
    from remi_stream.messages import Bodies

UPDATE_INTERVAL_S = 0.1
"""Between two updates: drawing the bar for every frame would cost more than reading it."""


class VideoProgress:
    """Progress of a video: frames, frames per second, people in the latest frame, time left."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[fps]:.1f} fps"),
            TextColumn("{task.fields[people]} people"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
            disable=not console.is_terminal,
        )

    def __enter__(self) -> VideoProgress:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def start_video(self, footage: Footage) -> Callable[[Bodies], None]:
        """Start a new bar; returns the function to call with the bodies of each frame."""
        for task in self._bar.task_ids:
            self._bar.remove_task(task)
        task, started_at = (
            self._bar.add_task(footage.name, total=footage.expected_frames or None, fps=0.0, people=0),
            time.monotonic(),
        )
        frames, updated_at = 0, 0.0

        def update(bodies: Bodies) -> None:
            nonlocal frames, updated_at
            frames += 1
            now = time.monotonic()
            if now - updated_at > UPDATE_INTERVAL_S:
                updated_at = now
                self._bar.update(task, completed=frames, fps=frames / (now - started_at), people=len(bodies.people))

        return update

    def print(self, text: str, out: bool = False) -> None:
        """Print a line above the bar, to stderr or to stdout."""
        if out:
            print(text, flush=True)
        else:
            self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)


@contextlib.contextmanager
def count_progress(description: str) -> Iterator[Callable[[int, int], None]]:
    """Progress bar of a count; yields the function to call with (done, total)."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
