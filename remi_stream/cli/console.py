"""What commands print besides plain text: tables, and progress bars on a terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from remi_stream.redaction import printable
from remi_stream.sinks.live_view import count_text

if TYPE_CHECKING:
    from remi_stream.capture.footage import Footage
    from remi_stream.messages import Bodies

TABLE_WIDTH = 1000
"""Width of tables that are piped or redirected: no cell is wrapped or cut there. Rich would assume 80 columns."""
UPDATE_INTERVAL_S = 0.1
"""Between two updates: drawing the bar for every frame would cost more than reading it."""


def table_console() -> Console:
    """Console for tables on stdout, at least `TABLE_WIDTH` wide unless it is a terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(width=max(console.width, TABLE_WIDTH), highlight=False)


def plain_table(*columns: str, title: str | None = None) -> Table:
    """Table without borders; long cells are folded."""
    table = Table(box=None, pad_edge=False, header_style="bold", title=title, title_justify="left", title_style="bold cyan")
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def cell(value: object) -> str:
    """A value for a table or a line of Rich that is shown as it is: neither markup nor control characters have an effect."""
    return escape(printable(str(value)))


def progress_bar(*columns: ProgressColumn) -> Progress:
    """Progress bar on stderr that disappears at the end; shown on a terminal only, above what is printed meanwhile."""
    console = Console(stderr=True)
    return Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),
    )


@contextlib.contextmanager
def count_progress(description: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """Progress bar of a count; yields the function to call with the number done, and the total if it was unknown."""
    with progress_bar(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task(description, total=total)

        def update(done: int, total: int | None = None) -> None:
            bar.update(task, completed=done, total=total)

        yield update


class VideoProgress:
    """Progress of a video: frames, frames per second, people in the latest frame, time left."""

    def __init__(self) -> None:
        self._bar = progress_bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[fps]:.1f} fps"),
            TextColumn("{task.fields[people]}"),
            TimeRemainingColumn(),
        )

    def __enter__(self) -> VideoProgress:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Remove the bar; more than once does no harm."""
        self._bar.stop()

    def start_video(self, footage: Footage) -> Callable[[Bodies], None]:
        """Start a new bar; returns the function to call with the bodies of each frame."""
        for task in self._bar.task_ids:
            self._bar.remove_task(task)
        task = self._bar.add_task(footage.name, total=footage.expected_frames or None, fps=0.0, people="0 people")
        started_at = time.monotonic()
        frames, updated_at = 0, 0.0

        def update(bodies: Bodies) -> None:
            nonlocal frames, updated_at
            frames += 1
            now = time.monotonic()
            if now - updated_at > UPDATE_INTERVAL_S:
                updated_at = now
                self._bar.update(
                    task,
                    completed=frames,
                    fps=frames / (now - started_at),
                    people=count_text(len(bodies.people), "person", "people"),
                )

        return update

    def print(self, text: str, out: bool = False) -> None:
        """Print a line above the bar, to stderr or to stdout."""
        if out:
            print(text, flush=True)
        else:
            self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)


def status_command(daemon: str) -> str:
    """Command that shows the status of a daemon, as it works when typed."""
    return "remi-stream status" + (f" --name {daemon}" if daemon != "default" else "")
