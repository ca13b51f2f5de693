"""`remi-stream recordings`: lists recordings and recovers unfinished ones."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from remi_stream.errors import EXIT_NOT_STARTED, RemiError, UsageError
from remi_stream.log import configure_logging
from remi_stream.sinks.recording.finish import is_unfinished
from remi_stream.sinks.recording.finish import list_recordings as find
from remi_stream.sinks.recording.index import read_recording_index
from remi_stream.sinks.recording.recovery import recover_all

RECORDINGS_MIN_WIDTH = 100


def recordings(
    folder: Annotated[Path, typer.Argument(help="Folder given to --record.", metavar="DIR")],
    recover: Annotated[bool, typer.Option("--recover", help="Finish recordings whose recorder was killed.")] = False,
) -> int:
    """List the recordings in a folder; with --recover, finish those whose recorder was killed."""
    if not folder.is_dir():
        raise UsageError(f"No such folder: {folder}. Give the folder that was given to --record")
    configure_logging("remi", "text")
    failed = recover_all(folder) if recover else 0
    table = Table("recording", "seconds", "frames", "people", "missing", "state", box=None, pad_edge=False, header_style="bold")
    for path in find(folder):
        table.add_row(path.name, *_cells(path))
    console = Console()
    console = console if console.is_terminal else Console(width=max(console.width, RECORDINGS_MIN_WIDTH))
    console.print(table)
    return EXIT_NOT_STARTED if failed else 0


def _cells(path: Path) -> tuple[str, ...]:
    if is_unfinished(path):
        return "", "", "", "", "unfinished"
    try:
        index = read_recording_index(path)
    except RemiError as error:
        return "", "", "", "", str(error)
    seconds = ""
    if index.ended_at:
        seconds = f"{(datetime.fromisoformat(index.ended_at) - datetime.fromisoformat(index.started_at)).total_seconds():.1f}"
    people = len({track.track_id for track in index.tracks})
    missing = sum(index.missing.values())
    return seconds, str(index.frames), str(people), str(missing), "" if index.clean else index.reason
