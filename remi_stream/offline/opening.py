"""Open a recording or the results of an offline run as a take."""

from __future__ import annotations

from pathlib import Path

from remi_stream.errors import UsageError
from remi_stream.formats.take import Take
from remi_stream.mounts import why_empty
from remi_stream.offline import results
from remi_stream.offline.recorded import open_recording
from remi_stream.sinks.recording.finish import is_unfinished
from remi_stream.sinks.recording.index import INDEX

MAKE = "Make one: remi-stream demo --record DIR, or remi-stream video FILE --out DIR"


def open_kept(folder: Path) -> Take:
    """Open a recording, or the results of `video` and `images`. Raises RemiError if it is neither, or unfinished."""
    if not folder.is_dir():
        raise UsageError(f"No such recording: {folder}. {MAKE}{why_empty(folder)}")
    if is_unfinished(folder):
        raise UsageError(f"{folder} is not finished. If its recorder is gone: remi-stream recordings {folder.parent} --recover")
    if _has_results(folder):
        return results.open_take(folder)
    if not (folder / INDEX).exists():
        raise UsageError(_not_a_take(folder))
    return open_recording(folder)


def _not_a_take(folder: Path) -> str:
    """Error message for a folder that cannot be opened; suggests a recording inside it."""
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    for path in subfolders:
        if _has_results(path) or is_unfinished(path) or (path / INDEX).exists():
            return f"{folder} is a folder of recordings. Give one of them, e.g. {path}"
    return f"{folder} is not a recording, and has no results of a video. {MAKE}"


def _has_results(folder: Path) -> bool:
    return (folder / results.FOLDER / results.INDEX).exists()
