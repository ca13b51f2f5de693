"""`remi-stream video` and `images`: offline processing of videos and image folders; `video --realtime` plays a video live."""

from __future__ import annotations

import enum
import inspect
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remi_stream.cli.export import add_drawings, drawing_options
from remi_stream.cli.lift import unique_file_stems
from remi_stream.cli.live import FocalOption, camera_name, run_source
from remi_stream.cli.options import pipeline_options, with_options
from remi_stream.cli.progress import VideoProgress
from remi_stream.errors import EXIT_DONE, RemiError, UsageError
from remi_stream.log import configure_logging
from remi_stream.permission_hints import empty_mount_hint, read_error_hint

if TYPE_CHECKING:
    from remi_stream.capture.footage import Footage, ImageFootage
    from remi_stream.detect.detection_file import DetectionFile
    from remi_stream.offline.chain import OfflineChain
    from remi_stream.offline.job import JobResult, JobSettings, TakeSmoother

OFFLINE_OPTIONS = ("engine", "detector", "max_people", "threads", "frames")
"""Pipeline options that also apply offline."""
LIVE_OPTIONS = tuple(name for name in inspect.signature(pipeline_options).parameters if name not in OFFLINE_OPTIONS)
"""Pipeline options that are rejected without --realtime."""
LIVE_PANEL = "Live, with --realtime"
SMOOTHING_PANELS = dict.fromkeys(("smooth", "smooth_weights", "window"), "Smoothing")
DRAWING_OPTIONS = tuple(inspect.signature(drawing_options).parameters)
RESULT_OPTIONS = ("engine", "detector", "threads", "batch", "detbatch", "native", "focal", "selection")
"""Options that change the results; a run is resumed only if all of them are the same."""
PLACEHOLDER_DETECTOR = "synthetic"
"""Detector in the configuration when --detections replaces it; it has no weights to load."""


class SmoothMethod(str, enum.Enum):
    """Smoothing of a finished take; none: gaps in tracks are interpolated, nothing is smoothed."""

    none = "none"
    one_euro = "one-euro"
    smoothnet = "smoothnet"


def offline_options(
    out: Annotated[Path | None, typer.Option(help="Folder for the results, with one folder per video.", metavar="DIR")] = None,
    format: Annotated[
        list[str] | None,
        typer.Option(help="Export format: bvh, gltf, csv, pare, alphapose-coco, ...; may be repeated.", metavar="NAME"),
    ] = None,
    native: Annotated[bool, typer.Option("--native", help="Also keep the engine's native outputs.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing results.")] = False,
    batch: Annotated[int, typer.Option(help="Batch size of the engine: people, from several frames.", min=1, max=256)] = 16,
    detbatch: Annotated[int, typer.Option(help="Batch size of the detector: frames.", min=1, max=64)] = 1,
    smooth: Annotated[SmoothMethod | None, typer.Option(help="Smooth people over time.")] = None,
    smooth_weights: Annotated[Path | None, typer.Option(help="SmoothNet's weights.", metavar="FILE")] = None,
    window: Annotated[int | None, typer.Option(help="SmoothNet's window: 8, 16, 32 or 64 frames.")] = None,
    chunk: Annotated[int, typer.Option(hidden=True, min=1)] = 300,
    detections: Annotated[
        Path | None,
        typer.Option(
            "--detections", "--detfile", help="Bounding boxes to use instead of a detector: COCO results, JSON.", metavar="FILE"
        ),
    ] = None,
    focal: FocalOption = None,
) -> None:
    """Options of offline processing."""


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
    realtime: Annotated[bool, typer.Option("--realtime", help="Play the file like a live camera.")] = False,
    loop: Annotated[bool, typer.Option("--loop", help="Start again at the end.", rich_help_panel=LIVE_PANEL)] = False,
) -> int:
    """Process every frame of a video, or play it live with --realtime."""
    given = _given(context)
    if realtime:
        offline_only = [*offline, *drawing, "every", "start_s", "end_s"]
        _reject(given, offline_only, but=["focal"], reason="does not apply to live playback (--realtime)")
        return _play(files, options, loop, offline["focal"])
    _reject(given, [*LIVE_OPTIONS, "loop"], reason="applies only to live playback (--realtime)")
    if end_s is not None and end_s <= start_s:
        raise UsageError(f"--end {end_s:g} is not after --start {start_s:g}. Give a later end")
    from remi_stream.capture.footage import FrameSelection, VideoFootage

    selection = FrameSelection(every, start_s, end_s, options["frames"])
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
        raise UsageError(f"No such image folder: {folder}. Give one that exists; for videos: remi-stream video")
    given = _given(context)
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
    from remi_stream.capture.files import natural_sort_key
    from remi_stream.capture.footage import VIDEO_SUFFIXES

    videos: list[Path] = []
    for path in paths:
        inside = sorted((file for file in _files_in(path) if file.suffix.lower() in VIDEO_SUFFIXES), key=natural_sort_key)
        if path.is_dir() and not inside:
            hint = f"supported: {', '.join(VIDEO_SUFFIXES)}. For images: remi-stream images"
            raise UsageError(f"No video in folder {path}; {hint}{empty_mount_hint(path)}")
        if not path.exists():
            raise UsageError(
                f"No such video file: {path}. Give one that exists (mp4, mkv, mov, avi, webm, ...){empty_mount_hint(path)}"
            )
        videos += inside or [path]
    return videos


def _files_in(path: Path) -> list[Path]:
    """Content of a folder; empty for a file. Raises UsageError."""
    try:
        return list(path.iterdir()) if path.is_dir() else []
    except OSError:
        raise UsageError(f"Cannot read {path}: {read_error_hint(path)}") from None


def process_all(footage: Sequence[Footage], options: dict[str, Any], given: set[str], boxes: DetectionFile | None = None) -> int:
    """Process all footage in order; footage that cannot be read does not stop the rest."""
    out = options["out"]
    if out is None:
        raise UsageError("No output folder. Give --out DIR, or --realtime to play a video live")
    if existing := [out / each.name for each in footage if (out / each.name).exists() and not options["overwrite"]]:
        raise UsageError(f"{existing[0]} already exists. Give --overwrite to replace it, or another --out")
    settings = _settings(options, given, boxes)
    with VideoProgress() as bar:
        configure_logging("remi", "text", bar.print)
        chain = _open_chain(options, footage[0], boxes)
        try:
            failed = [error for each in footage if (error := _attempt(each, out, chain, settings, bar))]
            if boxes and boxes.has_matches is False and not failed:
                bar.print(f"remi-stream: {options['detections']} has no box for any processed frame")
        finally:
            chain.close()
    if len(footage) == 1 and failed:
        raise failed[0]
    for error in failed:
        print(f"remi-stream: {error}", file=sys.stderr)
    return failed[-1].exit_code if failed else EXIT_DONE


def _attempt(footage: Footage, out: Path, chain: OfflineChain, settings: JobSettings, bar: VideoProgress) -> RemiError | None:
    """Process footage and print a summary; return the error if that fails."""
    started_at = time.monotonic()
    try:
        done = _process(footage, out, chain, settings, bar.start_video)
    except RemiError as error:
        return error
    bar.print(_summary(footage, done, time.monotonic() - started_at), out=True)
    return None


def _process(footage: Footage, out: Path, chain: OfflineChain, settings: JobSettings, begin: Callable[..., Any]) -> JobResult:
    from remi_stream.offline.job import run_job

    footage.open()
    try:
        return run_job(footage, out, chain, settings, begin(footage))
    finally:
        footage.close()


def _settings(options: dict[str, Any], given: set[str], boxes: DetectionFile | None) -> JobSettings:
    """Settings of the job; `words` identifies everything that its results depend on."""
    from remi_stream.export.registry import find_export_formats
    from remi_stream.offline.job import JobSettings

    max_people = options["max_people"] if "max_people" in given else None
    exports = add_drawings(find_export_formats(options["format"] or [], options["engine"]), options)
    options["native"] = options["native"] or any(export.needs_native for export in exports.values())
    words = " ".join(str(options.get(name)) for name in RESULT_OPTIONS) + f" {max_people}" + (f" {boxes.sha256}" if boxes else "")
    detector = options["detections"].name if boxes else options["detector"]
    return JobSettings(words, detector, max_people, exports, _smooth(options), options["chunk"])


def _smooth(options: dict[str, Any]) -> TakeSmoother | None:
    """The smoothing function of --smooth, or None."""
    method: SmoothMethod | None = options.get("smooth")
    if method is None:
        if options.get("smooth_weights") or options.get("window"):
            raise UsageError("--smooth-weights and --window need --smooth smoothnet. Add it, or leave them out")
        return None
    from remi_stream.offline import smoothing

    own = {"window": options["window"], "weights": options["smooth_weights"]}
    values = {"method": method.value.replace("-", "_"), **{name: value for name, value in own.items() if value}}
    settings = smoothing.TakeSmoothing(**values)
    if settings.method == "smoothnet" and settings.weights is None:
        _convert_smoothnet(settings.window)
    smoothing.make_smoother(settings)  # a wrong window or weights file fails now, not after the video
    return lambda take: smoothing.smooth_take(take, settings)


def _convert_smoothnet(window: int) -> None:
    """Convert imported SmoothNet weights to ONNX, once. Raises RemiError if they are missing."""
    from remi_stream.filters.smoothnet import smoothnet_weights
    from remi_stream.inference.onnx_cache import convert_missing
    from remi_stream.models.store import ensure_model_file

    weights = [file for file, _ in smoothnet_weights(window)]
    for file in weights:
        ensure_model_file(file)
    convert_missing(weights, on_message=lambda line: print(f"remi-stream: {line}", file=sys.stderr))


def _open_chain(options: dict[str, Any], footage: Footage, boxes: DetectionFile | None) -> OfflineChain:
    """Load the engine and the detectors, and pull missing weights where allowed. Each detector has its own thread."""
    import cv2

    from remi_stream import config as configuration
    from remi_stream.cli.ready import prepare_pipeline
    from remi_stream.detect.detector import load_detector
    from remi_stream.offline.chain import DETECTOR_THREADS, OfflineChain
    from remi_stream.pose.engine import load_engine, resolve_engine

    cv2.setNumThreads(1)  # OpenCV's threads would compete with those of the networks
    values = {"cameras": [{"name": "video", "source": str(footage.source)}]}
    chosen = {name: options[name] for name in ("engine", "detector", "threads")} | (
        {"detector": PLACEHOLDER_DETECTOR} if boxes else {}
    )
    config = configuration.parse_config({**values, **chosen})
    prepare_pipeline(config)
    native = {"native": 1.0} if options["native"] and "native" in resolve_engine(config.engine)[0].options else {}
    engine = load_engine(config.engine, config.threads, native)
    detectors = [boxes or load_detector(config.detector) for _ in range(DETECTOR_THREADS)]
    return OfflineChain(engine, detectors, options["batch"], options["detbatch"])


def _summary(footage: Footage, done: JobResult, took_s: float) -> str:
    made = done.frames - done.resumed
    kind, people = ("images", "people in them") if footage.is_independent else ("frames", "people")
    text = f"{footage.name}: {done.frames} {kind}, {done.people} {'person' if done.people == 1 else people}"
    text += f", in {took_s:.1f} s ({made / took_s:.1f} fps)" if made else ", already done"
    text += f" (the first {done.resumed} by an earlier run)" if done.resumed and made else ""
    if done.unreadable:
        named = ", ".join(done.unreadable[:3]) + (", ..." if len(done.unreadable) > 3 else "")
        text += f"; {len(done.unreadable)} skipped ({named})"
    return f"{text} -> {done.folder}"


def _given(context: typer.Context) -> set[str]:
    """Names of the parameters given on the command line."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}


def _reject(given: set[str], names: Sequence[str], reason: str, but: Sequence[str] = ()) -> None:
    for name in names:
        if name in given and name not in but:
            option = name.removesuffix("_s").replace("_", "-")
            raise UsageError(f"--{option} {reason}. Leave it out")


def _play(files: Sequence[Path], options: dict[str, Any], loop: bool, focal: float | None) -> int:
    """Play one video file as a live camera."""
    if len(files) != 1:
        raise UsageError(f"--realtime plays one file, got {len(files)}. For several cameras use a pipeline file: remi-stream run")
    file = files[0]
    if not file.is_file():
        raise UsageError(
            f"No such video file: {file}. Give a file that exists (mp4, mkv, mov, avi, webm, ...){empty_mount_hint(file)}"
        )
    return run_source(options, {"name": camera_name(file), "source": str(file), "loop": loop, "focal_px": focal})
