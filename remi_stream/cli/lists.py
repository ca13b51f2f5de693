"""`remi-stream cameras`, `engines` and `recordings`: list cameras, pose engines and recordings."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from remi_stream.capture.webcam import VideoDevice, VideoMode, list_devices
from remi_stream.cli.console import plain_table, table_console
from remi_stream.errors import EXIT_DONE, EXIT_NOT_STARTED, RemiError, UsageError
from remi_stream.log import configure_logging
from remi_stream.models.manifest import Manifest, list_engines
from remi_stream.models.store import file_fault
from remi_stream.recordings.finish import is_unfinished, list_recordings, recover_all
from remi_stream.recordings.index import read_recording_index

JOIN_VIDEO_GROUP = "Join the group: sudo usermod -aG video $USER, then log in again"


def cameras(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False) -> int:
    """List the cameras of this machine and their modes."""
    found = list_devices()
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return EXIT_DONE
    if not found:
        print("No camera found: no /dev/video* can capture. For a network camera: remi-stream rtsp URL")
    for device in found:
        print("\n".join(_device_lines(device)))
    return EXIT_DONE


def _device_lines(device: VideoDevice) -> list[str]:
    users = f", in use by {', '.join(device.used_by)}" if device.used_by else ""
    fault = f": {device.fault}. {JOIN_VIDEO_GROUP if 'permission' in device.fault else ''}".rstrip(" .") if device.fault else ""
    return [f"{device.path}  {device.name}{fault}{users}", *(_mode_text(mode) for mode in device.modes)]


def _mode_text(mode: VideoMode) -> str:
    rates = ", ".join(f"{fps:g}" for fps in mode.fps)
    return f"  {mode.format:<5}{mode.width}x{mode.height}" + (f" at {rates} fps" if rates else "")


def engines() -> int:
    """List the pose engines with their runtimes, licence, and whether the weights are present."""
    console = Console(highlight=False, soft_wrap=True)
    found = list_engines()
    rows = [(each.name, weights_state(each), runtimes_label(each), each.licence) for each in found]
    title = ("engine", "weights", "runtimes", "licence")
    widths = [max(map(len, column)) + 2 for column in zip(title, *rows)]
    for number, row in enumerate([title, *rows]):
        line = "".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
        console.print(line, style="" if number else "bold", markup=False)
        if number:
            console.print(f"  {found[number - 1].what}", style="dim", markup=False)
    return EXIT_DONE


def runtimes_label(manifest: Manifest) -> str:
    """Runtimes of an engine, the default one first."""
    return ", ".join(sorted(manifest.runtimes, key=lambda runtime: runtime != manifest.runtime))


def weights_state(manifest: Manifest) -> str:
    """State of an engine's weights: "ready", or the first fault."""
    return next((state for file in manifest.weights if (state := file_fault(file))), "ready")


def recordings(
    folder: Annotated[Path, typer.Argument(help="Folder given to --record.", metavar="DIR")],
    recover: Annotated[bool, typer.Option("--recover", help="Finish recordings whose recorder was killed.")] = False,
) -> int:
    """List the recordings in a folder; with --recover, finish those whose recorder was killed."""
    if not folder.is_dir():
        raise UsageError(f"No such folder: {folder}. Give the folder that was given to --record")
    configure_logging("remi", "text")
    failed = recover_all(folder) if recover else 0
    table = plain_table("recording", "seconds", "frames", "people", "missing", "state")
    for path in list_recordings(folder):
        table.add_row(path.name, *_cells(path))
    table_console().print(table)
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
