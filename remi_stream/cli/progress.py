"""How far a film is worked through: a bar on a terminal, nothing elsewhere."""

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
    from remi_stream.messages import Bodies
    from remi_stream.offline.footage import Footage

EVERY_S = 0.1


class Bar:
    """Frames, frames a second, people in the newest frame, time left."""

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

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def begin(self, film: Footage) -> Callable[[Bodies], None]:
        """A new film; what is given takes each of its frames."""
        for task in self._bar.task_ids:
            self._bar.remove_task(task)
        task, begun_at = self._bar.add_task(film.name, total=film.total or None, fps=0.0, people=0), time.monotonic()
        frames, told_at = 0, 0.0

        def tell(bodies: Bodies) -> None:
            nonlocal frames, told_at
            frames += 1
            now = time.monotonic()
            if now - told_at > EVERY_S:
                told_at = now
                self._bar.update(task, completed=frames, fps=frames / (now - begun_at), people=len(bodies.people))

        return tell

    def print(self, text: str, out: bool = False) -> None:
        """Print a line above the bar, to stderr or to stdout."""
        if out:
            print(text, flush=True)
        else:
            self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)


@contextlib.contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal for what is counted: what is given takes how many are done, of how many."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
