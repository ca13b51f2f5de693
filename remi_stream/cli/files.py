"""`remi-stream video` and `images`: offline processing of videos and image folders; `video --realtime` plays a video live."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remi_stream.cli.foreground import camera_name, run_source
from remi_stream.cli.lift import unique_file_stems
from remi_stream.cli.offline import process_all
from remi_stream.cli.options import drawing_options, offline_options, pipeline_options, with_options
from remi_stream.errors import UsageError
from remi_stream.paths import printable_path, text_of_path
from remi_stream.permission_hints import empty_mount_hint, read_error_hint

if TYPE_CHECKING:
    from remi_stream.capture.footage import Footage, ImageFootage
    from remi_stream.detect.detection_file import DetectionFile

OFFLINE_OPTIONS = ("engine", "detector", "max_people", "posture", "sensitivity", "threads", "frames")
"""Pipeline options that also apply offline."""
LIVE_OPTIONS = tuple(name for name in inspect.signature(pipeline_options).parameters if name not in OFFLINE_OPTIONS)
"""Pipeline options that are rejected without --realtime."""
LIVE_PANEL = "Live, with --realtime"
SMOOTHING_PANELS = dict.fromkeys(("smooth", "smooth_weights", "window"), "Smoothing")
DRAWING_OPTIONS = tuple(inspect.signature(drawing_options).parameters)


@with_options(pipeline_options, into="options", panels=dict.fromkeys(LIVE_OPTIONS, LIVE_PANEL))
@with_options(offline_options, into="offline", panels=SMOOTHING_PANELS)
@with_options(drawing_options, into="drawing", panels=dict.fromkeys(DRAWING_OPTIONS, "Drawing"))
def video(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Video files, or folders of them.", metavar="FILE|DIR")],
    options: dict[str, Any],
    offline: dict[str, Any],
    drawing: dict[str, Any],
    every: Annotated[int, typer.Option(help="Process every n-th frame.", min=1, metavar="N")] = 1,
    start_s: Annotated[float, typer.Option("--start", help="Start at this second.", min=0)] = 0.0,
    end_s: Annotated[float | None, typer.Option("--end", help="Stop before this second.", min=0)] = None,
    fps: Annotated[float | None, typer.Option(help="Frame rate, instead of the times in the file.", min=0.001, max=1000)] = None,
    realtime: Annotated[bool, typer.Option("--realtime", help="Play the file like a live camera.")] = False,
    loop: Annotated[bool, typer.Option("--loop", help="Start again at the end.", rich_help_panel=LIVE_PANEL)] = False,
) -> int:
    """Process every frame of a video, or play it live with --realtime."""
    given = _given_parameters(context)
    if realtime:
        offline_only = [*offline, *drawing, "every", "start_s", "end_s"]
        _reject(given, offline_only, but=["focal"], reason="does not apply to live playback (--realtime)")
        return _play(files, options, loop, offline["focal"], fps)
    _reject(given, [*LIVE_OPTIONS, "loop"], reason="applies only to live playback (--realtime)")
    if end_s is not None and end_s <= start_s:
        raise UsageError(f"--end {end_s:g} is not after --start {start_s:g}. Give a later end")
    from remi_stream.capture.footage import FrameSelection, VideoFootage

    selection = FrameSelection(every, start_s, end_s, options["frames"], fps)
    videos = find_videos(files)
    named = zip(videos, unique_file_stems([path.name for path in videos]))
    footage: list[Footage] = [VideoFootage(path, name, selection, offline["focal"]) for path, name in named]
    boxes = _video_boxes(offline["detections"], videos, given)
    return process_all(footage, {**options, **offline, **drawing, "selection": selection}, given, boxes)


@with_options(pipeline_options, into="options", without=(*LIVE_OPTIONS, "frames"))
@with_options(offline_options, into="offline", without=("smooth", "smooth_weights", "window"))
@with_options(drawing_options, into="drawing", panels=dict.fromkeys(DRAWING_OPTIONS, "Drawing"))
def images(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder of images.", metavar="DIR")],
    options: dict[str, Any],
    offline: dict[str, Any],
    drawing: dict[str, Any],
) -> int:
    """Process a folder of images, each independently of the others."""
    from remi_stream.capture.footage import ImageFootage

    if not folder.is_dir():
        raise UsageError(f"No such image folder: {printable_path(folder)}. Give one that exists; for videos: remi-stream video")
    given = _given_parameters(context)
    image_folder = ImageFootage(folder, unique_file_stems([folder.resolve().name])[0], offline["focal"])
    boxes = _image_boxes(offline["detections"], image_folder, given)
    return process_all([image_folder], {**options, **offline, **drawing}, given, boxes)


def _video_boxes(path: Path | None, videos: Sequence[Path], given: set[str]) -> DetectionFile | None:
    """Read the detection file of a video, if --detections is given."""
    from remi_stream.detect.detection_file import read_video_detections

    if path is None:
        return None
    _reject(given, ["detector"], reason="has no effect with --detections")
    if len(videos) != 1:
        raise UsageError(f"--detections is for one video, got {len(videos)}. Process them one by one, each with its own file")
    return read_video_detections(path)


def _image_boxes(path: Path | None, image_folder: ImageFootage, given: set[str]) -> DetectionFile | None:
    """Read the detection file of an image folder, if --detections is given; warn about images without boxes."""
    from remi_stream.detect.detection_file import read_image_detections

    if path is None:
        return None
    _reject(given, ["detector"], reason="has no effect with --detections")
    image_folder.open()
    boxes, warning = read_image_detections(path, image_folder.files, image_folder.image_names)
    if warning:
        print(f"remi-stream: {warning}", file=sys.stderr)
    return boxes


def find_videos(paths: Sequence[Path]) -> list[Path]:
    """Video files, with folders expanded in natural order (2 before 10). Raises UsageError if there are none."""
    from remi_stream.capture.files import VIDEO_SUFFIXES, natural_sort_key

    videos: list[Path] = []
    for path in paths:
        inside = sorted((file for file in _files_in(path) if file.suffix.lower() in VIDEO_SUFFIXES), key=natural_sort_key)
        if path.is_dir() and not inside:
            hint = f"supported: {', '.join(VIDEO_SUFFIXES)}. For images: remi-stream images"
            raise UsageError(f"No video in folder {printable_path(path)}; {hint}{empty_mount_hint(path)}")
        if not path.exists():
            raise _missing_video_error(path)
        videos += inside or [path]
    return videos


def _missing_video_error(path: Path) -> UsageError:
    hint = f"Give one that exists (mp4, mkv, mov, avi, webm, ...){empty_mount_hint(path)}"
    return UsageError(f"No such video file: {printable_path(path)}. {hint}")


def _files_in(path: Path) -> list[Path]:
    """Content of a folder; empty for a file. Raises UsageError."""
    try:
        return list(path.iterdir()) if path.is_dir() else []
    except OSError:
        raise UsageError(f"Cannot read {printable_path(path)}: {read_error_hint(path)}") from None


def _given_parameters(context: typer.Context) -> set[str]:
    """Names of the parameters given on the command line."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}


def _reject(given: set[str], names: Sequence[str], reason: str, but: Sequence[str] = ()) -> None:
    for name in names:
        if name in given and name not in but:
            option = name.removesuffix("_s").replace("_", "-")
            raise UsageError(f"--{option} {reason}. Leave it out")


def _play(files: Sequence[Path], options: dict[str, Any], loop: bool, focal: float | None, fps: float | None) -> int:
    """Play one video file as a live camera."""
    if len(files) != 1:
        raise UsageError(f"--realtime plays one file, got {len(files)}. For several cameras use a pipeline file: remi-stream run")
    file = files[0]
    if not file.is_file():
        raise _missing_video_error(file)
    camera = {"name": camera_name(file), "source": text_of_path(file), "loop": loop, "focal_px": focal, "fps": fps}
    return run_source(options, camera)
