"""What was kept of a film or of a camera, whichever it is."""

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
    """The take of a recording, or of what `video` and `images` made. Raises RemiError when it is neither, or not whole."""
    if not folder.is_dir():
        raise UsageError(f"No such recording: {folder}. {MAKE}{why_empty(folder)}")
    if is_unfinished(folder):
        raise UsageError(f"{folder} is not finished. If its recorder is gone: remi-stream recordings {folder.parent} --recover")
    if _is_result(folder):
        return results.open_take(folder)
    if not (folder / INDEX).exists():
        raise UsageError(_neither(folder))
    return open_recording(folder)


def _neither(folder: Path) -> str:
    """Why a folder is nothing that was kept; perhaps what is in it is."""
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    for path in inside:
        if _is_result(path) or is_unfinished(path) or (path / INDEX).exists():
            return f"{folder} is a folder of recordings. Give one of them, e.g. {path}"
    return f"{folder} is no recording, and holds no results of a film. {MAKE}"


def _is_result(folder: Path) -> bool:
    return (folder / results.FOLDER / results.INDEX).exists()
