"""Open a recording or the results of an offline run as a take."""

from __future__ import annotations

from pathlib import Path

from remi_stream.errors import UsageError
from remi_stream.formats.take import Take
from remi_stream.mounts import empty_mount_hint
from remi_stream.offline import results
from remi_stream.offline.recorded import open_recording
from remi_stream.sinks.recording.finish import is_unfinished
from remi_stream.sinks.recording.index import INDEX_FILE

HOW_TO_MAKE_A_TAKE = "Make one: remi-stream demo --record DIR, or remi-stream video FILE --out DIR"


def open_take(folder: Path) -> Take:
    """Open a recording, or the results of `video` and `images`. Raises RemiError if it is neither, or unfinished."""
    if not folder.is_dir():
        raise UsageError(f"No such recording: {folder}. {HOW_TO_MAKE_A_TAKE}{empty_mount_hint(folder)}")
    if is_unfinished(folder):
        raise UsageError(f"{folder} is not finished. If its recorder is gone: remi-stream recordings {folder.parent} --recover")
    if _has_results(folder):
        return results.open_results(folder)
    if not (folder / INDEX_FILE).exists():
        raise UsageError(_not_a_take(folder))
    return open_recording(folder)


def _not_a_take(folder: Path) -> str:
    """Error message for a folder that cannot be opened; suggests a recording inside it."""
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    for path in subfolders:
        if _has_results(path) or is_unfinished(path) or (path / INDEX_FILE).exists():
            return f"{folder} is a folder of recordings. Give one of them, e.g. {path}"
    return f"{folder} is not a recording, and has no results of a video. {HOW_TO_MAKE_A_TAKE}"


def _has_results(folder: Path) -> bool:
    return (folder / results.TAKE_FOLDER / results.RESULTS_INDEX_FILE).exists()
